// One compose file over another, by the rules of the Compose specification ("Merge and override"):
// maps are merged, sequences are joined, a few keys are replaced, and some sequences keep one entry
// for each of what they are about (a variable, a container's path, a port).
import { composeInvalid } from './compose-error.js';
import { isMap, newMap, textOf, type Value, type ValueMap } from './values.js';
import { volumeTarget } from './volumes.js';
import type { KeyPath } from './yaml-documents.js';

/** Keys of a service whose later value stands alone. */
const REPLACED = ['command', 'entrypoint'];
/** Keys of a service that may be a map (`A: 1`) or a sequence (`A=1`), and become the latter. */
const SEQUENCES = [
  'annotations',
  'dns',
  'dns_opt',
  'dns_search',
  'env_file',
  'environment',
  'extra_hosts',
  'label_file',
  'labels',
  'sysctls',
  'tmpfs',
];
/** Keys of a service that may be a sequence of names or a map by name. */
const BY_NAME: Readonly<Record<string, () => Value>> = {
  depends_on: () => Object.assign(newMap(), { condition: 'service_started', required: true }),
  networks: () => null,
};

/** `base` with what `over` says; neither is changed. @throws MeshError `compose-invalid` */
export function mergeFiles(base: ValueMap, over: ValueMap): ValueMap {
  return mergeMaps(base, over, []);
}

/** A service with what it says over the one that it extends. */
export function mergeService(base: ValueMap, over: ValueMap): ValueMap {
  return mergeMaps(base, over, ['services', 'x']);
}

function mergeMaps(base: ValueMap, over: ValueMap, path: KeyPath): ValueMap {
  const merged = newMap();
  for (const [key, value] of Object.entries(base)) merged[key] = value;
  for (const [key, value] of Object.entries(over)) {
    const first = base[key];
    merged[key] = first === undefined ? value : mergeValues(first, value, [...path, key]);
  }
  return merged;
}

function mergeValues(base: Value, over: Value, path: KeyPath): Value {
  const key = serviceKey(path);
  if (key !== undefined) {
    const special = mergeServiceKey({ key, base, over, path });
    if (special !== undefined) return special;
  }
  if (over === null) return base;
  if (isMap(base) && isMap(over)) return mergeMaps(base, over, path);
  if (Array.isArray(base) && Array.isArray(over)) return [...base, ...over];
  if (isMap(base) || Array.isArray(base)) {
    const expected = isMap(base) ? 'a map' : 'a list';
    throw composeInvalid(`expected ${expected} at ${path.join('.')}, as in the file before`);
  }
  return over;
}

interface Pair {
  readonly key: string;
  readonly base: Value;
  readonly over: Value;
  readonly path: KeyPath;
}

function mergeServiceKey({ key, base, over, path }: Pair): Value | undefined {
  if (REPLACED.includes(key) || key === 'healthcheck.test') return over;
  if (SEQUENCES.includes(key)) return [...toSequence(base), ...toSequence(over)];
  const initial = BY_NAME[key];
  if (initial !== undefined) {
    return mergeMaps(toNamed(base, initial), toNamed(over, initial), path);
  }
  if (key === 'build') return mergeMaps(toBuild(base), toBuild(over), path);
  return undefined;
}

/** The key of a service that `path` leads to: `ports`, `healthcheck.test`. */
function serviceKey([section, , ...key]: KeyPath): string | undefined {
  return section === 'services' && key.length > 0 ? key.join('.') : undefined;
}

function toSequence(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  if (!isMap(value)) return value === null ? [] : [value];
  return Object.entries(value)
    .flatMap(([key, inner]) => {
      if (inner === null) return [key];
      return (Array.isArray(inner) ? inner : [inner]).map((one) => `${key}=${textOf(one) ?? ''}`);
    })
    .sort();
}

function toNamed(value: Value, initial: () => Value): ValueMap {
  if (isMap(value)) return value;
  const map = newMap();
  for (const name of Array.isArray(value) ? value : []) map[textOf(name) ?? ''] = initial();
  return map;
}

function toBuild(value: Value): ValueMap {
  if (isMap(value)) return value;
  return Object.assign(newMap(), value === null ? {} : { context: value });
}

/** Forgets in `base` what a later file takes back with `!reset`, or replaces with `!override`. */
export function applyResets(base: ValueMap, resets: readonly KeyPath[]): void {
  for (const path of resets) {
    const parent = path.slice(0, -1).reduce<Value | undefined>((value, key) => {
      return isMap(value) ? value[key] : undefined;
    }, base);
    const last = path.at(-1);
    if (isMap(parent) && last !== undefined) delete parent[last];
  }
}

/** Sequences that keep the last entry for each of what they are about, in its first place. */
const UNIQUE: Readonly<Record<string, (entry: Value) => string>> = {
  cap_add: nameOf,
  cap_drop: nameOf,
  configs: (entry) => mountKey(entry, ''),
  dns: nameOf,
  dns_opt: nameOf,
  dns_search: nameOf,
  env_file: (entry) => textOf(isMap(entry) ? entry['path'] : entry) ?? '',
  environment: nameOf,
  expose: (entry) => textOf(entry) ?? '',
  labels: nameOf,
  links: nameOf,
  profiles: nameOf,
  secrets: (entry) => mountKey(entry, '/run/secrets'),
  sysctls: nameOf,
  tmpfs: nameOf,
  volumes: volumeTarget,
};

function nameOf(entry: Value): string {
  return (textOf(entry) ?? JSON.stringify(entry)).split('=', 1)[0] ?? '';
}

function mountKey(entry: Value, folder: string): string {
  if (!isMap(entry)) return `${folder}/${textOf(entry) ?? ''}`;
  return textOf(entry['target']) ?? `${folder}/${textOf(entry['source']) ?? ''}`;
}

/** The project with each service's sequences cleared of what was said again. */
export function withUniqueEntries(project: ValueMap): ValueMap {
  const services = project['services'];
  if (!isMap(services)) return project;
  for (const service of Object.values(services)) {
    if (!isMap(service)) continue;
    for (const [key, keyOf] of Object.entries(UNIQUE)) {
      const entries = service[key];
      if (Array.isArray(entries)) {
        const last = new Map(entries.map((entry) => [keyOf(entry), entry]));
        service[key] = [...last.values()];
      }
    }
  }
  return project;
}
