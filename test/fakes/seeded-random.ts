import { createHash } from 'node:crypto';
import type { Random } from '../../src/base/index.js';

/** Randomness that a seed decides: the same calls give the same values in every run. */
export function seededRandom(seed: string | number): Random {
  let counter = 0;
  const block = (): Buffer => createHash('sha256').update(`${seed}:${counter++}`).digest();
  return {
    bytes(length) {
      const blocks = Array.from({ length: Math.ceil(length / 32) }, block);
      return Buffer.concat(blocks).subarray(0, length);
    },
    fraction: () => block().readUInt32BE(0) / 2 ** 32,
  };
}
