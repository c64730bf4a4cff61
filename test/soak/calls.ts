// Calls that are made all the time, each as soon as the one before it has ended: those that the
// mesh allows, and those that it forbids.
import { systemClock } from '../../src/base/index.js';
import type { Shot } from '../../src/demo/load.js';
import { delay, eventually } from '../../src/demo/wait.js';

export interface Route {
  readonly name: string;
  readonly isAllowed: boolean;
  /** Sidecars that it goes through. */
  readonly through: readonly string[];
  readonly shot: () => Shot;
}

/** What wasn't as it should be: an allowed call that failed, or a forbidden one that was served. */
export interface Wrong {
  readonly route: Route;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly answer: string;
}

interface Tally {
  calls: number;
  wrong: number;
  /** In a row, until now. */
  good: number;
  readonly answers: Map<string, number>;
}

const PAUSE_MS = { allowed: 30, forbidden: 150 } as const;
const NO_ANSWER = 'no answer';
const SERVED: readonly string[] = ['200', 'echoed'];

export class Calls {
  readonly #routes: readonly Route[];
  readonly #tallies = new Map<Route, Tally>();
  readonly #workers: Promise<void>[];
  #wrong: Wrong[] = [];
  #isOver = false;

  constructor(routes: readonly Route[]) {
    this.#routes = routes;
    this.#workers = routes.map((route) => this.#work(route));
  }

  /** What was wrong since this was asked last. */
  takeWrong(): readonly Wrong[] {
    const wrong = this.#wrong;
    this.#wrong = [];
    return wrong;
  }

  /** Every route has answered rightly so many times in a row, from now on. */
  async untilGood(count: number, timeoutMs: number): Promise<void> {
    const tallies = this.#routes.map((route) => this.#tallyOf(route));
    for (const tally of tallies) tally.good = 0;
    const late = (): string =>
      this.#routes
        .filter((_, index) => (tallies[index]?.good ?? 0) < count)
        .map(toName)
        .join(', ');
    await eventually(
      () => {
        if (late() !== '') throw new Error(`not yet: ${late()}`);
      },
      { what: `${count} right answers of every route`, timeoutMs },
    );
  }

  /** How many calls, how many of them were wrong, and the answers to all, by route. */
  counts(): Readonly<Record<string, string>> {
    const texts = this.#routes.map((route) => {
      const { calls, wrong, answers } = this.#tallyOf(route);
      const counts = [...answers].map(([answer, count]) => `${answer} ${count}`).join(', ');
      const verdict = `${wrong} ${route.isAllowed ? 'failed' : 'served'}`;
      return [route.name, `${calls} calls, ${verdict} (${counts})`];
    });
    return Object.fromEntries(texts);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
  }

  #tallyOf(route: Route): Tally {
    const tally = this.#tallies.get(route) ?? {
      ...{ calls: 0, wrong: 0, good: 0 },
      answers: new Map(),
    };
    this.#tallies.set(route, tally);
    return tally;
  }

  async #work(route: Route): Promise<void> {
    const tally = this.#tallyOf(route);
    const shot = route.shot();
    while (!this.#isOver) {
      const fromMs = systemClock.now();
      const answer = await shot.fire().catch(toText);
      const kind = answer.startsWith(NO_ANSWER) ? NO_ANSWER : answer;
      tally.calls++;
      tally.answers.set(kind, (tally.answers.get(kind) ?? 0) + 1);
      if (SERVED.includes(answer) === route.isAllowed) tally.good++;
      else {
        tally.wrong++;
        tally.good = 0;
        this.#wrong.push({ route, fromMs, untilMs: systemClock.now(), answer });
      }
      await delay(PAUSE_MS[route.isAllowed ? 'allowed' : 'forbidden']);
    }
    shot.close();
  }
}

function toName({ name }: Route): string {
  return name;
}

function toText(error: unknown): string {
  return `${NO_ANSWER}: ${error instanceof Error ? error.message || error.name : String(error)}`;
}
