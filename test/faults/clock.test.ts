// The clock matrix for real: the built server and stock Envoys, all by one clock that is set under
// them (set-clock.c, built with the machine's own compiler). Each call is a handshake of its own.
// `npm run soak` runs it: a jump lasts for 35 s.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import type { Child } from '../../src/demo/child.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import {
  describeEnvoy,
  eventually,
  type Harness,
  tcpExchange,
  useHarness,
} from '../harness/index.js';
import { buildClocks } from './clock-of-processes.js';

const isAsked = process.env['CLOCK_MATRIX'] === '1';
const JUMP_MS = Number(process.env['CLOCK_JUMP_MS'] ?? 35_000);
const SETTLE_MS = 4_000;
const CALL_EVERY_MS = 100;
const PORT = 6000;
const DAY_S = 86_400;
const JUMPS_S: readonly (readonly [string, number])[] = [
  ['1 h ahead', DAY_S / 24],
  ['1 h back', -DAY_S / 24],
  ['1 day ahead', DAY_S],
  ['1 day back', -DAY_S],
  ['190 days ahead', 190 * DAY_S],
  ['190 days back', -190 * DAY_S],
  ['2 years ahead', 730 * DAY_S],
];

interface Tally {
  calls: number;
  failed: number;
  /** After the beginning of the stage. */
  lastFailedMs: number;
}

/** A mesh whose server and sidecars have one clock. */
async function startAll(harness: Harness, binary: string) {
  const dir = await harness.tempDir();
  const clock = buildClocks(dir)('all');
  const wrapper = clock.wrap(binary);
  const pool = await harness.addresses();
  const host = pool.address();
  const [xds, admin] = [`${host}:${await pool.port(host)}`, `${host}:${await pool.port(host)}`];
  const appAddress = pool.address();
  const app = { name: 'store', address: appAddress, port: await pool.port(appAddress) };
  await harness.echoTcp(app);
  const target = `"${app.address}:${app.port}"`;
  const mesh = `trustDomain: clock.example
services:
  web: {}
  store: { ports: { ${PORT}: { protocol: tcp, mtls: strict, target: ${target} } } }
`;
  writeFileSync(join(dir, 'mesh.yaml'), mesh);
  const world: { server?: Child } = {};
  const serve = async (): Promise<void> => {
    const places = ['--mesh', 'mesh.yaml', '--data', 'data', '--xds', xds, '--admin', admin];
    const env = { ...process.env, ...clock.env };
    world.server = await harness.program(['serve', ...places], { cwd: dir, env });
    await world.server.waitForLog(/^ready: /, 20_000);
  };
  const get = async (path: string): Promise<unknown> =>
    (await fetch(`http://${admin}${path}`)).json();
  const places = new Map<string, readonly [string, string]>();
  for (const name of ['web', 'store']) places.set(name, [pool.address(), pool.block()]);
  const sidecar = async (name: string): Promise<EnvoyProcess> => {
    const [address = '', outbound = ''] = places.get(name) ?? [];
    const token = ['--token-file', join(dir, `${name}.token`), '--data', 'data'];
    const where = ['--address', address, '--outbound', outbound, '--xds', xds];
    const printed = await harness.command(['bootstrap', name, ...where, ...token], { cwd: dir });
    const port = await pool.port(address);
    const own = { admin: { address: { socket_address: { address, port_value: port } } } };
    const bootstrap = { ...(JSON.parse(printed) as object), ...own };
    const envoy = await harness.envoy({ binary: wrapper, name: `${name}-${port}`, bootstrap });
    await envoy.waitReady();
    return envoy;
  };
  const outboundAddress = async (): Promise<string> => {
    const query = new URLSearchParams({ service: 'store', outbound: places.get('web')?.[1] ?? '' });
    const { entries } = (await get(`/v1/hosts?${query}`)) as { entries: { address: string }[] };
    return entries[0]?.address ?? '';
  };
  return { dir, setClock: clock.set, serve, sidecar, get, world, outboundAddress };
}

/** Calls for a while, each by a connection of its own. */
async function callFor(ms: number, address: string): Promise<Tally> {
  const tally = { calls: 0, failed: 0, lastFailedMs: 0 };
  const beganMs = systemClock.now();
  for (let passedMs = 0; passedMs < ms; passedMs = systemClock.now() - beganMs) {
    tally.calls++;
    const until = (text: string): boolean => text.includes('ping');
    await tcpExchange({ address, port: PORT, send: 'ping', until, timeoutMs: 2_000 }).catch(() => {
      tally.failed++;
      tally.lastFailedMs = systemClock.now() - beganMs;
    });
    await sleep(CALL_EVERY_MS);
  }
  return tally;
}

/** Seconds of CPU that a process has used. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

type World = Awaited<ReturnType<typeof startAll>>;

async function look({ dir, get, world }: World) {
  const status = (await get('/v1/status')) as ServerStatus;
  const leaves = join(dir, 'data', 'leaves');
  const size = readdirSync(leaves).reduce((sum, name) => {
    return sum + statSync(join(leaves, name)).size;
  }, 0);
  const issued = world.server?.log().filter((line) => line.includes('certificate issued'));
  return { status, size, cpu: cpuOf(world.server?.pid ?? 0), issued: issued?.length ?? 0 };
}

/** What came of a clock that was wrong for `JUMP_MS`; it is printed too. */
async function setForAWhile(all: World, by: string, aheadS: number) {
  const address = await all.outboundAddress();
  await callFor(1_000, address);
  const before = await look(all);
  all.setClock(aheadS);
  const wrong = await callFor(JUMP_MS, address);
  const meanwhile = await look(all);
  all.setClock(0);
  const back = await callFor(SETTLE_MS, address);
  const after = await look(all);
  const issued = after.issued - before.issued;
  const cpuS = Math.round((after.cpu - before.cpu) * 10) / 10;
  const said = meanwhile.status.warnings[0]?.text.slice(0, 60) ?? 'nothing';
  const last = Math.round(wrong.lastFailedMs);
  process.stderr.write(
    `${by}: failed ${wrong.failed} of ${wrong.calls} (the last after ${last} ms), ` +
      `back ${back.failed} of ${back.calls}; issued ${issued}, ` +
      `files ${before.size} to ${after.size} bytes, CPU ${cpuS} s; status: ${said}\n`,
  );
  return { wrong, back, issued, grown: after.size - before.size, meanwhile, after };
}

async function restart({ world, serve }: World): Promise<void> {
  world.server?.signal('SIGKILL');
  await world.server?.exited;
  await serve();
}

async function restartMeanwhile(all: World, web: EnvoyProcess, aheadS: number) {
  const address = await all.outboundAddress();
  all.setClock(aheadS);
  await sleep(SETTLE_MS);
  await restart(all);
  await web.stop();
  const next = await all.sidecar('web');
  await eventually(async () => (await callFor(1, address)).failed === 0, {
    what: 'a call after the restart',
    timeoutMs: 20_000,
  });
  expect((await callFor(2_000, address)).failed).toBe(0);
  all.setClock(0);
  await sleep(SETTLE_MS);
  expect((await callFor(2_000, address)).failed).toBe(0);
  await restart(all);
  expect((await callFor(2_000, address)).failed).toBe(0);
  return next;
}

await describeEnvoy('one clock that is set', {}, ({ binary }) => {
  describe.skipIf(!isAsked)('under server and sidecars', () => {
    const harness = useHarness('clock matrix');
    let all: World;
    let web: EnvoyProcess;

    beforeAll(async () => {
      all = await startAll(harness, binary);
      await all.serve();
      await all.sidecar('store');
      web = await all.sidecar('web');
      await all.get('/v1/wait?timeout_ms=20000');
    }, 90_000);

    test.each(JUMPS_S)(
      '%s for a while: calls, leaves, files, CPU, status',
      async (by, aheadS) => {
        const { wrong, back, issued, grown, meanwhile, after } = await setForAWhile(
          all,
          by,
          aheadS,
        );
        const texts = meanwhile.status.warnings.map(({ text }) => text);
        expect(texts).toContainEqual(expect.stringMatching(/^the clock of this server says /));
        expect(after.status.warnings).toEqual([]);
        // Leaves of a day have ended, or have not begun, until the server has looked.
        expect(wrong.lastFailedMs).toBeLessThan(aheadS === DAY_S / 24 ? 1 : 4_000);
        expect(back.failed).toBe(0);
        expect(issued).toBeLessThanOrEqual(6);
        expect(grown).toBeLessThan(20_000);
      },
      JUMP_MS + 60_000,
    );

    test.each(JUMPS_S.filter(([, aheadS]) => aheadS < 190 * DAY_S))(
      '%s over restarts of server and sidecar',
      async (_by, aheadS) => {
        web = await restartMeanwhile(all, web, aheadS);
      },
      90_000,
    );
  });
});
