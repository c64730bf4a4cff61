import { expect } from 'vitest';
import type { Load } from '../../src/demo/load.js';

/** Ends the loads: every call was answered, and by no refusal. @param atLeast Calls of each. */
export async function expectNoneFailed(loads: readonly Load[], atLeast: number): Promise<void> {
  for (const load of loads) {
    await load.more(30);
    const result = await load.stop();
    expect(result.requests).toBeGreaterThan(atLeast);
    expect(result).toMatchObject({ failures: 0, errors: [] });
    expect(Object.keys(result.answers).filter((answer) => /^[45]/.test(answer))).toEqual([]);
  }
}
