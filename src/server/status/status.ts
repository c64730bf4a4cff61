// What `status` shows: the shape that CLI.md fixes, and what was added to it since.
import { toRfc3339 } from '../../base/index.js';
import { ORDERS_FOLDER } from '../../data/orders/index.js';
import { type ProblemJson, toProblemJson } from '../../policy/index.js';
import type { CaPhase } from '../ca/index.js';
import type { DrainView, GoneSidecar, KeptOut, MemberView } from '../fleet/index.js';
import type { RefusalView } from '../join/index.js';
import type { MeshState, PendingEdit, Rollout } from '../mesh/index.js';
import type { RevocationState } from '../revocation/index.js';
import { type RevocationStatus, toRevocationStatuses } from '../revocation/index.js';
import { type ServiceAttendance, toAttendance, toUndeclaredTexts } from './attendance.js';
import type { Horizon } from './horizon.js';
import {
  type HorizonStatus,
  toHorizonStatus,
  toWarningStatus,
  type WarningStatus,
} from './horizon-report.js';
import { toKeptOutText } from './kept-out.js';
import { type LoadStatus, type LoadView, toLoadStatus } from './load.js';
import { type ProxyStatus, toProxyStatus } from './proxy-status.js';
import { type RefusalStatus, toRefusalStatus } from './refusal-status.js';
import {
  type HeldStatus,
  type StepStatus,
  type StepsInput,
  toHeldStatus,
  toStepStatus,
} from './step-status.js';
import type { Trouble } from './trouble.js';
import type { UnwellOf } from './unwell.js';

/** A sidecar that was connected and is not. */
export interface GoneStatus {
  readonly node: string;
  readonly service: string;
  readonly address: string;
  /** RFC 3339. */
  readonly since: string;
  /** It went some time before: it has not been back since the server started then. */
  readonly missedAtStart: boolean;
}

/** An instance that is about to be stopped. */
export interface DrainStatus {
  readonly node: string;
  /** RFC 3339. */
  readonly since: string;
  readonly stage: DrainView['stage'];
  readonly waitingFor: readonly string[];
}

type Removal = Rollout['removals'][number];

export interface RemovalStatus {
  readonly service: string;
  /** `leaving`: its callers are told; `draining`: what is open goes on. */
  readonly stage: Removal['stage'];
  /** RFC 3339: when nothing is left of it, at the latest; null: not known yet. */
  readonly endsAt: string | null;
  readonly nodes: readonly string[];
}

function toRemovalStatus({ service, stage, endsAtMs, nodes }: Removal): RemovalStatus {
  return { service, stage, endsAt: endsAtMs === undefined ? null : toRfc3339(endsAtMs), nodes };
}

/** Counts of what is listed below. */
export interface SummaryStatus {
  readonly proxies: number;
  readonly synced: number;
  readonly gone: number;
  /** Services that have sidecars by the mesh, of which none is connected. */
  readonly missing: number;
  /** Connected sidecars of services that the mesh doesn't declare. */
  readonly undeclared: number;
  readonly refused: number;
}

export interface PendingEditStatus {
  /** RFC 3339: since when the files differ from what was taken. */
  readonly since: string;
  /** They are taken once they have not changed for so many milliseconds. */
  readonly stillMs: number;
}

export interface ServerStatus {
  /** By the server's clock, RFC 3339. */
  readonly now: string;
  readonly mesh: {
    readonly version: string;
    readonly loadedAt: string;
    readonly problems: readonly ProblemJson[];
    /** An edit of the mesh file that isn't taken yet, for it may be half written. */
    readonly pendingEdit?: PendingEditStatus;
    /** One that an operator holds back. */
    readonly heldEdit?: NonNullable<Rollout['heldEdit']>;
  };
  /** An operator has paused the rollout: no step is taken but back, and no edit. */
  readonly paused: boolean;
  /** All that runs as one thing. */
  readonly phase: { readonly name: string; readonly waitingFor: readonly string[] } | null;
  /** What changes in steps, thing by thing. */
  readonly steps: readonly StepStatus[];
  /** What went back and stays as it was, though the mesh wants something else. */
  readonly held: readonly HeldStatus[];
  /** A change of root that is under way. */
  readonly rootChange: CaPhase | null;
  readonly summary: SummaryStatus;
  readonly services: readonly ServiceAttendance[];
  readonly proxies: readonly ProxyStatus[];
  /** The one that went last first. */
  readonly gone: readonly GoneStatus[];
  /** What fails first, if the server stopped now. */
  readonly horizon: HorizonStatus | null;
  /**
   * What is wrong with the server's surroundings, ends that are near and should be far, and files
   * that nobody reads.
   */
  readonly warnings: readonly WarningStatus[];
  /** The newest first. */
  readonly refused: readonly RefusalStatus[];
  /** Oldest first. */
  readonly revocations: readonly RevocationStatus[];
  /** Instances that are drained, oldest first. */
  readonly drains: readonly DrainStatus[];
  /** Services that are not declared any more, and whose sidecars are connected still. */
  readonly removed: readonly RemovalStatus[];
  /** What the clients of the xDS port cost, and what they may. */
  readonly load: LoadStatus;
}

export interface StatusInput {
  readonly nowMs: number;
  readonly meshState: MeshState;
  readonly rollout: Rollout;
  readonly steps: StepsInput['steps'];
  readonly members: readonly MemberView[];
  readonly keptOut: readonly KeptOut[];
  readonly unwellOf: UnwellOf;
  /** Services that have as many sidecars as they may have. */
  readonly full: readonly string[];
  /** Those that were connected and are not, the one that went last first. */
  readonly gone: readonly GoneSidecar[];
  readonly horizon: Horizon;
  /** When the tokens of a key are refused, where that is decided. */
  readonly keyEndMs: (keyId: string) => number | undefined;
  /** What is wrong with the server's surroundings. */
  readonly troubles: readonly Trouble[];
  /** By how much the clock is ahead where it is in doubt, ms; negative: behind. */
  readonly clockAheadMs: number;
  /** A change of root that is under way. */
  readonly caPhase?: CaPhase | undefined;
  readonly refusals: RefusalView;
  /** Files among the orders that are none. */
  readonly strayOrders: readonly string[];
  readonly revocations: RevocationState;
  readonly drains: readonly DrainView[];
  /** Sidecars that may come back within their grace. */
  readonly missing: number;
  readonly load: LoadView;
}

function toPhaseStatus(phase: CaPhase | undefined): ServerStatus['phase'] {
  return phase === undefined ? null : { name: phase.name, waitingFor: phase.waitingFor };
}

export function toServerStatus(input: StatusInput): ServerStatus {
  const { meshState, rollout, members, horizon, caPhase, refusals, troubles } = input;
  const { pendingEdit } = meshState;
  const { heldEdit } = rollout;
  const mesh = rollout.inForce.value;
  const attendance = toAttendance({ ...input, mesh, revocations: input.revocations.list });
  const { services, gone, undeclared, missing } = attendance;
  const refused = refusals.list().map(toRefusalStatus);
  const warnings = [...troubles.map(({ text }) => text), ...toUndeclaredTexts(attendance, mesh)];
  return {
    now: toRfc3339(input.nowMs),
    mesh: {
      version: mesh.version,
      loadedAt: toRfc3339(meshState.loadedAtMs),
      problems: meshState.problems.map(toProblemJson),
      ...(pendingEdit === undefined ? {} : { pendingEdit: toPendingEditStatus(pendingEdit) }),
      ...(heldEdit === undefined ? {} : { heldEdit }),
    },
    paused: rollout.isPaused,
    phase: rollout.phase ?? toPhaseStatus(caPhase),
    steps: rollout.steps.map(toStepStatus),
    held: rollout.held.map(toHeldStatus),
    rootChange: caPhase ?? null,
    summary: {
      proxies: members.length,
      synced: members.filter(({ state }) => state === 'synced').length,
      gone: gone.length,
      missing: missing.length,
      undeclared: undeclared.length,
      refused: refused.length,
    },
    services,
    proxies: members
      .map((member) => toProxyStatus(member, { ...input, mesh }))
      .sort((a, b) => (a.node < b.node ? -1 : 1)),
    gone: gone.map(toGoneStatus),
    horizon: toHorizonStatus(horizon.first),
    warnings: [
      ...warnings.map((text) => ({ text })),
      ...input.full.map((service) => ({ text: toFullText(service) })),
      ...input.keptOut.map((one) => ({ text: toKeptOutText(one), node: one.node })),
      ...toWarningStatus(horizon.warnings),
      ...toStrayWarnings(input.strayOrders),
    ],
    refused,
    revocations: toRevocationStatuses(input),
    drains: input.drains.map(toDrainStatus),
    removed: rollout.removals.map(toRemovalStatus),
    load: toLoadStatus(input.load),
  };
}

function toFullText(service: string): string {
  return `service "${service}" has as many sidecars as it may have at once: new ones are refused`;
}

function toDrainStatus({ sinceMs, ...drain }: DrainView): DrainStatus {
  return { ...drain, since: toRfc3339(sinceMs) };
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

function toGoneStatus({
  node,
  service,
  address,
  goneAtMs,
  missedAtStart,
}: GoneSidecar): GoneStatus {
  const since = toRfc3339(goneAtMs);
  return { node, service, address, since, missedAtStart: missedAtStart === true };
}
