import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MeshError } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import type { Service, ServiceName } from '../../policy/index.js';

// Each service has an index, and a sidecar listens for it on its outbound prefix + index. The index
// is a hash of the name, so that it is the same on every machine; two names that collide are
// settled once, in name order, and stored: what stands in somebody's /etc/hosts never moves.

/** Indexes of a /24 come first, so that a sidecar that shares a host can have a small prefix. */
const SMALL_BLOCK = 254;

export type IndexTable = Readonly<Record<string, number>>;

export const indexTableSchema = z.record(z.string(), z.int().positive());

type Named = Pick<Service, 'name' | 'formerly'>;

/**
 * `table` with an index for each of `services`; the same object where all have one. The index of a
 * name that the mesh no longer declares is kept for its return, until the small block is full. A
 * service that was renamed has the index of its earlier name: callers' addresses stay.
 */
export function assignIndexes(table: IndexTable, services: Iterable<Named>): IndexTable {
  const all = [...services];
  const declared = new Set<string>(all.map(({ name }) => name));
  const missing = all.filter(({ name }) => !Object.hasOwn(table, name)).sort(byName);
  if (missing.length === 0) return table;
  const assigned = new Map(Object.entries(table));
  for (const service of missing) takeOver(service, assigned, declared);
  for (const { name } of missing) {
    if (assigned.has(name)) continue;
    const index = tryFree(name, new Set(assigned.values()));
    assigned.set(name, index ?? freeUp(name, { assigned, declared }));
  }
  return Object.fromEntries(assigned);
}

function byName(a: Named, b: Named): number {
  return a.name < b.name ? -1 : 1;
}

/** No service is called so. Meshes that may still be in force find the index there. */
const toFormerKey = (name: string): string => `formerly ${name}`;

/** From an earlier name, or back after a renaming was undone. */
function takeOver(
  { name, formerly = [] }: Named,
  assigned: Map<string, number>,
  declared: ReadonlySet<string>,
): void {
  const former = formerly.find((one) => assigned.has(one) && !declared.has(one));
  const old = assigned.get(former ?? toFormerKey(name));
  const holders = [...assigned].filter(([, index]) => index === old).map(([key]) => key);
  if (old === undefined || holders.some((one) => declared.has(one))) return;
  for (const one of holders) {
    assigned.delete(one);
    assigned.set(one.startsWith(toFormerKey('')) ? one : toFormerKey(one), old);
  }
  assigned.set(name, old);
}

/** A free index of the small block, the name's own where it is free. */
function tryFree(name: string, taken: ReadonlySet<number>): number | undefined {
  const start = createHash('sha256').update(name).digest().readUInt32BE(0) % SMALL_BLOCK;
  for (let step = 0; step < SMALL_BLOCK; step++) {
    const index = ((start + step) % SMALL_BLOCK) + 1;
    if (!taken.has(index)) return index;
  }
  return undefined;
}

/** The small block is full: forgets the names that are not declared, then goes beyond it. */
function freeUp(
  name: string,
  { assigned, declared }: { assigned: Map<string, number>; declared: ReadonlySet<string> },
): number {
  for (const old of assigned.keys()) if (!declared.has(old)) assigned.delete(old);
  const taken = new Set(assigned.values());
  const small = tryFree(name, taken);
  if (small !== undefined) return small;
  let index = SMALL_BLOCK + 1;
  while (taken.has(index)) index++;
  return index;
}

export interface OutboundIndexes {
  /** Stores an index for each service before it returns. */
  ensure(services: Iterable<Named>): Promise<void>;
  /** The index; `ensure` must have covered the service. */
  get(service: ServiceName): number;
}

export async function createOutboundIndexes(
  store: JsonStore<IndexTable>,
): Promise<OutboundIndexes> {
  let table = (await store.read()) ?? {};
  return {
    async ensure(services) {
      const next = assignIndexes(table, services);
      if (next === table) return;
      await store.write(next);
      table = next;
    },
    get(service) {
      const index = table[service] ?? table[toFormerKey(service)];
      if (index === undefined) {
        throw new MeshError('service-unknown', `service "${service}" has no outbound index`);
      }
      return index;
    },
  };
}
