import { type Cancel, type Clock, systemClock } from '../../src/base/index.js';

/** The system's clock, ahead by what the test says; its timers are real. */
export class ShiftedClock implements Clock {
  aheadMs = 0;

  now(): number {
    return systemClock.now() + this.aheadMs;
  }

  after(delayMs: number, callback: () => void): Cancel {
    return systemClock.after(delayMs, callback);
  }
}
