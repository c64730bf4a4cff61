// What sidecars report of themselves, as `status` and the metrics show it.
import { toRfc3339 } from '../../base/index.js';
import type { MemberView } from '../fleet/index.js';
import type { StatisticsView } from '../telemetry/index.js';

export interface StatisticsStatus {
  /** It reports. If not, what it acknowledged counts as in force. */
  readonly reports: boolean;
  /** By what it reports: `unknown` where it doesn't, or not since it took its listeners. */
  readonly inForce: StatisticsView['verdict'];
  /** Replaced parts of its listeners that still serve open connections; null: none. */
  readonly draining: {
    readonly chains: number;
    /** Replaced as a whole. */
    readonly listeners: number;
    /** RFC 3339: when the server first heard of it. */
    readonly since: string;
  } | null;
}

export function toStatisticsStatus(view: StatisticsView): StatisticsStatus {
  const { verdict: inForce, reports, draining } = view;
  if (draining === undefined) return { reports, inForce, draining: null };
  const { sinceMs, ...parts } = draining;
  return { reports, inForce, draining: { ...parts, since: toRfc3339(sinceMs) } };
}

/** Numbers of connected sidecars. */
export function toStatisticsGauges(members: readonly Pick<MemberView, 'statistics'>[]) {
  const count = (holds: (view: StatisticsView) => boolean): number =>
    members.filter(({ statistics }) => holds(statistics)).length;
  return [
    {
      name: 'proxies_without_statistics',
      help: 'Connected proxies that report no statistics: what they acknowledge counts.',
      value: count(({ reports }) => !reports),
    },
    {
      name: 'proxies_draining',
      help: 'Connected proxies on which replaced filter chains or listeners still serve.',
      value: count(({ draining }) => draining !== undefined),
    },
  ];
}
