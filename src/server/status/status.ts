// What `status` shows, in the shape that CLI.md fixes.

import { toRfc3339 } from '../../base/index.js';
import { ORDERS_FOLDER } from '../../data/orders/index.js';
import { type ProblemJson, toProblemJson } from '../../policy/index.js';
import { DISCOVERY_TYPES } from '../../translate/index.js';
import type { Standing } from '../../xds/index.js';
import type { CaPhase } from '../ca/index.js';
import type { MemberView } from '../fleet/index.js';
import type { Refusal, RefusalView } from '../join/index.js';
import type { MeshState, PendingEdit, Rollout } from '../mesh/index.js';
import type { RevocationState } from '../revocation/index.js';
import { type RevocationStatus, toRevocationStatuses } from '../revocation/index.js';
import type { Horizon } from './horizon.js';
import {
  type HorizonStatus,
  toHorizonStatus,
  toProxyHorizon,
  toWarningStatus,
  type WarningStatus,
} from './horizon-report.js';
import { toSources } from './waiting.js';

export interface TypeStatus {
  readonly state: 'synced' | 'pending' | 'nacked';
  /**
   * Of what the proxy has, on this stream or from an earlier one; empty where it hasn't asked for
   * the type, or where what it has isn't known yet.
   */
  readonly version: string;
  /** Envoy's own words, where the newest content was rejected. */
  readonly error?: string;
  /** `file:line:column` of what was rejected. */
  readonly source?: string;
}

export type TypeName = keyof typeof DISCOVERY_TYPES;

export function toTypeName(typeUrl: string): string {
  return Object.entries(DISCOVERY_TYPES).find(([, url]) => url === typeUrl)?.[0] ?? typeUrl;
}

export interface ProxyStatus {
  readonly node: string;
  readonly service: string;
  readonly address: string;
  /** RFC 3339. */
  readonly connectedAt: string;
  readonly types: Readonly<Record<TypeName, TypeStatus>>;
  readonly certificate: {
    readonly serial: string;
    readonly spiffeId: string;
    /** RFC 3339. */
    readonly notAfter: string;
  } | null;
  /** What fails first of it, if the server stopped now. */
  readonly horizon: Pick<HorizonStatus, 'at' | 'what'> | null;
}

/** A caller of the xDS port that was refused. */
export interface RefusalStatus {
  /** IP address. */
  readonly peer: string;
  readonly code: string;
  readonly reason: string;
  readonly hint?: string;
  /** How often, since the server started. */
  readonly count: number;
  /** RFC 3339. */
  readonly lastAt: string;
}

export interface PendingEditStatus {
  /** RFC 3339: since when the files differ from what was taken. */
  readonly since: string;
  /** They are taken once they have not changed for so many milliseconds. */
  readonly stillMs: number;
}

export interface ServerStatus {
  readonly mesh: {
    readonly version: string;
    readonly loadedAt: string;
    readonly problems: readonly ProblemJson[];
    /** An edit of the mesh file that isn't taken yet, for it may be half written. */
    readonly pendingEdit?: PendingEditStatus;
  };
  readonly phase: { readonly name: string; readonly waitingFor: readonly string[] } | null;
  /** A change of root that is under way. */
  readonly rootChange: CaPhase | null;
  readonly proxies: readonly ProxyStatus[];
  /** What fails first, if the server stopped now. */
  readonly horizon: HorizonStatus | null;
  /** Ends that are near and should be far, and files that nobody reads. */
  readonly warnings: readonly WarningStatus[];
  /** The newest first. */
  readonly refused: readonly RefusalStatus[];
  /** Oldest first. */
  readonly revocations: readonly RevocationStatus[];
}

export interface StatusInput {
  readonly meshState: MeshState;
  readonly rollout: Rollout;
  readonly members: readonly MemberView[];
  readonly horizon: Horizon;
  /** A change of root that is under way. */
  readonly caPhase?: CaPhase | undefined;
  readonly refusals: RefusalView;
  /** Files among the orders that are none. */
  readonly strayOrders: readonly string[];
  readonly revocations: RevocationState;
  /** Sidecars that may come back within their grace. */
  readonly missing: number;
}

export function toServerStatus(input: StatusInput): ServerStatus {
  const { meshState, rollout, members, horizon, caPhase, refusals } = input;
  const { pendingEdit } = meshState;
  return {
    mesh: {
      version: rollout.inForce.value.version,
      loadedAt: toRfc3339(meshState.loadedAtMs),
      problems: meshState.problems.map(toProblemJson),
      ...(pendingEdit === undefined ? {} : { pendingEdit: toPendingEditStatus(pendingEdit) }),
    },
    phase: rollout.phase ?? caPhase ?? null,
    rootChange: caPhase ?? null,
    proxies: members
      .map((member) => toProxyStatus(member, horizon))
      .sort((a, b) => (a.node < b.node ? -1 : 1)),
    horizon: toHorizonStatus(horizon.first),
    warnings: [...toWarningStatus(horizon.warnings), ...toStrayWarnings(input.strayOrders)],
    refused: refusals.list().map(toRefusalStatus),
    revocations: toRevocationStatuses(input),
  };
}

/** So many files are named. */
const STRAYS_NAMED = 20;

function toStrayWarnings(files: readonly string[]): readonly WarningStatus[] {
  if (files.length === 0) return [];
  const more = files.length - STRAYS_NAMED;
  const names = files.slice(0, STRAYS_NAMED).map((name) => JSON.stringify(name));
  const which = [...names, ...(more > 0 ? [`${more} more`] : [])].join(', ');
  const text =
    `${ORDERS_FOLDER}/ of the data folder holds files that are not orders, and nothing carries ` +
    `them out: ${which}; remove them, and give the orders again`;
  return [{ text }];
}

export function toPendingEditStatus({ sinceMs, stillMs }: PendingEdit): PendingEditStatus {
  return { since: toRfc3339(sinceMs), stillMs };
}

function toRefusalStatus({ hint, lastAtMs, ...refusal }: Refusal): RefusalStatus {
  const shown = { ...refusal, lastAt: toRfc3339(lastAtMs) };
  return hint === undefined ? shown : { ...shown, hint };
}

function toProxyStatus(member: MemberView, horizon: Horizon): ProxyStatus {
  const { stream, leaf, snapshot, state, troubles } = member;
  const { node, service, address } = stream.auth;
  const standings = new Map(stream.state().map((report) => [report.typeUrl, report.standing]));
  const names = Object.keys(DISCOVERY_TYPES) as TypeName[];
  const types = Object.fromEntries(
    names.map((name) => {
      const typeUrl = DISCOVERY_TYPES[name];
      const hasContent = (snapshot?.get(typeUrl)?.resources.size ?? 0) > 0;
      const lacks = hasContent && state !== 'synced';
      return [name, toTypeStatus(standings.get(typeUrl) ?? { state: 'absent' }, lacks)];
    }),
  ) as Record<TypeName, TypeStatus>;
  if (troubles.length > 0 && types.lds.state !== 'nacked') {
    types.lds = { ...types.lds, state: 'nacked', error: troubles.join('; ') };
  }
  return {
    node,
    service,
    address,
    connectedAt: toRfc3339(stream.connectedAtMs),
    types,
    certificate:
      leaf === undefined
        ? null
        : {
            serial: leaf.serialHex,
            spiffeId: leaf.spiffeId,
            notAfter: toRfc3339(leaf.notAfterMs),
          },
    horizon: toProxyHorizon(horizon, node),
  };
}

/** @param lacks There is something of this type that the sidecar needs and hasn't asked for yet. */
function toTypeStatus(standing: Standing, lacks: boolean): TypeStatus {
  if (standing.state === 'absent') return { state: lacks ? 'pending' : 'synced', version: '' };
  const { state, version = '' } = standing;
  if (state !== 'nacked') return { state, version };
  const { message, resources } = standing.rejection;
  const source = toSources(resources);
  const nacked = { state, version, error: message };
  return source === '' ? nacked : { ...nacked, source };
}
