// Which nodes a client status request is about (envoy.type.matcher.v3.NodeMatcher): the conditions
// of one matcher must all hold, and one matcher of several. What we can't decide by is refused by
// name, since a condition that is skipped would match too much.
import { createContext, Script } from 'node:vm';
import { MeshError } from '../base/index.js';
import type { countersign } from '../gen/wire.js';
import { isJsonObject, type Json, type Node } from '../xds/index.js';

type NodeMatcher = countersign.wire.NodeMatcher;
type StringMatcher = countersign.wire.StringMatcher;
type StructMatcher = countersign.wire.StructMatcher;
type ValueMatcher = countersign.wire.ValueMatcher;

type Predicate<T> = (value: T) => boolean;

/** How long one match of a regular expression may take. */
const REGEX_TIMEOUT_MS = 50;
const MAX_REGEX_LENGTH = 1_000;
const MAX_MATCHERS = 100;

/**
 * A predicate over nodes; no matcher at all matches every node.
 * @throws MeshError request-invalid, resource-limit
 */
export function toNodePredicate(matchers: readonly NodeMatcher[]): Predicate<Node> {
  if (matchers.length > MAX_MATCHERS) {
    throw new MeshError('resource-limit', `expected at most ${MAX_MATCHERS} node matchers`);
  }
  const alternatives = matchers.map(toAlternative);
  return (node) => alternatives.length === 0 || alternatives.some((matches) => matches(node));
}

function toAlternative({ nodeId, nodeMetadatas }: NodeMatcher): Predicate<Node> {
  const id = nodeId ? toStringPredicate(nodeId, 'node_id') : () => true;
  const metadata = (nodeMetadatas ?? []).map(toMetadataPredicate);
  return (node) => id(node.id) && metadata.every((matches) => matches(node.metadata));
}

function toMetadataPredicate({ path, value }: StructMatcher): Predicate<Json> {
  const keys = (path ?? []).map(({ key }) => key ?? '');
  if (keys.length === 0) throw refuse('node_metadatas', 'a path');
  const matches = toValuePredicate(value ?? {});
  return (metadata) => matches(lookUp(metadata, keys));
}

function lookUp(metadata: Json, keys: readonly string[]): Json | undefined {
  let found: Json | undefined = metadata;
  for (const key of keys) {
    if (!isJsonObject(found) || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}

/** Values are JSON; what isn't there matches only `present_match: false`. */
function toValuePredicate(matcher: ValueMatcher): Predicate<Json | undefined> {
  const { nullMatch, stringMatch, boolMatch, presentMatch } = matcher;
  if (nullMatch) return (value) => value === null;
  if (typeof boolMatch === 'boolean') return (value) => value === boolMatch;
  if (typeof presentMatch === 'boolean') return (value) => (value !== undefined) === presentMatch;
  if (stringMatch) {
    const matches = toStringPredicate(stringMatch, 'string_match');
    return (value) => typeof value === 'string' && matches(value);
  }
  throw refuse('node_metadatas', 'string_match, bool_match, present_match or null_match');
}

function toStringPredicate(matcher: StringMatcher, field: string): Predicate<string> {
  const { exact, prefix, suffix, contains, safeRegex } = matcher;
  if (safeRegex) return toRegexPredicate(safeRegex.regex ?? '');
  const fold = (text: string): string => (matcher.ignoreCase ? text.toLowerCase() : text);
  const folded = (
    text: string,
    test: (value: string, pattern: string) => boolean,
  ): Predicate<string> => {
    const pattern = fold(text);
    return (value) => test(fold(value), pattern);
  };
  if (typeof exact === 'string') return folded(exact, (value, pattern) => value === pattern);
  if (typeof prefix === 'string') return folded(prefix, (value, text) => value.startsWith(text));
  if (typeof suffix === 'string') return folded(suffix, (value, text) => value.endsWith(text));
  if (typeof contains === 'string') return folded(contains, (value, text) => value.includes(text));
  throw refuse(field, 'exact, prefix, suffix, contains or safe_regex');
}

/**
 * The whole text must match. Envoy means RE2 syntax; what JavaScript lacks of it is refused. A
 * pattern that would take for ever is stopped by a time limit, which JavaScript has for scripts
 * only.
 */
function toRegexPredicate(regex: string): Predicate<string> {
  if (regex.length > MAX_REGEX_LENGTH) {
    const message = `expected a safe_regex of at most ${MAX_REGEX_LENGTH} characters`;
    throw new MeshError('resource-limit', message);
  }
  const sandbox = { pattern: toPattern(regex), text: '' };
  const context = createContext(sandbox);
  const script = new Script('pattern.test(text)');
  return (text) => {
    sandbox.text = text;
    try {
      return script.runInContext(context, { timeout: REGEX_TIMEOUT_MS }) === true;
    } catch (cause) {
      const message = `expected a safe_regex that matches within ${REGEX_TIMEOUT_MS} ms`;
      throw new MeshError('resource-limit', message, { cause });
    }
  };
}

function toPattern(regex: string): RegExp {
  try {
    return new RegExp(`^(?:${regex})$`, 'u');
  } catch (cause) {
    throw new MeshError('request-invalid', `expected a regular expression but got "${regex}"`, {
      cause,
    });
  }
}

function refuse(field: string, expected: string): MeshError {
  return new MeshError(
    'request-invalid',
    `expected ${expected} in ${field} but got another matcher`,
  );
}
