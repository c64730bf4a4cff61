// The clock of the server: the system's, with what is known of it (belief.ts). The last time that
// was believed is stored each minute, with the machine's start by it, so that the next start knows
// it too; the operator's word at a start ends every doubt. Whoever issues or forgets something asks
// for all times that it may be; whoever begins something that can't be taken back looks at `hold`.
// Which of two times is right isn't known: both are said.
import { z } from 'zod';
import {
  type Cancel,
  type CheckedClock,
  type Clock,
  Listeners,
  type Logger,
  MINUTE_MS,
  SECOND_MS,
  type Times,
  toRfc3339,
  toSpan,
  type Uptime,
} from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import { COMMANDS } from '../../terminal/index.js';
import {
  type Belief,
  type Doubt,
  firstBelief,
  holdsBack,
  isOdd,
  judge,
  LONGEST_DOUBT_MS,
  type Reading,
  toBelievedTimes,
} from './belief.js';

export const clockSchema = z.strictObject({
  /** The last time that was believed, ms since the epoch. */
  latestMs: z.number(),
  /** When the machine had started by it. */
  boot: z.strictObject({ id: z.string(), startedAtMs: z.number() }).optional(),
});

type Mark = z.infer<typeof clockSchema>;

/** A clock that was set is noticed within this time. */
const LOOK_EVERY_MS = SECOND_MS;
const STORE_EVERY_MS = MINUTE_MS;

export interface ClockWatchOptions {
  readonly clock: Clock;
  readonly uptime: Uptime;
  readonly store: JsonStore<Mark>;
  readonly logger: Pick<Logger, 'info' | 'error'>;
  /** The operator's word that the clock is right. */
  readonly isRight: boolean;
}

export class ClockWatch implements CheckedClock {
  readonly #options: ClockWatchOptions;
  readonly #bootId: string | undefined;
  #belief: Belief;
  /** What was logged, and listeners know of. */
  #announced: Doubt | undefined;
  #storedAtMs = Number.NEGATIVE_INFINITY;
  #lastKnownMs: number | undefined;
  #cancelLook: Cancel | undefined;
  /** It is doubted, is doubted for another reason, or is believed again. */
  readonly changes = new Listeners();

  constructor(options: ClockWatchOptions) {
    this.#options = options;
    this.#bootId = options.uptime.bootId;
    this.#belief = firstBelief(undefined, this.#read());
  }

  /** Takes up what was seen before. @throws MeshError data-damaged, data-unreadable */
  async restore(): Promise<void> {
    const { store, isRight } = this.#options;
    const mark = await store.read();
    this.#lastKnownMs = mark?.latestMs;
    if (mark === undefined || isRight) return;
    const { latestMs, boot } = mark;
    const isSameBoot = boot !== undefined && boot.id === this.#bootId;
    const elapsedMs = isSameBoot ? latestMs - boot.startedAtMs : undefined;
    this.#belief = firstBelief({ nowMs: latestMs, elapsedMs }, this.#read());
    this.#announce();
  }

  /** By what was stored, when a server last ran on the folder. */
  get lastKnownMs(): number | undefined {
    return this.#lastKnownMs;
  }

  now(): number {
    return this.#options.clock.now();
  }

  after(delayMs: number, callback: () => void): Cancel {
    return this.#options.clock.after(delayMs, callback);
  }

  times(): Times {
    const reading = this.#read();
    this.#belief = judge(this.#belief, reading);
    return toBelievedTimes(this.#belief, reading);
  }

  /** Why the time of day is in doubt; undefined: it isn't, or nobody needs to know. */
  get trouble(): string | undefined {
    const { doubt } = this.#belief;
    return doubt === undefined || !isOdd(doubt) ? undefined : this.#toText(doubt);
  }

  /** By how much it is ahead where it is odd, ms; negative: behind. */
  get aheadMs(): number {
    const { doubt } = this.#belief;
    return doubt === undefined || !isOdd(doubt) ? 0 : doubt.aheadMs;
  }

  /** Why what can't be taken back waits; undefined: it doesn't. */
  get hold(): string | undefined {
    const { doubt } = this.#belief;
    return doubt === undefined || !holdsBack(doubt) ? undefined : this.#toText(doubt);
  }

  /** Looks now, and again and again until `stop`. */
  start(): void {
    this.times();
    if (this.#announce()) this.changes.notify();
    this.#storeNowAndThen();
    this.#cancelLook = this.#options.clock.after(LOOK_EVERY_MS, () => this.start());
  }

  stop(): void {
    this.#cancelLook?.();
  }

  #read(): Reading {
    const { clock, uptime } = this.#options;
    return { nowMs: clock.now(), elapsedMs: uptime.ms() };
  }

  /** Whether something has changed. */
  #announce(): boolean {
    const { doubt } = this.#belief;
    const before = this.#announced;
    if (doubt?.sinceElapsedMs === before?.sinceElapsedMs) return false;
    this.#announced = doubt;
    const { logger } = this.#options;
    if (doubt !== undefined && isOdd(doubt)) {
      const reason = this.#toText(doubt);
      logger.error({ aheadMs: doubt.aheadMs, reason }, 'the clock of this server is in doubt');
    } else if (before !== undefined && isOdd(before)) {
      logger.info({}, 'the clock is no longer in doubt');
    }
    return true;
  }

  /** What is in doubt is not stored: the next start must see it too. */
  #storeNowAndThen(): void {
    const { trusted, isStored, doubt } = this.#belief;
    const { elapsedMs, nowMs: latestMs } = trusted;
    const isNew = Math.abs(latestMs - this.#storedAtMs) >= STORE_EVERY_MS;
    if (isStored || doubt !== undefined || !isNew) return;
    this.#storedAtMs = latestMs;
    const id = this.#bootId;
    const boot = id === undefined ? {} : { boot: { id, startedAtMs: latestMs - elapsedMs } };
    const { store, logger } = this.#options;
    store
      .write({ latestMs, ...boot })
      .catch((err: unknown) => logger.error({ err }, 'the time of day could not be stored'));
  }

  #toText(doubt: Doubt): string {
    const waits = holdsBack(doubt) ? '; no new root is taken and no old one let go before' : '';
    return (
      `the clock of this server says ${toRfc3339(doubt.last.nowMs)}` +
      `${toReason(doubt, this.#belief)}; set it right, or say that it is with ` +
      `${COMMANDS.clockOk}: else it is believed after ${toSpan(LONGEST_DOUBT_MS)}${waits}`
    );
  }
}

function toReason({ aheadMs, isFromStart }: Doubt, { trusted }: Belief): string {
  const by = toSpan(Math.abs(aheadMs));
  if (!isFromStart) {
    const how = aheadMs > 0 ? 'forward' : 'back';
    const set = `it was set ${how} by ${by} since this server last looked`;
    return `: ${set}, so it is wrong now or was before`;
  }
  const ran = toRfc3339(trusted.nowMs);
  return aheadMs < 0
    ? ` but this server ran at ${ran} already: it is ${by} behind, or was ahead then`
    : ` but this server ran at ${ran} last: it is ${by} ahead, or the machine was off for so long`;
}
