// Calls that are made all the time, each judged when it has ended.
import { type Clock, systemClock } from '../../src/base/index.js';
import { delay } from '../../src/demo/wait.js';
import type { Flow } from './flow.js';
import type { Shot } from './shots.js';
import type { Finding, Timeline } from './timeline.js';

/** What should not have been. */
export interface Wrong {
  readonly flow: Flow;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly finding: Finding & { readonly kind: 'failed' | 'served' };
  readonly answer: string;
}

interface Tally {
  served: number;
  refused: number;
  excused: number;
  wrong: number;
  last: string;
}

export interface CallsOptions {
  readonly routes: readonly { readonly flow: Flow; readonly shot: Shot }[];
  readonly timeline: Timeline;
  readonly clock?: Clock;
}

const PAUSE_MS = { served: 8, refused: 60 } as const;
const MOST_WRONG = 400;

export class Calls {
  readonly #options: CallsOptions;
  readonly #clock: Clock;
  readonly #tallies = new Map<Flow, Tally>();
  readonly #excuses = new Map<string, number>();
  readonly #workers: readonly Promise<void>[];
  readonly wrong: Wrong[] = [];
  #isOver = false;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#workers = options.routes.map(({ flow, shot }) => this.#work(flow, shot));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
  }

  /** Of all flows together. */
  get totals(): Readonly<Record<'calls' | 'served' | 'refused' | 'excused' | 'wrong', number>> {
    const sum = { calls: 0, served: 0, refused: 0, excused: 0, wrong: 0 };
    for (const { served, refused, excused, wrong } of this.#tallies.values()) {
      sum.calls += served + refused + excused;
      sum.served += served;
      sum.refused += refused;
      sum.excused += excused;
      sum.wrong += wrong;
    }
    return sum;
  }

  /** Flows that were never served, or never refused. */
  neverSeen(kind: 'served' | 'refused'): readonly string[] {
    const all = [...this.#tallies].filter(([, tally]) => tally[kind] === 0);
    return all.map(([{ name }]) => name);
  }

  report(): string {
    const lines = [...this.#tallies].map(([{ name }, tally]) => {
      const { served, refused, excused, wrong, last } = tally;
      const counts = `${served} served, ${refused} refused, ${excused} excused, ${wrong} wrong`;
      return `  ${name}: ${counts}${last}`;
    });
    const excuses = [...this.#excuses].map(([why, count]) => `  ${count} excused by ${why}`);
    return [...lines, ...excuses].join('\n');
  }

  async #work(flow: Flow, shot: Shot): Promise<void> {
    const tally: Tally = { served: 0, refused: 0, excused: 0, wrong: 0, last: '' };
    this.#tallies.set(flow, tally);
    while (!this.#isOver) {
      const fromMs = this.#clock.now();
      let app: string | undefined;
      let answer = '';
      try {
        app = await shot.fire();
        answer = `served by ${app}`;
      } catch (error) {
        answer = error instanceof Error ? error.message || error.name : String(error);
        tally.last = `, last "${answer.slice(0, 70)}"`;
      }
      this.#judge({ flow, fromMs, untilMs: this.#clock.now(), app }, answer);
      await delay(PAUSE_MS[app === undefined ? 'refused' : 'served'], this.#clock);
    }
    shot.close();
  }

  #judge(ended: Parameters<Timeline['judge']>[0], answer: string): void {
    const { flow, fromMs, untilMs, app } = ended;
    const tally = this.#tallies.get(flow);
    if (tally === undefined) return;
    const finding = this.#options.timeline.judge(ended);
    if (finding.kind === 'excused') {
      tally.excused++;
      this.#excuses.set(finding.why, (this.#excuses.get(finding.why) ?? 0) + 1);
      return;
    }
    tally[app === undefined ? 'refused' : 'served']++;
    if (finding.kind === 'right') return;
    tally.wrong++;
    if (this.wrong.length < MOST_WRONG) this.wrong.push({ flow, fromMs, untilMs, finding, answer });
  }
}
