// Which meshes may be in force at a time, and what is away: what each request is judged by.
import { type Clock, systemClock } from '../../src/base/index.js';
import { serviceName } from '../../src/policy/index.js';
import type { Flow } from './flow.js';
import { judge, type State, type Verdict } from './oracle.js';

/** For so long a connection that an edit ended may go on: `--drain-time-s` of the sidecars. */
export const DRAIN_S = 5;
const DRAIN_MS = DRAIN_S * 1_000;
/** From the end of that time until the last connection is closed. */
const CLOSING_MS = 1_500;

interface Span {
  readonly fromMs: number;
  untilMs: number;
}

interface Held extends Span {
  readonly node: string;
  readonly why: string;
}

export interface Ended {
  readonly flow: Flow;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Who answered; undefined: nobody that serves. */
  readonly app: string | undefined;
}

export type Finding =
  | { readonly kind: 'right' }
  /** It failed while a sidecar on its way was away. */
  | { readonly kind: 'excused'; readonly why: string }
  | { readonly kind: 'failed' | 'served'; readonly verdicts: readonly Verdict[] };

const RIGHT: Finding = { kind: 'right' };

export class Timeline {
  readonly #clock: Clock;
  readonly #states: (State & Span)[] = [];
  readonly #held: Held[] = [];
  readonly #verdicts = new WeakMap<State, Map<Flow, Verdict>>();

  constructor(first: State, clock: Clock = systemClock) {
    this.#clock = clock;
    this.enter(first);
  }

  /** It may be in force from now on, beside those before. */
  enter(state: State): void {
    const fromMs = this.#clock.now();
    this.#states.push({ ...state, fromMs, untilMs: Number.POSITIVE_INFINITY });
  }

  /** The last one is in force, and none before it any more. */
  settle(): void {
    const nowMs = this.#clock.now();
    for (const one of this.#states.slice(0, -1)) one.untilMs = Math.min(one.untilMs, nowMs);
  }

  /** A sidecar is away, or has what was in force before it went, until `release`. */
  hold(node: string, why: string): void {
    this.#held.push({ node, why, fromMs: this.#clock.now(), untilMs: Number.POSITIVE_INFINITY });
  }

  /** @param afterMs What it was in the middle of may end so much later. */
  release(node: string, afterMs: number): void {
    const untilMs = this.#clock.now() + afterMs;
    for (const held of this.#held) {
      if (held.node === node) held.untilMs = Math.min(held.untilMs, untilMs);
    }
  }

  judge({ flow, fromMs, untilMs, app }: Ended): Finding {
    const held = this.#held.filter(
      (one) => flow.through.includes(one.node) && overlap(one, { fromMs, untilMs }),
    );
    // A sidecar that was away has what was in force when it went.
    const sinceMs = Math.min(fromMs, ...held.map((one) => one.fromMs));
    if (app === undefined) {
      const verdicts = this.#verdictsOf(flow, { fromMs: sinceMs, untilMs });
      const isPromised = verdicts.every((one) => typeof one === 'object');
      const [first] = held;
      if (!isPromised) return RIGHT;
      return first === undefined
        ? { kind: 'failed', verdicts }
        : { kind: 'excused', why: first.why };
    }
    const drainedMs = flow.use === 'kept' ? DRAIN_MS + CLOSING_MS : 0;
    const verdicts = this.#verdictsOf(flow, { fromMs: sinceMs - drainedMs, untilMs });
    const mayBe = verdicts.some(
      (one) => one === 'open' || (typeof one === 'object' && one.app === app),
    );
    return mayBe ? RIGHT : { kind: 'served', verdicts };
  }

  /** A connection of that flow may be cut under a request: a port that knows none closes it. */
  mayBeCut({ callee, port }: Flow): boolean {
    const sinceMs = this.#clock.now() - 2 * DRAIN_MS - CLOSING_MS;
    return this.#states.some(({ mesh, untilMs }) => {
      const ports = mesh.services.get(serviceName(callee))?.ports ?? [];
      return (
        untilMs >= sinceMs && ports.some((one) => one.number === port && one.protocol === 'tcp')
      );
    });
  }

  #verdictsOf(flow: Flow, span: Span): readonly Verdict[] {
    const states = this.#states.filter((state) => overlap(state, span));
    return states.map((state) => {
      const known = this.#verdicts.get(state) ?? new Map<Flow, Verdict>();
      this.#verdicts.set(state, known);
      const verdict = known.get(flow) ?? judge(state, flow);
      known.set(flow, verdict);
      return verdict;
    });
  }
}

function overlap(a: Span, b: Span): boolean {
  return a.fromMs <= b.untilMs && b.fromMs <= a.untilMs;
}
