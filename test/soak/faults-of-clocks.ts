import { delay } from '../../src/demo/wait.js';
import type { ProcessClock } from '../faults/clock-of-processes.js';
import type { Fault } from './fault.js';

const HOUR_S = 3_600;
const JUMPS_S = [1, -1, 24, -24, 190 * 24, -190 * 24].map((hours) => hours * HOUR_S);
/** Until the server has seen that leaves have ended, or not begun, by the clock of all. */
const SEEN_MS = 5_000;

async function jump(clocks: readonly ProcessClock[], aheadS: number, ms: number): Promise<void> {
  for (const clock of clocks) clock.set(aheadS);
  try {
    await delay(ms);
  } finally {
    for (const clock of clocks) clock.set(0);
  }
}

export const CLOCK_FAULTS: readonly Fault[] = [
  {
    name: "the server's clock is wrong",
    of: ['clock'],
    run: ({ clocks }, luck) => jump([clocks.server], luck.one(JUMPS_S), luck.between(200, 15_000)),
  },
  {
    name: 'a clock that server and sidecars share is wrong',
    of: ['clock'],
    async run({ clocks, windows }, luck) {
      windows.open('certificates that have ended by a clock that was set, or not begun', {
        lastsMs: SEEN_MS,
      });
      const all = [clocks.server, clocks.sidecars];
      await jump(all, luck.one(JUMPS_S), luck.between(200, 15_000));
    },
  },
];
