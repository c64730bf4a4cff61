// What sidecars report of themselves, for people: what isn't in force yet, what drains, and who
// reports nothing.
import { SECOND_MS } from '../base/index.js';
import type { ProxyStatus } from '../server/status/index.js';
import { count } from './problems.js';
import { toAge } from './time-text.js';

/** A server of an earlier version says nothing of them. */
type Proxy = Pick<ProxyStatus, 'node' | 'connectedAt'> & Partial<Pick<ProxyStatus, 'statistics'>>;

/** So many are named. */
const SHOWN = 20;
/** A sidecar reports within two seconds; before this it isn't missed. */
const MISSED_AFTER_MS = 20 * SECOND_MS;

export function toStatisticsLines({ node, statistics }: Proxy, nowMs: number): string[] {
  if (statistics === undefined) return [];
  const { inForce, draining } = statistics;
  const warming = `${node} took its listeners, and they are not in force yet`;
  const lines = inForce === 'warming' ? [warming] : [];
  if (draining === null) return lines;
  const { chains, listeners, since } = draining;
  const parts = [
    ...(chains === 0 ? [] : [count(chains, 'replaced filter chain')]),
    ...(listeners === 0 ? [] : [count(listeners, 'replaced listener')]),
  ];
  return [...lines, `${node} draining ${toAge(since, nowMs)}: ${parts.join(', ')}`];
}

/** Who reports nothing. */
export function toSilentLines(proxies: readonly Proxy[], nowMs: number): string[] {
  const silent = proxies.filter(
    ({ statistics, connectedAt }) =>
      statistics?.reports === false && nowMs - Date.parse(connectedAt) > MISSED_AFTER_MS,
  );
  if (silent.length === 0) return [];
  const more = silent.length - SHOWN;
  const names = silent.slice(0, SHOWN).map(({ node }) => node);
  const rest = more > 0 ? `, and ${more} more: see --json` : '';
  return [`no statistics of ${names.join(', ')}${rest}: in force there by acknowledgement`];
}
