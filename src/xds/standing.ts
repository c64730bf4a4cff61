// How a client stands with one type: the named states that people and the server's own decisions
// are shown, and how a stream's state is read as one of them.
import type { Rejection, TypeState } from './state.js';

/** The client hasn't asked for the type on this stream. */
export interface Absent {
  readonly state: 'absent';
}

/** Something that the client asked for is on its way to it, or waits for its turn. */
export interface Pending {
  readonly state: 'pending';
  /** Of what the client has meanwhile; undefined where that isn't known. */
  readonly version: string | undefined;
}

/**
 * The client has all that it asked for and that there is: it has said so, by an ACK on this stream
 * or by what it claimed when it came back.
 */
export interface Synced {
  readonly state: 'synced';
  /** Of what the client has. Undefined only where the server never learned it. */
  readonly version: string | undefined;
}

/** The client rejected something that is still in the snapshot. */
export interface Nacked {
  readonly state: 'nacked';
  /** Of the last good content; undefined where the client took none. */
  readonly version: string | undefined;
  readonly rejection: Rejection;
  /**
   * Something newer is on its way: the rejection may be out of date. Not where only what was
   * rejected is tried once more.
   */
  readonly retrying: boolean;
}

export type Standing = Absent | Pending | Synced | Nacked;

/** A type that the client asked for is never absent. */
export function standingOf(type: TypeState): Exclude<Standing, Absent> {
  const { version, rejection } = type;
  const isOpen = type.inFlight !== undefined || type.dirty || type.waiting || type.owed.size > 0;
  if (rejection !== undefined) {
    const retrying = isOpen && !isOnlyRepeated(type);
    return { state: 'nacked', version, rejection, retrying };
  }
  return { state: isOpen ? 'pending' : 'synced', version };
}

/** Whether all that is under way was rejected before, just as it is. */
function isOnlyRepeated({ inFlight, trying, rejection, dirty, waiting }: TypeState): boolean {
  if (inFlight === undefined || dirty || waiting || trying.size === 0) return false;
  if (rejection?.searching === true || inFlight.removed.length > 0) return false;
  return inFlight.changed.every(({ name }) => trying.has(name));
}
