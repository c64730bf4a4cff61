// The outage horizon as `status` and `/metrics` show it.
import { toRfc3339, toSeconds } from '../../base/index.js';
import {
  HORIZON_KINDS,
  type Horizon,
  type HorizonEnd,
  type HorizonKind,
  type HorizonWarning,
} from './horizon.js';
import type { Family } from './prometheus.js';

export interface HorizonStatus {
  /** RFC 3339. */
  readonly at: string;
  readonly what: HorizonKind;
  /** Whose; null where it is everybody's. */
  readonly node: string | null;
}

export interface WarningStatus {
  readonly text: string;
  readonly node?: string;
}

/** So many of one kind are listed one by one. */
const LISTED = 20;

export function toHorizonStatus(end: HorizonEnd | undefined): HorizonStatus | null {
  if (end === undefined) return null;
  return { at: toRfc3339(end.atMs), what: end.what, node: end.node ?? null };
}

export function toProxyHorizon(
  { byNode }: Horizon,
  node: string,
): Pick<HorizonStatus, 'at' | 'what'> | null {
  const end = byNode.get(node);
  return end === undefined ? null : { at: toRfc3339(end.atMs), what: end.what };
}

/** Of a kind that many sidecars have, the first ones and how many more. */
export function toWarningStatus(warnings: readonly HorizonWarning[]): readonly WarningStatus[] {
  return HORIZON_KINDS.flatMap((what) => {
    const own = warnings.filter((warning) => warning.what === what);
    const listed = own
      .slice(0, LISTED)
      .map(({ text, node }) => (node === undefined ? { text } : { text, node }));
    const more = own.length - listed.length;
    return more === 0 ? listed : [...listed, { text: `${what} of ${more} more proxies, as above` }];
  });
}

/** For Prometheus. A kind that does not occur has no sample, and no samples are no family. */
export function toHorizonFamilies({ first, byKind, warnings }: Horizon): readonly Family[] {
  const ends = HORIZON_KINDS.flatMap((what) => {
    const end = byKind.get(what);
    return end === undefined ? [] : [{ labels: { what }, value: toSeconds(end.atMs) }];
  });
  const near = HORIZON_KINDS.map((what) => ({
    labels: { what },
    value: warnings.filter((warning) => warning.what === what).length,
  }));
  const families: readonly Family[] = [
    {
      name: 'outage_horizon_timestamp_seconds',
      type: 'gauge',
      help: 'When the first of each kind ends, if the server stopped now.',
      samples: ends,
    },
    {
      name: 'outage_horizon_first_timestamp_seconds',
      type: 'gauge',
      help: 'When the first thing fails, if the server stopped now.',
      samples: first === undefined ? [] : [{ value: toSeconds(first.atMs) }],
    },
    {
      name: 'horizon_warnings',
      type: 'gauge',
      help: 'Ends that are near and should be far, by kind.',
      samples: near,
    },
  ];
  return families.filter(({ samples }) => samples.length > 0);
}
