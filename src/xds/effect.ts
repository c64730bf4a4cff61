// What goes into a session and what comes out of it.
import type { MeshError } from '../base/index.js';
import type { Request } from './request.js';
import type { Snapshot } from './resource.js';
import type { Response } from './response.js';
import type { Rejection, Session } from './state.js';

export type SessionEvent =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  /** Changes nothing: whether that snapshot would be `refused`. */
  | { readonly kind: 'check'; readonly snapshot: Snapshot }
  /** The time of an `alarm` effect is over. */
  | { readonly kind: 'alarm'; readonly typeUrl: string; readonly nonce: string }
  /** What is outside the configuration may have changed: rejected content is tried once more. */
  | { readonly kind: 'retry'; readonly typeUrl: string; readonly names: readonly string[] }
  /** Names of which nothing is said while they don't exist, until `answer`. */
  | { readonly kind: 'await'; readonly typeUrl: string; readonly names: readonly string[] }
  | { readonly kind: 'answer'; readonly typeUrl: string; readonly names: readonly string[] }
  /** The transport takes nothing more for now. */
  | { readonly kind: 'pause' }
  /** The transport takes more again. */
  | { readonly kind: 'resume' }
  | { readonly kind: 'end' };

export type Effect =
  | { readonly kind: 'send'; readonly response: Response }
  | {
      readonly kind: 'acked';
      readonly typeUrl: string;
      readonly version: string;
      /** Names of the resources whose content, at this version, is new to the client. */
      readonly taken: readonly string[];
    }
  | { readonly kind: 'nacked'; readonly typeUrl: string; readonly rejection: Rejection }
  /** Step with the `alarm` event after that time. */
  | {
      readonly kind: 'alarm';
      readonly typeUrl: string;
      readonly nonce: string;
      readonly afterMs: number;
    }
  /** The snapshot is not taken: with all of it the client couldn't come back (returnable.ts). */
  | { readonly kind: 'refused'; readonly error: MeshError }
  /** End the stream with this error; nothing follows. */
  | { readonly kind: 'fail'; readonly error: MeshError };

/** Where an event leads: the session from now on, and what to do, in that order. */
export interface Step {
  readonly session: Session;
  readonly effects: readonly Effect[];
}

const NO_EFFECTS: readonly Effect[] = [];

/** A step that asks for nothing to be done. */
export function quietStep(session: Session): Step {
  return { session, effects: NO_EFFECTS };
}
