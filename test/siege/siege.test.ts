// A siege: whatever hostile clients do to the xDS port, with a good token or without, no request
// and no stream of a sidecar is lost, and memory stays within what decision 033 says. Here all at
// once and for seconds; `npm run bench -- --only siege` takes each flood alone and for longer.
import { appendFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { describeEnvoy, eventually, useHarness } from '../harness/index.js';
import { PORT, startWorld } from './world.js';

const STRANGERS = [
  ...['rst', 'idle', 'preface', 'rapid-reset', 'continuation'],
  ...['ping', 'settings', 'partial', 'streams'],
];
const INSIDERS = ['names', 'types', 'ids', 'nacks', 'mute', 'tokens'];
/** Each flood alone, for so long; 0: all at once, for seconds. */
const FLOOD_MS = Number(process.env['SIEGE_FLOOD_MS'] ?? 0);
const REPORT = process.env['SIEGE_REPORT'];
const SHORT_MS = 2_500;
/** Each is a handshake, of which a busy machine makes few. */
const IDLE = FLOOD_MS > 0 ? 2_500 : 300;
/** Streams of one good token. */
const MOST = FLOOD_MS > 0 ? 100 : 40;
/** With a heap of 256 MiB: that, and what connections and requests take beside it. */
const MOST_RSS_MIB = 450;
/** All back to what it was. */
const BASE_MS = 120_000;
const BACK_MS = 10_000;
const ATTACKS: readonly (readonly [string, readonly string[], number])[] =
  FLOOD_MS > 0
    ? [...STRANGERS, ...INSIDERS].map((kind) => [kind, [kind], FLOOD_MS] as const)
    : [
        ['all of strangers', STRANGERS, SHORT_MS],
        ['all of one good token', INSIDERS, SHORT_MS],
      ];
const TIMEOUT_MS = FLOOD_MS + SHORT_MS + BASE_MS + 60_000;

/** Every request so far was answered with 200. */
async function expectNoneLost(loads: readonly Load[]): Promise<void> {
  await Promise.all(loads.map((load) => load.more(20)));
  for (const load of loads) {
    const { requests, answers, failures, errors } = load.result();
    const answered = { failures: 0, answers: { 200: requests } };
    expect({ failures, errors, answers }).toMatchObject(answered);
  }
}

/** What the floods cost is over. */
function untilBase(world: World, baseFiles: number): Promise<unknown> {
  const isBase = async (): Promise<boolean> => {
    const { load } = await world.status();
    const isEmpty = load.memory.used < 1_048_576 && load.memory.incoming === 0;
    return isEmpty && load.connections.unproved === 0 && world.files() <= baseFiles + 10;
  };
  return eventually(isBase, { what: 'the server as it was before', timeoutMs: BASE_MS });
}

type World = Awaited<ReturnType<typeof startWorld>>;

await describeEnvoy('under siege', {}, ({ binary }) => {
  const harness = useHarness('siege');
  let world: World;
  let loads: readonly Load[];
  let baseFiles: number;

  beforeAll(async () => {
    world = await startWorld(harness, binary);
    baseFiles = world.files();
    const to = { address: world.address, port: PORT };
    loads = (['keep-alive', 'per-request'] as const).map((use) =>
      harness.load({ shot: httpShot(to, use), pauseMs: 10 }),
    );
  }, 90_000);

  test.each(ATTACKS)(
    '%s: no request and no stream of a sidecar is lost',
    async (name, kinds, forMs) => {
      const before = await world.streams();
      expect(before).toHaveLength(2);
      const seen = await world.flood(kinds, { forMs, idle: IDLE, most: MOST });
      expect(seen.opened).toBeGreaterThan(kinds.length * 3);
      const beganMs = systemClock.now();
      await untilBase(world, baseFiles);
      const baseMs = systemClock.now() - beganMs;
      await expectNoneLost(loads);
      expect(await world.streams()).toEqual(before);
      expect(seen.peakRss).toBeLessThan(MOST_RSS_MIB);
      if (REPORT !== undefined) {
        const row = { name, ...seen, baseMs, afterRss: world.rss() };
        appendFileSync(REPORT, `${JSON.stringify(row)}\n`);
      }
    },
    TIMEOUT_MS,
  );

  test(
    'a server that is killed in a flood, with bad tokens, has its sidecars back within 10 s',
    async () => {
      const forMs = FLOOD_MS || SHORT_MS;
      const flooding = world.flood([...STRANGERS, 'tokens'], {
        forMs,
        idle: IDLE,
        most: MOST,
        isKilled: true,
      });
      await eventually(async () => world.files() > baseFiles + 100, { what: 'floods' });
      const backMs = await world.restart();
      await flooding;
      await expectNoneLost(loads);
      expect(backMs).toBeLessThan(BACK_MS);
      if (REPORT !== undefined) appendFileSync(REPORT, `${JSON.stringify({ backMs })}\n`);
    },
    TIMEOUT_MS,
  );
});
