// Whether the time of day can be right. A server alone has no better clock to ask, but it can see
// two things: that it ran at a later time already, and that the clock was set since it last looked,
// since the machine's uptime goes on meanwhile. Which of two times is right isn't known: both are
// said. It ends when the clock is as it was, or after a day, when the new time is taken for right.
import { z } from 'zod';
import {
  type Cancel,
  type Clock,
  DAY_MS,
  type Logger,
  MINUTE_MS,
  toRfc3339,
  toSpan,
  type Uptime,
} from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';

export const clockSchema = z.strictObject({
  /** The latest time at which this server ran, ms since the epoch. */
  latestMs: z.number(),
  /** When the machine had started by the clock, while that was not in doubt. */
  boot: z.strictObject({ id: z.string(), startedAtMs: z.number() }).optional(),
});

type Mark = z.infer<typeof clockSchema>;

export interface ClockWatchOptions {
  readonly clock: Clock;
  readonly uptime: Uptime;
  readonly store: JsonStore<Mark>;
  readonly logger: Pick<Logger, 'warn' | 'error' | 'info'>;
}

const LOOK_EVERY_MS = MINUTE_MS;
/** Less than this is a leap second, a slow disk or an adjustment like any other. */
const DOUBT_FROM_MS = MINUTE_MS;
/** So long the machine runs on before a time that was in doubt is taken for right. */
const DOUBT_FOR_MS = DAY_MS;

export class ClockWatch {
  readonly #options: ClockWatchOptions;
  #mark: Mark | undefined;
  #trouble: string | undefined;
  #doubtedAtUptimeMs: number | undefined;
  #cancel: Cancel | undefined;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  /** Takes up what was seen before. @throws MeshError data-damaged, data-unreadable */
  async restore(): Promise<void> {
    this.#mark = await this.#options.store.read();
  }

  /** Why the time of day is in doubt; undefined: it isn't. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Looks now, and every minute until `stop`. */
  start(): void {
    this.#look();
    this.#wait();
  }

  stop(): void {
    this.#cancel?.();
  }

  #wait(): void {
    this.#cancel = this.#options.clock.after(LOOK_EVERY_MS, () => {
      this.#look();
      this.#store();
      this.#wait();
    });
  }

  #look(): void {
    const { uptime, logger } = this.#options;
    const before = this.#trouble;
    let found = this.#findTrouble();
    if (found === undefined) this.#doubtedAtUptimeMs = undefined;
    else {
      this.#doubtedAtUptimeMs ??= uptime.ms();
      if (uptime.ms() - this.#doubtedAtUptimeMs >= DOUBT_FOR_MS) {
        this.#mark = undefined;
        found = undefined;
      }
    }
    this.#trouble = found;
    if (found === undefined && before !== undefined)
      logger.info({}, 'the clock is no longer in doubt');
    if (found !== undefined && before === undefined) {
      logger.error({ reason: found }, 'the clock of this server is in doubt');
    }
    if (found === undefined) this.#mark = this.#toMark();
  }

  #findTrouble(): string | undefined {
    const mark = this.#mark;
    if (mark === undefined) return undefined;
    const nowMs = this.#options.clock.now();
    const now = `the clock of this server says ${toRfc3339(nowMs)}`;
    const setByMs = this.#setByMs(mark);
    if (setByMs !== undefined && Math.abs(setByMs) >= DOUBT_FROM_MS) {
      const how = setByMs > 0 ? 'forward' : 'back';
      const was = `it was set ${how} by ${toSpan(Math.abs(setByMs))} since this server last looked`;
      return `${now}: ${was}, so it is wrong now or was before; ${CONSEQUENCE}`;
    }
    if (nowMs >= mark.latestMs - DOUBT_FROM_MS) return undefined;
    const behind = toSpan(mark.latestMs - nowMs);
    const ran = `this server ran at ${toRfc3339(mark.latestMs)} already`;
    return `${now} but ${ran}: it is ${behind} behind, or was ahead then; ${CONSEQUENCE}`;
  }

  /** By how much it was set since the mark; undefined where the machine was started since. */
  #setByMs({ boot }: Mark): number | undefined {
    const { clock, uptime } = this.#options;
    if (boot === undefined || boot.id !== uptime.bootId) return undefined;
    return clock.now() - uptime.ms() - boot.startedAtMs;
  }

  #toMark(): Mark {
    const { clock, uptime } = this.#options;
    const { bootId: id } = uptime;
    const latestMs = clock.now();
    if (id === undefined) return { latestMs };
    return { latestMs, boot: { id, startedAtMs: latestMs - uptime.ms() } };
  }

  /** What is in doubt is not stored: the next start must see it too. */
  #store(): void {
    const { store, logger } = this.#options;
    if (this.#trouble !== undefined || this.#mark === undefined) return;
    store
      .write(this.#mark)
      .catch((err: unknown) => logger.error({ err }, 'the time of day could not be stored'));
  }
}

const CONSEQUENCE =
  'certificates, tokens and revocation lists are made and judged by it: set it right';
