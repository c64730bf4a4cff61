// The walk must see what phases are for: where each edit is put in force at once, it fails.
import { expect, test } from 'vitest';
import { describeEnvoy, requirePostgres, useHarness } from '../harness/index.js';
import { walk } from './walk.js';

/** Few edits are enough, where luck has it: one of these walks fails. */
const SEEDS = ['3', '20261128', '11'];
const FOR_MS = 20_000;

await describeEnvoy('a random walk without phases', {}, ({ binary }) => {
  const harness = useHarness('walk-without-phases');
  const found = requirePostgres();
  const bin = 'bin' in found ? found.bin : '';

  test.skipIf(bin === '')(
    'fails requests that both meshes allow, and says how to see it again',
    async () => {
      const alone = { onlyEdits: true, isOnePhase: true, forMs: FOR_MS };
      const kinds: string[] = [];
      for (const seed of SEEDS) {
        const result = await walk({ harness, binary, bin, seed, ...alone });
        expect(result.stuck).toBeUndefined();
        kinds.push(...result.wrong.map(({ finding }) => finding.kind));
        if (!kinds.includes('failed')) continue;
        expect(result.report).toMatch(/^again: WALK_SEED=\d+ WALK_MOVES=\d+-\d+ npx vitest/m);
        break;
      }
      expect(kinds).toContain('failed');
    },
    300_000,
  );
});
