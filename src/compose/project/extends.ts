// `extends`: a service says only what is different from another one, of its own file or of another.
import { composeInvalid, shownName } from './compose-error.js';
import { applyResets, mergeService } from './merge.js';
import { cloneValue, isMap, newMap, textOf, type Value, type ValueMap } from './values.js';
import type { KeyPath } from './yaml-documents.js';

export interface ExtendedFile {
  readonly file: string;
  readonly services: ValueMap;
  readonly resets: readonly KeyPath[];
}

interface ExtendsOptions {
  /** The file of the services. */
  readonly file: string;
  readonly resets: readonly KeyPath[];
  /** Reads another file, at a path that is relative to the one that names it. */
  readonly read: (path: string, from: string) => Promise<ExtendedFile>;
  readonly show: (path: string) => string;
}

/** Completes the services of `project` in place. @throws MeshError */
export async function applyExtends(project: ValueMap, options: ExtendsOptions): Promise<void> {
  const services = project['services'];
  if (!isMap(services)) return;
  const { file, resets } = options;
  for (const name of Object.keys(services)) {
    const completed = await complete(name, { file, services, resets }, { options, chain: [] });
    services[name] = completed;
  }
}

interface Chain {
  readonly options: ExtendsOptions;
  /** Who extends whom so far, as `service in file`. */
  readonly chain: readonly string[];
}

async function complete(name: string, from: ExtendedFile, chain: Chain): Promise<Value> {
  const service = from.services[name] ?? null;
  if (!isMap(service)) return service;
  const extended = service['extends'];
  if (extended === undefined || extended === null) return service;
  const { options } = chain;
  const at = { file: options.show(from.file) };
  const wanted = isMap(extended) ? textOf(extended['service']) : textOf(extended);
  if (wanted === undefined) {
    throw composeInvalid(`service ${shownName(name)} extends nothing that has a name`, { at });
  }
  const path = isMap(extended) ? textOf(extended['file']) : undefined;
  const source = path === undefined ? from : await options.read(path, from.file);
  if (!(wanted in source.services)) {
    const there = path === undefined ? '' : ` in ${options.show(source.file)}`;
    const missing = `${shownName(wanted)}, which isn't there${there}`;
    throw composeInvalid(`service ${shownName(name)} extends ${missing}`, { at });
  }
  const step = `${name} in ${options.show(source.file)}`;
  if (chain.chain.includes(step)) {
    const circle = [...chain.chain, step].join(', ');
    throw composeInvalid(`expected an end of extends but got a circle: ${circle}`, { at });
  }
  const base = await complete(wanted, source, { options, chain: [...chain.chain, step] });
  const merged = isMap(base) ? over(base, service, { name, resets: from.resets }) : service;
  delete merged['extends'];
  from.services[name] = merged;
  return merged;
}

function over(
  base: ValueMap,
  service: ValueMap,
  { name, resets }: { name: string; resets: readonly KeyPath[] },
): ValueMap {
  const copy = cloneValue(base);
  const whole = Object.assign(newMap(), { services: Object.assign(newMap(), { [name]: copy }) });
  applyResets(whole, resets);
  return isMap(copy) ? mergeService(copy, service) : service;
}
