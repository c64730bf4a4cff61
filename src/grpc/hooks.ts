// Several that want to hear of the same streams, such as a cache and the program that logs.
import type { DiscoveryHooks } from './host.js';

/**
 * Hooks that call each of those given, in that order. One that throws keeps none of the others from
 * being called; what failed first is then thrown, or is what the promise is rejected with.
 */
export function mergeHooks<A>(
  ...all: readonly (DiscoveryHooks<NoInfer<A>> | undefined)[]
): DiscoveryHooks<A> {
  const hooks = all.filter((one) => one !== undefined);
  const each = (call: (one: DiscoveryHooks<A>) => unknown): undefined =>
    callEach(hooks, call) as undefined;
  return {
    onConnect: (stream) => each((one) => one.onConnect?.(stream)),
    onRequest: (stream, request) => each((one) => one.onRequest?.(stream, request)),
    onResponse: (stream, response) => each((one) => one.onResponse?.(stream, response)),
    onUpdate: (stream, update) => each((one) => one.onUpdate?.(stream, update)),
    onDisconnect: (stream) => each((one) => one.onDisconnect?.(stream)),
  };
}

/** A promise where one of the results is. */
function callEach<A>(
  hooks: readonly DiscoveryHooks<A>[],
  call: (one: DiscoveryHooks<A>) => unknown,
): Promise<unknown> | undefined {
  const failures: unknown[] = [];
  const promises: Promise<unknown>[] = [];
  for (const one of hooks) {
    try {
      const result = call(one);
      if (result instanceof Promise) promises.push(result);
    } catch (error) {
      failures.push(error);
    }
  }
  if (promises.length > 0) {
    const failed = failures.map((error) => Promise.reject(error));
    return Promise.all([...failed, ...promises]);
  }
  if (failures.length > 0) throw failures[0];
  return undefined;
}
