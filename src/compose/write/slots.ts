// Callees of one caller, sorted so that no two in a slot have a port number in common: in each slot
// the caller's sidecar has an address of its own.

export interface Candidate {
  readonly callee: string;
  readonly ports: readonly number[];
  /** Something in the compose file says that it is called. */
  readonly isKnown: boolean;
}

export interface Slots {
  /** The first is there even where it is empty. */
  readonly slots: readonly (readonly string[])[];
  /** Callees for which there was no room. */
  readonly unplaced: readonly Candidate[];
}

/** Each is one more network. */
const MOST = 8;
/** Those that are called perhaps are worth fewer, beyond what the others need. */
const MOST_UNKNOWN = 4;

interface Slot {
  readonly callees: string[];
  readonly ports: Set<number>;
}

/** In their order, those that are known to be called first. */
export function toSlots(candidates: readonly Candidate[]): Slots {
  const slots: Slot[] = [{ callees: [], ports: new Set() }];
  const known = candidates.filter(({ isKnown }) => isKnown);
  const unknown = candidates.filter(({ isKnown }) => !isKnown);
  const unplaced = place(known, slots, MOST);
  const own = known.length === 0 ? 0 : slots.length;
  unplaced.push(...place(unknown, slots, Math.min(MOST, own + MOST_UNKNOWN)));
  return { slots: slots.map(({ callees }) => callees), unplaced };
}

/** Adds slots up to `most`, and returns those for whom that isn't enough. */
function place(candidates: readonly Candidate[], slots: Slot[], most: number): Candidate[] {
  return candidates.filter(({ callee, ports }) => {
    let slot = slots.find((one) => !ports.some((port) => one.ports.has(port)));
    if (slot === undefined && slots.length < most) {
      slot = { callees: [], ports: new Set() };
      slots.push(slot);
    }
    slot?.callees.push(callee);
    for (const port of ports) slot?.ports.add(port);
    return slot === undefined;
  });
}
