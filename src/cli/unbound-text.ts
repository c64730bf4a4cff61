// Listeners that a sidecar can't bind, for people: which, who has the address, and what to do.

import { toSpan } from '../base/index.js';
import type { UnboundStatus } from '../server/status/index.js';

/** A line and a hint for each. */
export function toUnboundLines(
  node: string,
  // A server of an earlier version says nothing of them.
  unbound: readonly UnboundStatus[] | undefined,
  nowMs: number,
): string[] {
  return (unbound ?? []).flatMap((one) => {
    const { listener, address, error, holder, source, hint } = one;
    const place = source === null ? '' : `${source} `;
    const what = address === null ? listener : `${address} (${listener})`;
    const who = holder === null ? '' : `, held by ${holder}`;
    const trying = `tried ${times(one.tries)}, ${toNext(one, nowMs)}`;
    return [`${place}${node} cannot bind ${what}: ${error}${who}; ${trying}`, `  hint: ${hint}`];
  });
}

function times(tries: number): string {
  return tries === 1 ? 'once' : `${tries} times`;
}

function toNext({ nextTryAt }: UnboundStatus, nowMs: number): string {
  if (nextTryAt === null) return 'and now again';
  return `next in ${toSpan(Math.max(0, Date.parse(nextTryAt) - nowMs))}`;
}
