import { randomBytes, randomInt } from 'node:crypto';

/** Randomness, injected. */
export interface Random {
  /** `length` unpredictable bytes. */
  bytes(length: number): Buffer;
  /** A fraction in [0, 1), for jitter. */
  fraction(): number;
}

const FRACTION_STEPS = 2 ** 32;

export const systemRandom: Random = {
  bytes: (length) => randomBytes(length),
  fraction: () => randomInt(FRACTION_STEPS) / FRACTION_STEPS,
};
