// Paths in a compose file are relative to its folder. They are made absolute before files are
// merged, whose folders may differ.
import { isAbsolute, resolve } from 'node:path';
import { isMap, newMap, textOf, type Value, type ValueMap } from './values.js';
import { isPath } from './volumes.js';

/** A drive, or a named pipe. */
const WINDOWS = /^[a-zA-Z]:[\\/]|^\\\\/;

export interface PathBase {
  readonly folder: string;
  readonly home: string | undefined;
}

/** Changes the services of `project` in place. Absolute paths stay. */
export function resolvePaths(project: ValueMap, base: PathBase): void {
  const services = project['services'];
  if (!isMap(services)) return;
  for (const service of Object.values(services)) {
    if (!isMap(service)) continue;
    change(service, 'env_file', (entry) => resolveFile(entry, base));
    change(service, 'label_file', (entry) => resolveFile(entry, base));
    change(service, 'volumes', (entry) => resolveMount(entry, base));
    const extended = service['extends'];
    if (isMap(extended)) change(extended, 'file', (entry) => resolveFile(entry, base));
  }
}

function change(map: ValueMap, key: string, to: (entry: Value) => Value): void {
  const value = map[key];
  if (value === undefined) return;
  map[key] = Array.isArray(value) ? value.map(to) : to(value);
}

function resolveFile(entry: Value, base: PathBase): Value {
  if (isMap(entry)) {
    const path = textOf(entry['path']);
    return path === undefined
      ? entry
      : Object.assign(newMap(), entry, { path: toPath(path, base) });
  }
  const path = textOf(entry);
  return path === undefined ? entry : toPath(path, base);
}

function resolveMount(entry: Value, base: PathBase): Value {
  if (isMap(entry)) {
    const source = textOf(entry['source']);
    if (entry['type'] !== 'bind' || source === undefined) return entry;
    return Object.assign(newMap(), entry, { source: toPath(source, base) });
  }
  const text = textOf(entry) ?? '';
  const colon = text.indexOf(':');
  const source = text.slice(0, Math.max(0, colon));
  if (!isPath(source) || isAbsolute(source)) return entry;
  return `${toPath(source, base)}${text.slice(colon)}`;
}

/** The absolute path; `~` is the home folder. */
function toPath(path: string, { folder, home }: PathBase): string {
  if (home !== undefined && (path === '~' || path.startsWith('~/'))) {
    return resolve(home, `.${path.slice(1)}`);
  }
  return WINDOWS.test(path) ? path : resolve(folder, path);
}
