// A random walk by seed: no request that all meshes of its time allow fails, none that all forbid
// is served, and each mesh is in force in time on all but the faulty. `npm run soak` walks for
// longer; WALK_SEED and WALK_MOVES play a part of a walk again.
import { expect, test } from 'vitest';
import { describeEnvoy, requirePostgres, useHarness } from '../harness/index.js';
import { walk } from './walk.js';

const SEED = process.env['WALK_SEED'] ?? '37';
const FOR_MS = Number(process.env['WALK_MINUTES'] ?? 0.5) * 60_000;
const [FIRST = '1', LAST = FIRST] = (process.env['WALK_MOVES'] ?? '').split('-');
const RANGE =
  process.env['WALK_MOVES'] === undefined
    ? {}
    : { range: { first: Number(FIRST), last: Number(LAST) } };
const SLACK_MS = 240_000;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

await describeEnvoy('a random walk', {}, ({ binary }) => {
  const harness = useHarness('walk');
  const found = requirePostgres();
  const bin = 'bin' in found ? found.bin : '';

  test.skipIf(bin === '')(
    'fails no request that is allowed, and serves none that is forbidden',
    async () => {
      const result = await walk({ harness, binary, bin, seed: SEED, forMs: FOR_MS, ...RANGE, say });
      say(result.report);
      const wrong = result.wrong.map(({ flow, answer }) => `${flow.name}: ${answer}`);
      expect(wrong.slice(0, 5)).toEqual([]);
      expect(result.stuck).toBeUndefined();
      expect(result.crashes).toEqual([]);
      // A walk that stands still shows nothing.
      if (!('range' in RANGE)) expect(result.moves.length).toBeGreaterThan(4);
      expect(result.totals.served).toBeGreaterThan(300);
    },
    FOR_MS + SLACK_MS,
  );
});
