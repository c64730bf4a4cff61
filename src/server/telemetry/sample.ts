// The newest statistics of a sidecar, as the server reads them.
import type { StatisticsReport } from '../../grpc/statistics/index.js';
import type { StatisticName } from '../../translate/statistics/index.js';
import { xxHash64 } from './xx-hash.js';

export interface Sample {
  /** Which listeners it accepted last, as `toVersionHash` has it; undefined: none yet. */
  readonly listeners: number | undefined;
  /** Listeners that were accepted and aren't in force. */
  readonly warming: number;
  /** Before it has served for the first time. */
  readonly isStarting: boolean;
  readonly draining: Draining;
}

/** What was replaced and still serves its open connections. */
export interface Draining {
  readonly chains: number;
  /** Of which all chains were replaced. */
  readonly listeners: number;
}

/** envoy.admin.v3.ServerInfo.State: PRE_INITIALIZING and INITIALIZING. */
const STARTING: ReadonlySet<number> = new Set([2, 3]);

/** Envoy leaves out a gauge that was never set. */
export function toSample({ gauges }: Pick<StatisticsReport, 'gauges'>): Sample {
  const find = (name: StatisticName): number | undefined => gauges.get(name);
  return {
    listeners: find('lds'),
    warming: find('warming') ?? 0,
    isStarting: STARTING.has(find('state') ?? 0),
    draining: {
      chains: find('draining-chains') ?? 0,
      listeners: find('draining-listeners') ?? 0,
    },
  };
}

/** What Envoy's gauge shows of a version, as near as a number comes to its 64 bits. */
export function toVersionHash(version: string): number {
  return Number(xxHash64(Buffer.from(version)));
}
