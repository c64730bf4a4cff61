import type { Clock } from '../../src/base/index.js';
import { StaticEnvoys } from '../../src/server/fleet/index.js';
import type { StaticEnvoyEntry } from '../../src/server/fleet/static-envoys.js';
import { MemoryStore } from './memory-store.js';

/** Static Envoys of a test whose store never fails. */
export function createStaticEnvoys(
  clock: Clock,
  maxPerService?: number,
  store = new MemoryStore<readonly StaticEnvoyEntry[]>(),
): StaticEnvoys {
  const onStoreError = (error: unknown): never => {
    throw error;
  };
  return new StaticEnvoys({ clock, store, maxPerService, onStoreError });
}
