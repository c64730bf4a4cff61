// Faults by seed, one after the other and two at once, over real Envoys with the shortest leaves
// and calls all the time: no forbidden call is ever served, no allowed one fails outside of the
// windows that docs/limits.md names, and after each the mesh is well again. `npm run soak`.
import { beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { withDeadline } from '../../src/demo/wait.js';
import { describeEnvoy, useHarness } from '../harness/index.js';
import type { Wrong } from './calls.js';
import type { Fault } from './fault.js';
import { choose, FAULTS } from './faults.js';
import { luckOf } from './luck.js';
import { Windows } from './windows.js';
import { World } from './world.js';

const SEED = process.env['SOAK_SEED'] ?? String(systemClock.now() % 1_000_000);
const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 10);
const FIRST_ROUND = Number(process.env['SOAK_ROUND'] ?? 1);
/** Part of the names of faults; default: all. */
const ONLY = process.env['SOAK_ONLY'] ?? '';
const FAULT_MS = 60_000;
const SERVED_MS = 60_000;
const WELL_MS = 60_000;
/** What was refused a moment before all was served. */
const CLOSING_MS = 2_000;
const MINUTE_MS = 60_000;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** How often allowed calls failed, by the window in which they did. */
class Excused {
  readonly #counts = new Map<string, number>();

  add(why: string): void {
    this.#counts.set(why, (this.#counts.get(why) ?? 0) + 1);
  }

  toString(): string {
    const texts = [...this.#counts].map(([why, count]) => `  ${count} while ${why}`);
    return texts.length === 0 ? '  none' : texts.join('\n');
  }
}

class Soak {
  readonly #world: World;
  readonly #excused = new Excused();
  readonly #beganMs = systemClock.now();
  #rounds = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async run(): Promise<void> {
    const faults = FAULTS.filter(({ name }) => name.includes(ONLY));
    const untilMs = this.#beganMs + MINUTES * MINUTE_MS;
    for (let round = FIRST_ROUND; systemClock.now() < untilMs; round++) {
      const chosen = choose(luckOf(`${SEED}:${round}`), faults);
      say(`${this.#passed()} round ${round}: ${chosen.map(({ name }) => name).join(' + ')}`);
      try {
        await this.#round(round, chosen);
      } catch (error) {
        const only = ONLY === '' ? '' : `SOAK_ONLY='${ONLY}' `;
        const times = `SOAK_ROUND=${round} SOAK_MINUTES=${MINUTES}`;
        const again = `SOAK_SEED=${SEED} ${times} ${only}npm run soak`;
        say(`${this.#passed()} failed; again from here: ${again}`);
        throw error;
      }
      this.#rounds++;
    }
  }

  report(): string {
    const counts = Object.entries(this.#world.calls.counts());
    const lines = counts.map(([name, text]) => `  ${name}: ${text}`);
    const excused = `allowed calls that failed in a window:\n${this.#excused}`;
    return `seed ${SEED}, ${this.#rounds} rounds\n${lines.join('\n')}\n${excused}`;
  }

  async #round(round: number, chosen: readonly Fault[]): Promise<void> {
    const world = this.#world;
    world.windows = new Windows({ isAlone: chosen.length === 1 });
    const names = chosen.map(({ name }) => name).join(' + ');
    // Each is undone before one that failed ends the soak.
    const ends = await Promise.allSettled(
      chosen.map(({ name, run }) =>
        withDeadline({ what: `${name} to be undone`, timeoutMs: FAULT_MS }, () =>
          run(world, luckOf(`${SEED}:${round}:${name}`)),
        ),
      ),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    const undoneMs = systemClock.now();
    await world.untilServed(SERVED_MS);
    world.windows.close(CLOSING_MS);
    await world.untilWell(WELL_MS);
    say(`${this.#passed()}   well ${systemClock.now() - undoneMs} ms after ${names}`);
    this.#judge(world.calls.takeWrong());
    expect(world.server.crashes).toEqual([]);
  }

  #judge(wrong: readonly Wrong[]): void {
    const told: string[] = [];
    for (const one of wrong) {
      const why = one.route.isAllowed ? this.#world.windows.whyOf(one) : undefined;
      if (why !== undefined) this.#excused.add(why);
      else told.push(`${this.#at(one.fromMs)} ${one.route.name}: ${one.answer}`);
    }
    expect(told, 'forbidden calls that were served, allowed ones that failed').toEqual([]);
  }

  #at(ms: number): string {
    return `${((ms - this.#beganMs) / 1_000).toFixed(1)} s`;
  }

  #passed(): string {
    return this.#at(systemClock.now());
  }
}

await describeEnvoy('soak', {}, ({ binary }) => {
  const harness = useHarness('soak');
  let soak: Soak;

  beforeAll(async () => {
    soak = new Soak(await World.start(harness, binary));
  }, 120_000);

  test(
    'faults by seed: nothing forbidden is served, nothing allowed fails outside of its window',
    async () => {
      say(`soak: seed ${SEED}, ${MINUTES} minutes`);
      try {
        await soak.run();
      } finally {
        say(soak.report());
      }
    },
    MINUTES * MINUTE_MS + FAULT_MS + SERVED_MS + 2 * WELL_MS,
  );
});
