// Applications that their own sidecars find unwell, for people.
import type { UnwellStatus } from '../server/status/index.js';
import { toAge } from './time-text.js';

/** A line for each. */
export function toUnwellLines(
  node: string,
  // A server of an earlier version says nothing of them.
  unwell: readonly UnwellStatus[] | undefined,
  nowMs: number,
): string[] {
  return (unwell ?? []).map(
    ({ port, since }) =>
      `the application of ${node} at port ${port} is unwell since ${toAge(since, nowMs)}`,
  );
}
