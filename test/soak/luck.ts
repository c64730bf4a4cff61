import { seededRandom } from '../fakes/seeded-random.js';

/** What a seed decides. */
export interface Luck {
  /** A whole number, both ends among them. */
  between(least: number, most: number): number;
  one<T>(list: readonly T[]): T;
  isLucky(share: number): boolean;
  /** Unlike those before it. */
  id(): string;
}

export function luckOf(seed: string): Luck {
  const random = seededRandom(seed);
  let ids = 0;
  const between = (least: number, most: number): number =>
    least + Math.floor(random.fraction() * (most - least + 1));
  return {
    between,
    one<T>(list: readonly T[]): T {
      const found = list[between(0, list.length - 1)];
      if (found === undefined) throw new Error('expected something to choose from but got none');
      return found;
    },
    isLucky: (share) => random.fraction() < share,
    id: () => `${between(0, 99_999)}-${ids++}`,
  };
}
