// What an ACK and a NACK do to a type. A NACK is of a whole response; what is at fault in it is
// found from the client's words, or else by trial: its new resources are sent again in halves, each
// ACK frees one, and what is rejected alone is at fault. The rest goes on; what is at fault stays
// parked until it changes. Rule: xDS protocol, "ACK and NACK semantics summary": a rejected update
// leaves the last good one in force.
import { namesAtFault } from './fault.js';
import type { Resource, ResourceSet } from './resource.js';
import {
  changeType,
  forgetUncovered,
  type InFlight,
  NO_NAMES,
  type Parked,
  REMOVED,
  type Rejection,
  type TypeState,
} from './state.js';

/** Rejected trials in a row after which all that is still suspect stays parked. */
const MAX_FAILED_TRIALS = 64;

/** The type once the client took a response; `taken` names what is new to the client in it. */
export function settleAck(
  before: TypeState,
  inFlight: InFlight,
): { readonly type: TypeState; readonly taken: readonly string[] } {
  const taken = inFlight.changed.filter(({ name, version }) => {
    return before.held.get(name)?.version !== version;
  });
  const { version, next: held, changed, removed } = inFlight;
  const parked = withoutNames(withoutNames(before.parked, changed.map(toName)), removed);
  const type = forgetUncovered(settle(before, { version, held, parked }));
  return { type: updateRejection(type), taken: taken.map(toName) };
}

/**
 * The type once the client rejected a response. What the client had taken before at the same
 * version isn't at fault. A removal is only suspect where there is nothing else.
 */
export function settleNack(
  before: TypeState,
  inFlight: InFlight,
  message: string,
): { readonly type: TypeState; readonly rejection: Rejection } {
  const { changed, removed, version } = inFlight;
  const suspects = changed.filter((resource) => {
    return before.held.get(resource.name)?.version !== resource.version;
  });
  const names = new Set(suspects.map(({ name }) => name));
  // What is known of them from now on replaces what was to be tried before.
  const trials = before.trials
    .map((group) => group.filter((name) => !names.has(name)))
    .filter((group) => group.length > 0);
  const found = findFaulty(settle(before, { trials }), suspects, message);
  const parked = new Map<string, Parked>(before.parked);
  for (const resource of found.faulty) {
    parked.set(resource.name, { version: resource.version, resource, message });
  }
  if (suspects.length === 0) {
    for (const name of removed) parked.set(name, { version: REMOVED, message });
  }
  const type = forgetUncovered(changeType(found.type, { parked }));
  const rejection = toRejection(type, { message, version });
  return { type: withRejection(type, rejection), rejection };
}

/** The type without a response under way, and with other changes. */
function settle(type: TypeState, changes: Partial<TypeState>): TypeState {
  return Object.assign(
    changeType(type, { inFlight: undefined, dirty: true, trying: NO_NAMES }),
    changes,
  );
}

function toName({ name }: Resource): string {
  return name;
}

/** What of the suspects is to be held back, and the trials that are to find out where it is. */
function findFaulty(
  type: TypeState,
  suspects: readonly Resource[],
  message: string,
): { readonly type: TypeState; readonly faulty: readonly Resource[] } {
  if (suspects.length <= 1 || type.traits.allOrNone) return { type, faulty: suspects };
  const candidates = suspects.map(({ name }) => name);
  const names = namesAtFault(message, new Set(candidates));
  if (names.size > 0) return { type, faulty: suspects.filter(({ name }) => names.has(name)) };
  const failedTrials = type.failedTrials + 1;
  const trials = failedTrials <= MAX_FAILED_TRIALS ? [...halve(candidates), ...type.trials] : [];
  return { type: changeType(type, { failedTrials, trials }), faulty: suspects };
}

function halve<T>(list: readonly T[]): [readonly T[], readonly T[]] {
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)];
}

/** The type with the next group that is still as it was rejected free to be sent again. */
export function startTrial(type: TypeState, set: ResourceSet | undefined): TypeState {
  if (type.trying.size > 0 || type.trials.length === 0) return type;
  for (const [at, group] of type.trials.entries()) {
    const names = group.filter((name) => {
      const version = type.parked.get(name)?.version;
      return version !== undefined && version === set?.resources.get(name)?.version;
    });
    if (names.length === 0) continue;
    return changeType(type, { trying: new Set(names), trials: type.trials.slice(at + 1) });
  }
  return changeType(type, { trials: [] });
}

/** The type with its rejection as what is parked now has it; without anything parked, with none. */
export function updateRejection(type: TypeState): TypeState {
  const { rejection, parked } = type;
  if (rejection === undefined) return type;
  if (parked.size === 0) return changeType(type, { rejection: undefined });
  return withRejection(type, toRejection(type, rejection));
}

function withRejection(type: TypeState, rejection: Rejection): TypeState {
  const failedTrials = rejection.searching === true ? type.failedTrials : 0;
  return changeType(type, { rejection, failedTrials });
}

function toRejection(
  type: TypeState,
  { message, version }: Pick<Rejection, 'message' | 'version'>,
): Rejection {
  const resources = [...type.parked.values()].flatMap(({ resource }) => resource ?? []);
  const earlier = [...type.parked]
    .filter(([, one]) => one.resource !== undefined && one.message !== message)
    .map(([name, one]) => [name, one.message] as const);
  const known: Rejection = {
    ...{ message, version, resources },
    ...(earlier.length > 0 && { earlier: new Map(earlier) }),
  };
  return type.trials.length > 0 ? { ...known, searching: true } : known;
}

/** The same map where none of the names is in it. */
export function withoutNames<T>(
  map: ReadonlyMap<string, T>,
  names: Iterable<string>,
): ReadonlyMap<string, T> {
  if (map.size === 0) return map;
  const left = new Map(map);
  for (const name of names) left.delete(name);
  return left.size === map.size ? map : left;
}
