// The walk must see what phases are for: where each edit is put in force at once, it fails.
import { expect, test } from 'vitest';
import { describeEnvoy, requirePostgres, useHarness } from '../harness/index.js';
import { walk } from './walk.js';

const SEED = '20261128';
const FOR_MS = 20_000;

await describeEnvoy('a random walk without phases', {}, ({ binary }) => {
  const harness = useHarness('walk-without-phases');
  const found = requirePostgres();
  const bin = 'bin' in found ? found.bin : '';

  test.skipIf(bin === '')(
    'fails requests that both meshes allow, and says how to see it again',
    async () => {
      const alone = { onlyEdits: true, isOnePhase: true };
      const result = await walk({ harness, binary, bin, seed: SEED, forMs: FOR_MS, ...alone });
      expect(result.stuck).toBeUndefined();
      expect(result.wrong.map(({ finding }) => finding.kind)).toContain('failed');
      expect(result.report).toMatch(/^again: WALK_SEED=\d+ WALK_MOVES=\d+-\d+ npx vitest/m);
    },
    180_000,
  );
});
