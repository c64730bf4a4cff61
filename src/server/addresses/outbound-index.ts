import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MeshError } from '../../base/index.js';
import type { ServiceName } from '../../policy/index.js';
import type { JsonStore } from '../json-store.js';

// Each service has an index, and a sidecar listens for it on its outbound prefix + index. The index
// is a hash of the name, so that it is the same on every machine; two names that collide are
// settled once, in name order, and stored: what stands in somebody's /etc/hosts never moves.

/** Indexes of a /24 come first, so that a sidecar that shares a host can have a small prefix. */
const SMALL_BLOCK = 254;

export type IndexTable = Readonly<Record<string, number>>;

export const indexTableSchema = z.record(z.string(), z.int().positive());

/** `table` with an index for each of `services`; the same object where all have one. */
export function assignIndexes(table: IndexTable, services: Iterable<ServiceName>): IndexTable {
  const missing = [...services].filter((name) => !Object.hasOwn(table, name)).sort();
  if (missing.length === 0) return table;
  const taken = new Set(Object.values(table));
  const assigned: Record<string, number> = { ...table };
  for (const name of missing) {
    const index = findFree(name, taken);
    taken.add(index);
    assigned[name] = index;
  }
  return assigned;
}

function findFree(name: string, taken: ReadonlySet<number>): number {
  const start = createHash('sha256').update(name).digest().readUInt32BE(0) % SMALL_BLOCK;
  for (let step = 0; step < SMALL_BLOCK; step++) {
    const index = ((start + step) % SMALL_BLOCK) + 1;
    if (!taken.has(index)) return index;
  }
  let index = SMALL_BLOCK + 1;
  while (taken.has(index)) index++;
  return index;
}

export interface OutboundIndexes {
  /** Stores an index for each service before it returns. */
  ensure(services: Iterable<ServiceName>): Promise<void>;
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
      const index = table[service];
      if (index === undefined) {
        throw new MeshError('service-unknown', `service "${service}" has no outbound index`);
      }
      return index;
    },
  };
}
