import type { Random } from '../../src/base/index.js';

export function below(random: Random, limit: number): number {
  return Math.floor(random.fraction() * limit);
}

/** Breaks bytes: flipped, cut, doubled, with others in the middle, or others altogether. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  const at = below(random, bytes.length + 1);
  const others = (most: number): Buffer => random.bytes(below(random, most));
  switch (below(random, 5)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      const index = Math.min(at, Math.max(0, bytes.length - 1));
      if (flipped.length > 0) flipped[index] = (flipped[index] ?? 0) ^ (1 << below(random, 8));
      return flipped;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes, bytes]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), others(16), bytes.subarray(at)]);
    default:
      return others(200);
  }
}
