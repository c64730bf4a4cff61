// Sidecars that keep the mesh which their kind last took, a line for each sidecar that rejected the
// newest.
import type { ProxyStatus } from '../server/status/index.js';
import { count } from './problems.js';

export function toHeldLines(proxies: readonly Pick<ProxyStatus, 'heldBy'>[]): string[] {
  const counts = new Map<string, number>();
  for (const { heldBy } of proxies) {
    // A server of before the field says nothing.
    if (typeof heldBy === 'string') counts.set(heldBy, (counts.get(heldBy) ?? 0) + 1);
  }
  return [...counts].map(([node, held]) => {
    const who = `${count(held, 'proxy')} of its kind ${held === 1 ? 'keeps' : 'keep'}`;
    const what = `${node} was sent the new configuration first, and rejected it`;
    return `${what}: ${who} the last good one`;
  });
}
