// The environment of a service's container: of `environment` as a map or a list, of the files that
// `env_file` names, and of the variables in force for what is named without a value.
import { composeInvalid, shownName } from './compose-error.js';
import { readDotenv } from './dotenv.js';
import type { Lookup } from './interpolate.js';
import type { LoadContext } from './load-context.js';
import {
  isMap,
  isTrue,
  listOf,
  newMap,
  textOf,
  textsOf,
  type Value,
  type ValueMap,
} from './values.js';

/** `A=1` items or a map as a map; a value of null is one that is taken from outside. */
export function toPairs(value: Value | undefined): Map<string, string | null> {
  if (isMap(value)) {
    return new Map(Object.entries(value).map(([key, inner]) => [key, textOf(inner) ?? null]));
  }
  return new Map(
    textsOf(value).map((item) => {
      const end = item.indexOf('=');
      return end < 0 ? [item, null] : [item.slice(0, end), item.slice(end + 1)];
    }),
  );
}

/** The same without what has no value. */
export function toTexts(value: Value | undefined): Map<string, string> {
  const pairs = [...toPairs(value)].flatMap(([key, text]) => {
    return text === null ? [] : [[key, text] as const];
  });
  return new Map(pairs);
}

/** Gives each variable without a value the one in force. Changes `project` in place. */
export function resolveInherited(project: ValueMap, lookup: Lookup): void {
  const services = project['services'];
  if (!isMap(services)) return;
  for (const service of Object.values(services)) {
    if (!isMap(service) || service['environment'] === undefined) continue;
    const environment = newMap();
    for (const [name, text] of toPairs(service['environment'])) {
      environment[name] = text ?? lookup(name) ?? null;
    }
    service['environment'] = environment;
  }
}

/** Puts what `env_file` and `label_file` name into `environment` and `labels`, in place. */
export async function readServiceFiles(project: ValueMap, context: LoadContext): Promise<void> {
  const services = project['services'];
  if (!isMap(services)) return;
  for (const [name, service] of Object.entries(services)) {
    if (!isMap(service)) continue;
    const own = toPairs(service['environment']);
    const lookup: Lookup = (key) => context.environment.lookup(key) ?? own.get(key) ?? undefined;
    const into = new Map<string, string>();
    for (const entry of listEntries(service['env_file'])) {
      await readEnvFile(entry, { name, lookup, into, context });
    }
    service['environment'] = toMap([...into, ...own]);
    delete service['env_file'];

    const labels = new Map<string, string>();
    for (const entry of listEntries(service['label_file'])) {
      await readEnvFile(entry, { name, lookup: () => undefined, into: labels, context });
    }
    const said = toPairs(service['labels']);
    service['labels'] = toMap([
      ...labels,
      ...([...said].map(([key, text]) => [key, text ?? '']) as [string, string][]),
    ]);
    delete service['label_file'];
  }
}

function toMap(pairs: Iterable<readonly [string, string | null]>): ValueMap {
  return Object.assign(newMap(), Object.fromEntries(new Map(pairs)));
}

function listEntries(value: Value | undefined): Value[] {
  return isMap(value) ? [value] : listOf(value);
}

interface EnvFileContext {
  readonly name: string;
  readonly lookup: Lookup;
  readonly into: Map<string, string>;
  readonly context: LoadContext;
}

async function readEnvFile(
  entry: Value,
  { name, lookup, into, context }: EnvFileContext,
): Promise<void> {
  const path = isMap(entry) ? textOf(entry['path']) : textOf(entry);
  if (path === undefined) {
    const at = context.notes.placeOf(['services', name, 'env_file']);
    throw composeInvalid(`env_file of service ${shownName(name)} names no file`, { at });
  }
  const isRequired = !isMap(entry) || entry['required'] === undefined || isTrue(entry['required']);
  const file = context.sources.show(path);
  const text = await context.sources.read(path).catch((error: unknown) => {
    if (isRequired) throw error;
    return undefined;
  });
  if (text === undefined) return;
  if (isMap(entry) && entry['format'] === 'raw') readRaw(text, into);
  else readDotenv(text, { file, lookup, into });
}

/** `format: raw`: nothing in a value means anything but itself. */
function readRaw(text: string, into: Map<string, string>): void {
  for (const line of text.split(/\r?\n/)) {
    const end = line.indexOf('=');
    if (end > 0 && !line.startsWith('#')) into.set(line.slice(0, end).trim(), line.slice(end + 1));
  }
}
