// Why each leaf was issued, for the log: a line each while they come one by one. Thousands may fall
// due together (a new root, a restored folder): what exceeds the rate is counted by its reason, and
// the counts are one line.
import {
  type Cancel,
  type Clock,
  type Logger,
  RateLimit,
  SECOND_MS,
  toRfc3339,
} from '../base/index.js';
import type { Renewal } from './leaf-renewer.js';
import type { RenewalReason } from './renewal.js';

const LINES = { burst: 50, perSecond: 1 } as const;
const SUM_UP_AFTER_MS = 10 * SECOND_MS;

export interface RenewalLog {
  note(renewal: Renewal): void;
  /** Logs what is only counted so far. */
  close(): void;
}

export function createRenewalLog(options: {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info'>;
}): RenewalLog {
  const { clock, logger } = options;
  const limit = new RateLimit({ clock, ...LINES });
  const counts = new Map<RenewalReason, number>();
  let cancel: Cancel | undefined;
  const sumUp = (): void => {
    cancel?.();
    cancel = undefined;
    if (counts.size === 0) return;
    logger.info({ reasons: Object.fromEntries(counts) }, 'more certificates were issued');
    counts.clear();
  };
  return {
    note({ node, reason, leaf }) {
      if (limit.tryTake()) {
        const fields = { node, reason, serial: leaf.serialHex };
        logger.info({ ...fields, notAfter: toRfc3339(leaf.notAfterMs) }, 'certificate issued');
        return;
      }
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
      cancel ??= clock.after(SUM_UP_AFTER_MS, sumUp);
    },
    close: sumUp,
  };
}
