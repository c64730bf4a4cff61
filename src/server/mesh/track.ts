// The way of one thing from how it stands to how it is wanted (decision 044): a port, and whatever
// else must be changed in steps. Each goes its own way and waits only for the sidecars that it
// concerns. What a track is made of; `tracks.ts` moves them all, `kinds.ts` knows what differs.
import type { Port, Service, ServiceName } from '../../policy/index.js';
import type { IdentityForm, IdentityGoal, IdentityStep } from './identity-change.js';

/** `payments/ledger:8080`, and alike for things of other kinds. */
export type TrackId = string;

/** What a sidecar has of what it is to have. */
export type ProxyState =
  | 'synced'
  | 'pending'
  /** Rejected something, or can't be given it. */
  | 'nacked'
  /** Is not sent the newest mesh, which the first one of its kind rejected. */
  | 'held'
  /**
   * Lacks only listeners whose address it can't bind or hasn't got: that sidecar's own trouble, and
   * nobody else's.
   */
  | 'unbound';

/** A sidecar, as whoever paces a change sees it. */
export interface Sidecar {
  readonly node: string;
  readonly service: ServiceName;
  readonly state: ProxyState;
  /** What it rejects, in Envoy's words; absent: it isn't known. */
  readonly said?: () => string | undefined;
  /** Tells one connection of it from the next, which may be another Envoy's; absent: never. */
  readonly connection?: unknown;
}

/** A part of a track: how the thing stands, and whose sidecars must have that before the next. */
export interface Step<Name extends string, Form> {
  readonly name: Name;
  readonly form: Form;
  readonly awaits: readonly ServiceName[];
}

export type PortStep = Step<'widen' | 'move' | 'narrow', Port>;

/** Why a track goes back. */
export type Reason = { readonly sinceMs: number } & (
  | {
      /** That sidecar serves the thing and didn't take the first step within the deadline. */
      readonly why: 'rejected' | 'mute';
      readonly node: string;
      /** What it rejected, in Envoy's words. */
      readonly said?: string | undefined;
      /** Undefined: not seen since the server started. */
      readonly connection?: unknown;
    }
  /** By an operator. */
  | { readonly why: 'aborted' }
);

/** It went back, or is on its way there. `refused`: what it is not given until that is mended. */
export type Held<Goal> = Reason & { readonly refused: Goal };

/** How far the first of the steps is. None of this outlives the server but when it began. */
export interface Progress {
  readonly sinceMs: number;
  /** Nodes that have the step. Who had it once has it, whatever it rejects since. */
  readonly have: ReadonlySet<string>;
  /** Its deadline has passed. */
  readonly isOverdue: boolean;
  /** Since everybody has it: for what is on its way. */
  readonly linger: 'none' | 'running' | 'over';
}

interface CommonTrack<Goal> extends Progress {
  readonly held?: Held<Goal>;
  /** How often it was tried again for a sidecar that had been mute. */
  readonly retries: number;
}

export interface PortTrack extends CommonTrack<Port> {
  readonly kind: 'port';
  readonly service: ServiceName;
  readonly number: number;
  /** The one in force first; empty: at rest in its base, held. */
  readonly steps: readonly PortStep[];
  /** The form that was wholly in force, to which it goes back. */
  readonly base: Port;
  /** Forms that sidecars of its service may have, the published one last. */
  readonly serving: readonly Port[];
  /** The same of sidecars that call it. */
  readonly calling: readonly Port[];
  /** Services that may call by any of these. */
  readonly callers: readonly ServiceName[];
}

/** A service's names and identities. */
export interface IdentityTrack extends CommonTrack<IdentityGoal> {
  readonly kind: 'identity';
  readonly service: ServiceName;
  readonly goal: IdentityGoal;
  /** The one in force first; empty: at rest as it was, held. */
  readonly steps: readonly IdentityStep[];
  /** All of them, from the first. */
  readonly all: readonly IdentityStep[];
  /** As it was, while its new names and identities are taken too. */
  readonly base: IdentityForm;
}

export type RemovalStep =
  | Step<'leave', 'called'>
  | Step<'drain', 'draining'>
  | Step<'forget', 'gone'>;

/** What is left of a service that is not declared any more, or of an earlier name. */
export interface RemovalTrack extends CommonTrack<never> {
  readonly kind: 'removal';
  readonly service: ServiceName;
  /** As it was last. */
  readonly last: Service;
  readonly steps: readonly RemovalStep[];
}

/** Another kind is added here; what it must say then doesn't compile until it does. */
export type Track = PortTrack | IdentityTrack | RemovalTrack;

export type StepName = Track['steps'][number]['name'];

export const NO_PROGRESS = { have: new Set<string>(), isOverdue: false, linger: 'none' } as const;

/** Whether a sidecar in that state has what was published last. */
export function hasAll(state: ProxyState): boolean {
  return state === 'synced' || state === 'unbound';
}
