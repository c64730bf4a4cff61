// A server that hands out certificates forgets those that ended a while ago, now and then: a look
// reads every record.
import { type Cancel, type Clock, HOUR_MS, type Logger, timesOf } from '../../base/index.js';
import type { DataDir } from '../../data/index.js';
import { forgetEnded } from '../../leaves/index.js';

const SWEEP_EVERY_MS = HOUR_MS;

export interface SweepOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'error'>;
}

/** Sweeps every hour; the result ends that, and resolves when no sweep is under way. */
export function startSweep({ dataDir, clock, logger }: SweepOptions): () => Promise<void> {
  let cancel: Cancel = () => undefined;
  let running = Promise.resolve();
  const sweep = async (nowMs: number): Promise<void> => {
    const files = await forgetEnded(dataDir, nowMs);
    if (files.length === 0) return;
    logger.error({ files }, 'damaged records: whose certificates they were is not known');
  };
  const wait = (): void => {
    cancel = clock.after(SWEEP_EVERY_MS, () => {
      running = sweep(timesOf(clock).earliestMs).catch((err: unknown) =>
        logger.error({ err }, 'records of ended certificates could not be removed'),
      );
      wait();
    });
  };
  wait();
  return async () => {
    cancel();
    await running;
  };
}
