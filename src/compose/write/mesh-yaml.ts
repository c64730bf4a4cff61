// mesh.yaml, which belongs to the user once it is there: what is missing is added, and nothing that
// stands there is changed or taken out.

import { parse } from 'yaml';
import { MeshError } from '../../base/index.js';
import {
  type MeshEntry,
  newMeshText,
  portLines,
  portValue,
  serviceLines,
  settings,
  toEntries,
} from './mesh-text.js';
import type { Wiring } from './wiring.js';
import { type Addition, trySplice } from './yaml-splice.js';
import { word } from './yaml-words.js';

export interface MeshYaml {
  readonly text: string;
  /** `web`, `web:8080`: what was missing. */
  readonly added: readonly string[];
  /** Services that the file has and the compose file has not. */
  readonly others: readonly string[];
  /** Whole sentences: where the file says something else than the override needs. */
  readonly differences: readonly string[];
}

/**
 * `existing` must be a mesh that is valid.
 * @throws MeshError mesh-invalid: the file is written so that nothing can be added to it
 */
export function toMeshYaml(wiring: Wiring, existing?: string): MeshYaml {
  const entries = toEntries(wiring);
  if (existing === undefined) {
    const added = entries.map(({ name }) => name);
    return { text: newMeshText(wiring, entries), added, others: [], differences: [] };
  }
  const services = readServices(existing);
  const missing = entries.flatMap((entry) => missingOf(entry, services));
  const text = missing.reduce((now, { addition }) => add(now, addition), existing);
  const known = new Set(entries.flatMap(({ name }) => [name, `default/${name}`]));
  return {
    text,
    added: missing.map(({ name }) => name),
    others: [...services.keys()].filter((name) => !known.has(name)),
    differences: entries.flatMap((entry) => differencesOf(entry, services)),
  };
}

type Services = ReadonlyMap<string, ExistingService>;

interface ExistingService {
  /** As it stands there. */
  readonly key: string;
  readonly hasSidecar: boolean;
  readonly hasPorts: boolean;
  /** Its target by port; undefined where none is named. */
  readonly ports: ReadonlyMap<number, string | undefined>;
}

function readServices(text: string): Map<string, ExistingService> {
  const found = (parse(text, { merge: true }) as { services?: unknown } | null)?.services;
  return new Map(entriesOf(found).map(([key, value]) => [key, readService(key, value)]));
}

function readService(key: string, value: unknown): ExistingService {
  const { sidecar, ports } = (value ?? {}) as { sidecar?: unknown; ports?: unknown };
  const targets = entriesOf(ports).map(([port, said]): [number, string | undefined] => {
    const target = (said as { target?: unknown } | null)?.target;
    return [Number(port), typeof target === 'string' ? target : undefined];
  });
  return {
    key,
    hasSidecar: sidecar !== false,
    hasPorts: typeof ports === 'object' && ports !== null,
    ports: new Map(targets),
  };
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function findService({ name }: MeshEntry, services: Services): ExistingService | undefined {
  return services.get(name) ?? services.get(`default/${name}`);
}

interface Missing {
  readonly name: string;
  readonly addition: Addition;
}

function missingOf(entry: MeshEntry, services: Services): Missing[] {
  const { name, ports } = entry;
  const existing = findService(entry, services);
  if (existing === undefined) {
    const flow = `${word(name)}: ${flowValue(entry)}`;
    const lines = ['', ...serviceLines(entry)];
    return [{ name, addition: { path: ['services'], lines, flow } }];
  }
  const missing = ports.filter(({ number }) => !existing.ports.has(number));
  if (missing.length === 0) return [];
  const path = ['services', existing.key];
  if (!existing.hasPorts) {
    const flow = `ports: ${flowPorts(missing)}`;
    const lines = ['ports:', ...missing.flatMap(portLines).map((line) => `  ${line}`)];
    return [{ name: `ports of ${name}`, addition: { path, lines, flow } }];
  }
  return missing.map((port) => ({
    name: `${name}:${port.number}`,
    addition: {
      path: [...path, 'ports'],
      lines: portLines(port),
      flow: `${port.number}: ${portValue(port)}`,
    },
  }));
}

function flowValue(entry: MeshEntry): string {
  const ports = entry.ports.length === 0 ? [] : [`ports: ${flowPorts(entry.ports)}`];
  const all = [...settings(entry), ...ports];
  return all.length === 0 ? '{}' : `{ ${all.join(', ')} }`;
}

function flowPorts(ports: MeshEntry['ports']): string {
  return `{ ${ports.map((port) => `${port.number}: ${portValue(port)}`).join(', ')} }`;
}

function add(text: string, addition: Addition): string {
  const { path, flow } = addition;
  const withServices = hasServices(text) ? text : `${text.replace(/\n*$/, '\n\n')}services:\n`;
  const added = trySplice(withServices, addition);
  if (added !== undefined) return added;
  throw new MeshError('mesh-invalid', `expected a map at ${path.join('.')} that can be added to`, {
    hint: `add to it by hand, and run this again: ${flow}`,
  });
}

function hasServices(text: string): boolean {
  const root = parse(text, { merge: true }) as object | null;
  return root !== null && typeof root === 'object' && 'services' in root;
}

function differencesOf(entry: MeshEntry, services: Services): string[] {
  const { name, isMeshed, ports } = entry;
  const existing = findService(entry, services);
  if (existing === undefined) return [];
  if (existing.hasSidecar !== isMeshed) {
    const says = existing.hasSidecar ? 'has a sidecar' : 'has none (sidecar: false)';
    const here = isMeshed ? 'it gets one' : 'it is left out';
    return [`mesh.yaml says that ${name} ${says}, but here ${here}: change or delete it there`];
  }
  return ports.flatMap(({ number, target }) => {
    if (target === undefined || !existing.ports.has(number)) return [];
    const got = existing.ports.get(number);
    if (got === target) return [];
    const has = got === undefined ? 'no target' : `the target ${got}`;
    const where = `but the application is at ${target}: change it there`;
    return [`mesh.yaml has ${has} for ${name}:${number}, ${where}`];
  });
}
