// When an issuing CA, or the xDS port's certificate, is replaced by one that is made now. Pure.
// Half of a life before the end by every time that it may be, so a clock that runs ahead for a
// while replaces nothing; and at once where it doesn't hold at a time that it may be, so that what
// it signs can hold then. One that would be no better is not made.
import { DAY_MS, type Times } from '../../base/index.js';
import { caPeriodWithin, type IssuerPeriod } from './template.js';

export type CaRenewal =
  | 'keep'
  /** There is time: whoever makes it may wait. */
  | 'due'
  /** The present one has not begun, or has ended, at a time that it may be. */
  | 'needed';

/** A new one is worth it where it ends so much later. */
const WORTH_MS = DAY_MS;

export function planCaRenewal(options: {
  readonly present: IssuerPeriod;
  /** Of the CA above it. */
  readonly issuer: IssuerPeriod;
  readonly times: Times;
  readonly lifetimeMs: number;
}): CaRenewal {
  const { present, issuer, times, lifetimeMs } = options;
  const next = caPeriodWithin({ times, lifetimeMs, issuer });
  const hasNotBegun = times.earliestMs < present.notBeforeMs;
  if (hasNotBegun && next.notBeforeMs < present.notBeforeMs) return 'needed';
  const hasEnded = times.latestMs >= present.notAfterMs;
  if (hasEnded && next.notAfterMs > present.notAfterMs) return 'needed';
  const lifeMs = Math.min(lifetimeMs, present.notAfterMs - present.notBeforeMs);
  const isDue = times.earliestMs >= present.notAfterMs - lifeMs / 2;
  return isDue && next.notAfterMs - present.notAfterMs >= WORTH_MS ? 'due' : 'keep';
}
