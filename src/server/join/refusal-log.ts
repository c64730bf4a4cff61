import type { Clock, Logger } from '../../base/index.js';

/** A refused sidecar tries again forever: the same refusal is logged once in this time. */
const QUIET_MS = 600_000;
/** Beyond this many different refusals the oldest is forgotten. */
const MAX_REMEMBERED = 1_000;

/** A logger of refusals that says the same of the same peer only once in ten minutes. */
export function createRefusalLog(logger: Logger, clock: Clock): Pick<Logger, 'warn' | 'error'> {
  const loggedAtMs = new Map<string, number>();
  return {
    warn(fields, message) {
      const { peer, reason } = fields as { peer?: unknown; reason?: unknown };
      const key = JSON.stringify([message, peer, reason]);
      const nowMs = clock.now();
      const last = loggedAtMs.get(key);
      if (last !== undefined && nowMs - last < QUIET_MS) return;
      loggedAtMs.delete(key);
      loggedAtMs.set(key, nowMs);
      const [oldest] = loggedAtMs.keys();
      if (loggedAtMs.size > MAX_REMEMBERED && oldest !== undefined) loggedAtMs.delete(oldest);
      logger.warn(fields, message);
    },
    error: (fields, message) => logger.error(fields, message),
  };
}
