// What one change of a linear cache takes, however many resources are in it. No stream is
// connected: what a stream costs is in the other tables.
import { nowMs, percentile } from './measure.mjs';
import { DIST } from './processes.mjs';

const SIZES = { quick: [1_000, 2_000], full: [10_000, 20_000, 100_000] };
const CHANGES = 500;

/** `[{ resources, fillMs, p50Ms, p99Ms, maxMs }]`. */
export async function benchLinearSet({ quick }) {
  const { createLinearCache, createResource, TYPE_URLS } = await import(
    new URL('grpc/library.js', DIST)
  );
  const create = (i, version) => {
    const value = Buffer.alloc(1_024);
    value.writeUInt32BE(version);
    return createResource({ name: `endpoints-${i}`, value });
  };
  return SIZES[quick ? 'quick' : 'full'].map((resources) => {
    const cache = createLinearCache();
    const all = Array.from({ length: resources }, (_, i) => create(i, 1));
    const startMs = nowMs();
    cache.update(TYPE_URLS.endpoint, { set: all });
    const fillMs = nowMs() - startMs;
    const inMs = Array.from({ length: CHANGES }, (_, i) => {
      const changed = create(Math.floor((i * resources) / CHANGES), i + 2);
      const beforeMs = nowMs();
      cache.set(TYPE_URLS.endpoint, changed);
      return nowMs() - beforeMs;
    });
    const [p50Ms, p99Ms] = [percentile(inMs, 0.5), percentile(inMs, 0.99)];
    return { resources, fillMs, p50Ms, p99Ms, maxMs: Math.max(...inMs) };
  });
}
