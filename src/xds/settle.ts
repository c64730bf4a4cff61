// What an ACK and a NACK do to a type. A NACK is of a whole response; what is at fault in it is
// found from the client's words, or else by trial: its new resources are sent again in halves, each
// ACK frees one, and what is rejected alone is at fault. The rest goes on; what is at fault stays
// parked until it changes. Rule: xDS protocol, "ACK and NACK semantics summary": a rejected update
// leaves the last good one in force.
import { namesAtFault } from './fault.js';
import type { Resource, ResourceSet } from './resource.js';
import {
  forgetUncovered,
  type InFlight,
  NO_NAMES,
  REMOVED,
  type Rejection,
  type TypeState,
} from './type-state.js';

/** Rejected trials in a row after which all that is still suspect stays parked. */
const MAX_FAILED_TRIALS = 64;

/** The client took the response under way; returns the names of what is new to it in that. */
export function settleAck(type: TypeState, inFlight: InFlight): readonly string[] {
  settle(type);
  const taken = inFlight.changed.filter(({ name, version }) => {
    return type.held.get(name)?.version !== version;
  });
  type.ackedVersion = inFlight.version;
  type.held = inFlight.next;
  forgetUncovered(type);
  for (const { name } of inFlight.changed) type.parked.delete(name);
  for (const name of inFlight.removed) type.parked.delete(name);
  updateRejection(type);
  return taken.map(({ name }) => name);
}

/**
 * The client rejected the response under way. What the client had taken before at the same version
 * isn't at fault. A removal is only suspect where there is nothing else.
 */
export function settleNack(type: TypeState, inFlight: InFlight, message: string): Rejection {
  settle(type);
  const { changed, removed, version } = inFlight;
  const suspects = changed.filter((resource) => {
    return type.held.get(resource.name)?.version !== resource.version;
  });
  const names = new Set(suspects.map(({ name }) => name));
  // What is known of them from now on replaces what was to be tried before.
  type.trials = type.trials
    .map((group) => group.filter((name) => !names.has(name)))
    .filter((group) => group.length > 0);
  const faulty = findFaulty(type, suspects, message);
  for (const resource of faulty ?? suspects) {
    type.parked.set(resource.name, { version: resource.version, resource });
  }
  if (faulty === undefined) type.trials.unshift(...halve([...names]));
  if (suspects.length === 0)
    for (const name of removed) type.parked.set(name, { version: REMOVED });
  forgetUncovered(type);
  const rejection = toRejection(type, { message, version });
  type.rejection = rejection;
  return rejection;
}

function settle(type: TypeState): void {
  type.inFlight = undefined;
  type.dirty = true;
  type.trying = NO_NAMES;
}

/** What of the suspects is at fault; undefined where it takes trials to know. */
function findFaulty(
  type: TypeState,
  suspects: readonly Resource[],
  message: string,
): readonly Resource[] | undefined {
  if (suspects.length <= 1 || type.traits.allOrNone) return suspects;
  const names = namesAtFault(message, new Set(suspects.map(({ name }) => name)));
  if (names.size > 0) return suspects.filter(({ name }) => names.has(name));
  type.failedTrials += 1;
  if (type.failedTrials <= MAX_FAILED_TRIALS) return undefined;
  type.trials = [];
  return suspects;
}

function halve<T>(list: readonly T[]): [readonly T[], readonly T[]] {
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)];
}

/** Lets the next group that is still as it was rejected be sent again. */
export function startTrial(type: TypeState, set: ResourceSet | undefined): void {
  if (type.trying.size > 0) return;
  for (let group = type.trials.shift(); group !== undefined; group = type.trials.shift()) {
    const names = group.filter((name) => {
      const version = type.parked.get(name)?.version;
      return version !== undefined && version === set?.resources.get(name)?.version;
    });
    if (names.length === 0) continue;
    type.trying = new Set(names);
    return;
  }
}

/** Says of the rejection what is parked now; without anything parked there is none. */
export function updateRejection(type: TypeState): void {
  const { rejection, parked } = type;
  if (rejection === undefined) return;
  type.rejection = parked.size === 0 ? undefined : toRejection(type, rejection);
}

function toRejection(
  type: TypeState,
  { message, version }: Pick<Rejection, 'message' | 'version'>,
): Rejection {
  const resources = [...type.parked.values()].flatMap(({ resource }) => resource ?? []);
  if (type.trials.length > 0) return { message, version, resources, searching: true };
  type.failedTrials = 0;
  return { message, version, resources };
}
