// A server whose clock is wrong, and stock Envoys whose clock is right: each call is a handshake of
// its own, and none fails, whatever the server's clock says, and whoever restarts.
import { beforeAll, expect, test, vi } from 'vitest';
import { ShiftedClock } from '../fakes/shifted-clock.js';
import { describeEnvoy, tcpExchange, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

const DAY_MS = 86_400_000;
const PORT = 6000;
const CALLS = 5;
/** How the warning begins. */
const CLOCK = 'the clock of this server';

function toMeshText({ apps }: TestService): string {
  const app = apps.get(PORT);
  return `trustDomain: clock.example
services:
  web: {}
  store:
    ports:
      ${PORT}: { protocol: tcp, mtls: strict, target: '${app?.address}:${app?.port}' }
`;
}

/** How many calls are answered, each of a connection of its own. */
async function callsTo(target: { address: string; port: number }): Promise<number> {
  let good = 0;
  for (let call = 0; call < CALLS; call++) {
    const until = (text: string): boolean => text.includes('ping');
    const { received } = await tcpExchange({ ...target, send: 'ping', until });
    if (received.includes('ping')) good++;
  }
  return good;
}

await describeEnvoy('a server by a wrong clock', {}, ({ binary }) => {
  const harness = useHarness('clock');
  const clock = new ShiftedClock();
  let mesh: TestMesh;
  let target: { address: string; port: number };

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      ...{ binary, serverClock: clock },
      services: { web: [], store: [{ port: PORT, kind: 'tcp' }] },
      mesh: (service) => toMeshText(service('store')),
    });
    await mesh.sidecar('store');
    await mesh.sidecar('web');
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    target = { address: await mesh.outboundAddress('web', 'store'), port: PORT };
  }, 60_000);

  const serials = async (): Promise<string[]> =>
    (await mesh.status()).proxies.map(({ certificate }) => certificate?.serial ?? '').sort();
  const warnings = async (): Promise<string[]> =>
    (await mesh.status()).warnings.map(({ text }) => text.slice(0, CLOCK.length));
  const calls = () => callsTo(target);

  test.each([
    ['190 days ahead', 190 * DAY_MS],
    ['1 h back', -DAY_MS / 24],
    ['190 days back', -190 * DAY_MS],
    ['2 years ahead', 730 * DAY_MS],
  ])('%s, and back: no call fails', { timeout: 60_000 }, async (_name, aheadMs) => {
    expect(await calls()).toBe(CALLS);
    const before = await serials();
    clock.aheadMs = aheadMs;
    await vi.waitFor(async () => expect(await warnings()).toContain(CLOCK), 10_000);
    // Where leaves have to do by both clocks, others are in force by now.
    await vi.waitFor(async () => expect(await mesh.wait(5_000)).toMatchObject({ inForce: true }), {
      timeout: 10_000,
    });
    expect(await calls(), 'while it is wrong').toBe(CALLS);
    clock.aheadMs = 0;
    expect(await calls(), 'at once').toBe(CALLS);
    await vi.waitFor(async () => expect(await warnings()).not.toContain(CLOCK), 10_000);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await calls(), 'when it is right again').toBe(CALLS);
    if (Math.abs(aheadMs) > DAY_MS) expect(await serials()).not.toEqual(before);
  });

  test('190 days ahead over restarts of the server: no call fails', async () => {
    clock.aheadMs = 190 * DAY_MS;
    await mesh.stop();
    await mesh.start();
    expect(await warnings()).toContain(CLOCK);
    expect(await calls(), 'while it is wrong').toBe(CALLS);
    await mesh.stop();
    clock.aheadMs = 0;
    await mesh.start();
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect([await calls(), await warnings()]).toEqual([CALLS, []]);
  }, 60_000);
});
