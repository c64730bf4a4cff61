// Names of services, and the DNS names that follow from them. Labels are RFC 1123's
// (section 2.1 with RFC 1035's length), in lower case.
import { MeshError } from '../base/index.js';
import { isTrustDomain } from '../spiffe/index.js';
import type { ServiceName } from './model.js';
import { expected, type Parsed, parsed } from './parsed.js';

export const DEFAULT_NAMESPACE = 'default';
/** Words with a meaning of their own in rules or DNS names. */
export const RESERVED_NAMES: readonly string[] = ['anyone', 'inherit', 'mesh'];

export const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL_RULE = 'a name is 1 to 63 lower case letters, digits and dashes, no dash at an end';

export interface NameParts {
  readonly name: ServiceName;
  readonly namespace: string;
  readonly shortName: string;
}

/** The parts of `web`, `default/web` (the same) or `payments/ledger`. */
export function tryNameParts(text: string): Parsed<NameParts> {
  const parts = text.split('/');
  const shortName = parts.at(-1) ?? '';
  const namespace = parts.length > 1 ? (parts[0] ?? '') : DEFAULT_NAMESPACE;
  if (parts.length > 2 || !LABEL.test(shortName) || !LABEL.test(namespace)) {
    return expected('a service name (web, or payments/ledger with a namespace)', nameHint(text));
  }
  const reserved = [namespace, shortName].find((part) => RESERVED_NAMES.includes(part));
  if (reserved !== undefined) return expected(`a name other than the reserved word ${reserved}`);
  const name = namespace === DEFAULT_NAMESPACE ? shortName : `${namespace}/${shortName}`;
  return parsed({ name: name as ServiceName, namespace, shortName });
}

function nameHint(text: string): string {
  if (text.toLowerCase() !== text) return 'names are lower case';
  const [namespace = '', name = '', ...more] = text.split('.');
  if (more.length === 0 && LABEL.test(namespace) && LABEL.test(name)) {
    return `a namespace stands first, before a slash, as in ${namespace}/${name}`;
  }
  return LABEL_RULE;
}

/** The service's name as the mesh uses it, or undefined where `text` can't be one. */
export function tryServiceName(text: string): ServiceName | undefined {
  const result = tryNameParts(text);
  return result.ok ? result.value.name : undefined;
}

/**
 * The service's name as the mesh uses it: `default/web` is `web`.
 * @throws MeshError `identity-invalid` where `text` can't be a name.
 */
export function serviceName(text: string): ServiceName {
  const name = tryServiceName(text);
  if (name !== undefined) return name;
  const message = `expected a service name but got ${JSON.stringify(text)}`;
  throw new MeshError('identity-invalid', message, {
    hint: 'names look like web, or payments/ledger with a namespace, in lower case',
  });
}

export function tryTrustDomain(text: string): Parsed<string> {
  if (isTrustDomain(text)) return parsed(text);
  return expected(
    'a trust domain of at most 255 lower case letters, digits, dots, dashes and underscores',
    isTrustDomain(text.toLowerCase()) ? `write ${text.toLowerCase()}` : undefined,
  );
}

/** A label of RFC 1123; `what` names it in the message. */
export function tryLabel(text: string, what: string): Parsed<string> {
  if (LABEL.test(text)) return parsed(text);
  return expected(`${what} of at most 63 lower case letters, digits and dashes`, LABEL_RULE);
}

/** Names that a service's leaf carries beside its SPIFFE ID (MODEL.md "Identity"). */
export function toDnsNames({ namespace, shortName }: NameParts): string[] {
  const names = [`${shortName}.${namespace}`, `${shortName}.${namespace}.mesh`];
  return namespace === DEFAULT_NAMESPACE ? [...names, shortName] : names;
}
