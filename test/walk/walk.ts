// A walk: moves by seed over real Envoys, with calls all the time. It ends at the first move that
// fails a request which all meshes of its time allow, or serves one that all forbid, or after which
// the mesh isn't in force in time.
import { type Clock, systemClock } from '../../src/base/index.js';
import { delay } from '../../src/demo/wait.js';
import type { Harness } from '../harness/index.js';
import { Calls, type Wrong } from './calls.js';
import type { Features } from './edits.js';
import { type Flow, toFlows } from './flow.js';
import { FIRST_SHAPE, type Move, planMoves, type Shape } from './moves.js';
import { perform, toState } from './perform.js';
import { type Shot, type Target, toShot } from './shots.js';
import { DRAIN_S, Timeline } from './timeline.js';
import { SIDECAR_NAMES, SIDECARS, World } from './world.js';

export interface WalkOptions {
  readonly harness: Harness;
  readonly binary: string;
  readonly bin: string;
  readonly seed: string;
  /** No move begins later. */
  readonly forMs: number;
  /** First and last of them; default: from the first, as many as there is time for. */
  readonly range?: { readonly first: number; readonly last: number };
  readonly onlyEdits?: boolean;
  readonly isOnePhase?: boolean;
  readonly say?: (text: string) => void;
  readonly clock?: Clock;
}

export interface WalkResult {
  readonly moves: readonly Move[];
  readonly wrong: readonly Wrong[];
  /** Why a move could not be made, or its mesh was not in force. */
  readonly stuck: string | undefined;
  readonly totals: Calls['totals'];
  readonly slowestMs: number;
  readonly crashes: readonly string[];
  /** Seed, moves, what was wrong, and how to play the shortest part of it again. */
  readonly report: string;
}

/** Before the first move all ways have been called, and after the last what it changed. */
const BEFORE_MS = 700;
const AFTER_MS = 700;
const SHOWN = 12;
const MESH_PORT = 15_443;

/**
 * What fails requests still, or isn't walked yet: issue 14. A rename that is taken back before it
 * is done leaves no endpoint for a moment.
 */
const NOT_YET = { identities: false, replacements: false, renames: false };

export async function walk(options: WalkOptions): Promise<WalkResult> {
  const { seed, range, onlyEdits = false } = options;
  const features: Features = NOT_YET;
  const plan = planMoves({ seed, features, onlyEdits });
  const first = range?.first ?? 1;
  const skipped: Move[] = [];
  while (skipped.length < first - 1) skipped.push(plan.next().value as Move);
  const shape = skipped.at(-1)?.after ?? FIRST_SHAPE;
  const world = await World.start({ ...options, first: shape.doc });
  return new Walk(options, { world, shape }).run(plan);
}

class Walk {
  readonly #options: WalkOptions;
  readonly #world: World;
  readonly #shape: Shape;
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #made: { readonly move: Move; readonly fromMs: number; readonly isRotating: boolean }[] =
    [];
  #slowestMs = 0;

  constructor(options: WalkOptions, { world, shape }: { world: World; shape: Shape }) {
    this.#options = options;
    this.#world = world;
    this.#shape = shape;
    this.#clock = options.clock ?? systemClock;
    this.#beganMs = this.#clock.now();
  }

  async run(plan: Generator<Move>): Promise<WalkResult> {
    const { world } = this;
    const timeline = new Timeline(toState({ ...this.#shape, revoked: [] }), this.#clock);
    const calls = new Calls({ routes: await this.#routes(timeline), timeline, clock: this.#clock });
    this.#options.harness.defer('calls', () => calls.stop());
    let stuck: string | undefined;
    try {
      await delay(BEFORE_MS, this.#clock);
      await this.#takeUp(timeline);
      await this.#moveOn(plan, { timeline, calls });
    } catch (error) {
      stuck = error instanceof Error ? error.message : String(error);
    }
    await delay(AFTER_MS, this.#clock);
    await calls.stop();
    const { wrong, totals } = calls;
    const { crashes } = world.server;
    const moves = this.#made.map(({ move }) => move);
    const result = { moves, wrong, stuck, totals, crashes, slowestMs: this.#slowestMs };
    return { ...result, report: this.#report(result, calls) };
  }

  get world(): World {
    return this.#world;
  }

  /** What lasted from before the first move of a part. */
  async #takeUp(timeline: Timeline): Promise<void> {
    const { stub, revoked } = this.#shape;
    await this.#world.setStub(stub);
    if (revoked.length === 0) return;
    timeline.enter(toState(this.#shape));
    await this.#world.command('revoke', 'batch');
    await delay(BEFORE_MS, this.#clock);
    timeline.settle();
  }

  async #moveOn(plan: Generator<Move>, on: { timeline: Timeline; calls: Calls }): Promise<void> {
    const { forMs, range, say = () => undefined } = this.#options;
    const last = range?.last ?? Number.POSITIVE_INFINITY;
    const untilMs = this.#clock.now() + forMs;
    for (const move of plan) {
      if (move.number > last || this.#clock.now() > untilMs || on.calls.wrong.length > 0) return;
      await delay(move.calmMs, this.#clock);
      const fromMs = this.#clock.now();
      const isRotating = (await this.#world.status()).rootChange !== null;
      this.#made.push({ move, fromMs, isRotating });
      const tookMs = await perform(move, { ...on, world: this.#world, clock: this.#clock });
      this.#slowestMs = Math.max(this.#slowestMs, tookMs ?? 0);
      const took = tookMs === undefined ? '' : `: ${tookMs} ms`;
      say(`${this.#at(fromMs)} ${move.number} ${move.what}${took}`);
    }
  }

  async #routes(timeline: Timeline): Promise<readonly { flow: Flow; shot: Shot }[]> {
    const services = [...new Set(Object.values(SIDECARS))];
    const serves = Object.fromEntries(
      services.map((service) => [
        service,
        SIDECAR_NAMES.filter((name) => SIDECARS[name] === service),
      ]),
    );
    const flows = toFlows(serves);
    const targets = await Promise.all(flows.map((flow) => this.#toTarget(flow)));
    return flows.flatMap((flow, index) => {
      const target = targets[index];
      return target === undefined
        ? []
        : [{ flow, shot: toShot(flow, target, () => timeline.mayBeCut(flow)) }];
    });
  }

  async #toTarget({ way, caller, callee, port, through, only }: Flow): Promise<Target | undefined> {
    const world = this.#world;
    if (way === 'sidecar') {
      // It may not be declared where a part of a walk begins.
      const address = await world.outbound(caller ?? '', callee).catch(() => undefined);
      return address === undefined ? undefined : { address, port };
    }
    const address = world.places.get(through[0] ?? '')?.address ?? '';
    if (way === 'plain' || caller === undefined) return { address, port };
    const versions = only === undefined ? {} : { minVersion: only, maxVersion: only };
    const name = way === 'tls' ? {} : { servername: `${port}.${callee}.default.mesh` };
    const tls = () => ({ ...world.clients.certificate(caller), ...versions, ...name });
    return { address, port: way === 'tls' ? port : MESH_PORT, tls };
  }

  #report(result: Omit<WalkResult, 'report'>, calls: Calls): string {
    const { seed } = this.#options;
    const { wrong, stuck, totals, crashes, slowestMs } = result;
    const moves = this.#made.map(
      ({ move, fromMs }) => `  ${this.#at(fromMs)} ${move.number} ${move.what}`,
    );
    const told = wrong.slice(0, SHOWN).map(({ flow, fromMs, untilMs, finding, answer }) => {
      const verdicts = finding.verdicts.map((one) => (typeof one === 'object' ? one.app : one));
      const times = `${this.#at(fromMs)} to ${this.#at(untilMs)}`;
      return `  ${times} ${finding.kind}: ${flow.name}: ${answer} (meshes: ${verdicts})`;
    });
    const more = wrong.length > SHOWN ? [`  and ${wrong.length - SHOWN} more`] : [];
    const isGood = wrong.length === 0 && stuck === undefined;
    return [
      `seed ${seed}, ${moves.length} moves: ${JSON.stringify(totals)}`,
      `slowest in force after ${slowestMs} ms`,
      ...(isGood ? [] : ['moves:', ...moves, 'wrong:', ...told, ...more]),
      ...(stuck === undefined ? [] : [`stuck: ${stuck}`]),
      ...crashes,
      ...(isGood ? [] : [`again: ${this.#again(wrong)}`]),
      calls.report(),
    ].join('\n');
  }

  /** From the last move before which nothing was under way that could matter. */
  #again(wrong: readonly Wrong[]): string {
    const last = this.#made.at(-1)?.move.number ?? 1;
    const firstWrongMs = Math.min(...wrong.map(({ fromMs }) => fromMs), this.#clock.now());
    const sinceMs = firstWrongMs - (DRAIN_S + 2) * 1_000;
    const at = this.#made.findLastIndex(
      ({ fromMs, isRotating }) => fromMs <= sinceMs && !isRotating,
    );
    const first = this.#made[Math.max(at, 0)]?.move.number ?? 1;
    return `WALK_SEED=${this.#options.seed} WALK_MOVES=${first}-${last} npx vitest run test/walk`;
  }

  #at(ms: number): string {
    return `${((ms - this.#beganMs) / 1_000).toFixed(3)} s`;
  }
}
