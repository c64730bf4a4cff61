import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** How long the machine has run: unlike the time of day nobody sets it. */
export interface Uptime {
  /** Milliseconds since the machine started, its sleep included. */
  ms(): number;
  /** Which start of the machine that was; undefined where that can't be told. */
  readonly bootId: string | undefined;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export const systemUptime: Uptime = {
  ms: () => uptime() * 1_000,
  get bootId() {
    try {
      return readFileSync(BOOT_ID, 'utf8').trim();
    } catch {
      return undefined;
    }
  },
};
