import { beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { run } from '../../src/cli/program.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { failoverShot } from '../harness/failover-shot.js';
import { describeEnvoy, eventually, useHarness } from '../harness/index.js';
import { openTcp } from '../harness/open-connection.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

// An instance is stopped in order: `countersign drain`, then SIGTERM to its Envoy, under load.
const HTTP = 8080;
const TCP = 6000;

await describeEnvoy('an instance that is stopped in order', {}, ({ binary }) => {
  const harness = useHarness('drain');
  let mesh: TestMesh;
  let two: EnvoyProcess;
  let where: { address: string; outbound: string };
  let address: string;

  const command = async (...argv: string[]) => {
    const said = { stdout: '', stderr: '' };
    const to = (name: keyof typeof said) => ({
      isTTY: false,
      write: (text: string) => {
        said[name] += text;
      },
    });
    const code = await run([...argv, '--data', mesh.dataPath], {
      ...{ stdout: to('stdout'), stderr: to('stderr') },
      ...{ clock: systemClock, random: systemRandom, onStop: () => () => undefined },
    });
    return { code, ...said };
  };
  const drain = (...argv: string[]) => command('drain', 'ledger', '--instance', 'two', ...argv);
  const adminOf = ({ admin }: EnvoyProcess): string => `${admin.address}:${admin.port}`;
  const start = (sotw = false) => mesh.sidecar('ledger', { instance: 'two', ...where, sotw });
  /** How many requests that Envoy answered. */
  const answered = (of: EnvoyProcess): Promise<number> =>
    of.admin.stat(`http.inbound_${HTTP}.downstream_rq_2xx`);
  const isCalled = async (): Promise<void> => {
    const before = await answered(two);
    const load = harness.load({ shot: httpShot({ address, port: HTTP }, 'per-request') });
    await eventually(async () => (await answered(two)) > before, {
      what: 'a call at that instance',
      timeoutMs: 20_000,
    });
    const { failures, errors, answers } = await load.stop();
    expect({ failures, errors }).toEqual({ failures: 0, errors: [] });
    expect(Object.keys(answers).filter((answer) => /^[45]/.test(answer))).toEqual([]);
  };
  const startLoads = (): Load[] => [
    harness.load({ shot: httpShot({ address, port: HTTP }, 'keep-alive'), concurrency: 8 }),
    harness.load({ shot: httpShot({ address, port: HTTP }, 'per-request'), concurrency: 2 }),
    harness.load({ shot: tcpShot({ address, port: TCP }, 'per-request'), concurrency: 2 }),
  ];
  const expectNoneLost = async (loads: readonly Load[]): Promise<number> => {
    let calls = 0;
    for (const load of loads) {
      const { requests, failures, errors, answers } = await load.stop();
      const bad = Object.keys(answers).filter((answer) => /^[45]/.test(answer));
      expect({ failures, errors, bad }).toEqual({ failures: 0, errors: [], bad: [] });
      calls += requests;
    }
    return calls;
  };

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        ledger: [
          { port: HTTP, kind: 'http' },
          { port: TCP, kind: 'tcp' },
        ],
      },
      mesh: (service) => {
        const target = (port: number): string => `target: "${service('ledger').target(port)}"`;
        return `
trustDomain: test.example
mtls: permissive
services:
  web: {}
  ledger:
    ports:
      ${HTTP}: { protocol: http, ${target(HTTP)} }
      ${TCP}: { protocol: tcp, ${target(TCP)} }
`;
      },
    });
    const pool = await harness.addresses();
    where = { address: pool.address(), outbound: pool.block() };
    await mesh.sidecar('ledger', { instance: 'one' });
    two = await start();
    await mesh.sidecar('web');
    address = await mesh.outboundAddress('web', 'ledger');
  }, 60_000);

  // Whatever the test before has left: both instances run and are called.
  beforeEach(async () => {
    if (!two.process.running) two = await start();
    for (const { node } of (await mesh.status()).drains) {
      const [, instance = ''] = node.split('~');
      const undo = ['drain', 'ledger', '--instance', instance, '--undo'];
      expect(await command(...undo)).toMatchObject({ code: 0 });
    }
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    await isCalled();
  }, 60_000);

  const startBySotw = async (): Promise<void> => {
    await two.stop();
    two = await start(true);
    await isCalled();
  };

  test('SIGTERM after drain loses no call of several thousand', async () => {
    const loads = startLoads();
    const before = await answered(two);
    await Promise.all(loads.map((load) => load.more(200, 20_000)));
    expect((await answered(two)) - before).toBeGreaterThan(100);
    const { code, stdout } = await drain('--envoy-admin', adminOf(two));
    expect(stdout).toContain('nothing is open there: its Envoy can be stopped');
    expect(code).toBe(0);
    await two.stop();
    await Promise.all(loads.map((load) => load.more(100, 20_000)));
    expect(await expectNoneLost(loads)).toBeGreaterThan(2_000);
  }, 60_000);

  test('when its Envoy is started again, it is called again', async () => {
    expect(await drain('--envoy-admin', adminOf(two))).toMatchObject({ code: 0 });
    await two.stop();
    expect((await mesh.status()).drains).toHaveLength(1);
    two = await start();
    await isCalled();
    expect((await mesh.status()).drains).toEqual([]);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 60_000);

  test('callers without a sidecar that know another address lose none either', async () => {
    const addresses = [where.address, mesh.service('ledger').address];
    const plain = [
      harness.load({ shot: failoverShot({ addresses, port: HTTP }), concurrency: 8 }),
      harness.load({ shot: failoverShot({ addresses, port: HTTP }, true), concurrency: 4 }),
    ];
    const before = await answered(two);
    await Promise.all(plain.map((load) => load.more(400)));
    expect((await answered(two)) - before).toBeGreaterThan(200);
    expect(await drain('--envoy-admin', adminOf(two))).toMatchObject({ code: 0 });
    await two.stop();
    await Promise.all(plain.map((load) => load.more(200)));
    expect(await expectNoneLost(plain)).toBeGreaterThan(1_000);
  }, 60_000);

  test('what is open is named, until it ends', async () => {
    await startBySotw();
    const opened = await Promise.all(
      Array.from({ length: 4 }, () => openTcp({ address, port: TCP })),
    );
    const at = ['--envoy-admin', adminOf(two), '--timeout'];
    const early = await drain(...at, '4s');
    expect(early).toMatchObject({ code: 1 });
    expect(early.stderr).toMatch(/got 2 connections on port 6000\n/);
    for (const open of opened) await open.echo();
    for (const open of opened) open.close();
    expect(await drain(...at, '20s')).toMatchObject({ code: 0 });
  }, 60_000);

  test('a restarted server keeps it drained', async () => {
    await startBySotw();
    expect(await drain('--envoy-admin', adminOf(two))).toMatchObject({ code: 0 });
    await mesh.stop();
    await mesh.start();
    await eventually(async () => (await mesh.status()).proxies.length === 3, {
      what: 'all sidecars back',
      timeoutMs: 45_000,
    });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect((await mesh.status()).drains).toMatchObject([{ node: 'ledger~two', stage: 'done' }]);
    const before = await answered(two);
    const loads = startLoads();
    await Promise.all(loads.map((load) => load.more(50, 20_000)));
    await expectNoneLost(loads);
    expect(await answered(two)).toBe(before);
    expect(JSON.stringify(await two.admin.listeners())).not.toContain('inbound');
  }, 120_000);

  test('--undo: the same Envoy listens and is called again', async () => {
    await startBySotw();
    expect(await drain('--envoy-admin', adminOf(two))).toMatchObject({ code: 0 });
    const loads = startLoads();
    expect(await drain('--undo')).toMatchObject({ code: 0 });
    await isCalled();
    await expectNoneLost(loads);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect((await mesh.status()).drains).toEqual([]);
  }, 60_000);

  test('the last one is drained only where that is confirmed', async () => {
    expect(await command('drain', 'ledger', '--instance', 'one')).toMatchObject({ code: 0 });
    const refused = await drain();
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain('expected another instance of "ledger" to call instead');
    expect(await command('drain', 'ledger', '--instance', 'one', '--undo')).toMatchObject({
      code: 0,
    });
  }, 60_000);
});
