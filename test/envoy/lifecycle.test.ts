import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import type { AddressPool } from '../../src/demo/addresses.js';
import type { Child } from '../../src/demo/child.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { httpShot } from '../../src/demo/load-shots.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { describeEnvoy, eventually, outcome, useHarness } from '../harness/index.js';
import { reconnectingSoon } from '../harness/reconnect.js';

// The server as its users run it: the built command, its files, and `kill -9`.
const PORT = 8080;
/** Longer than an Envoy of an earlier bootstrap waited for an answer. */
const STILL_MS = 7_000;

await describeEnvoy('the server as a process', {}, ({ binary }) => {
  const harness = useHarness('lifecycle');
  let dir: string;
  let pool: AddressPool;
  let xds: string;
  let admin: string;
  let server: Child;
  let web: EnvoyProcess;

  const command = (...argv: string[]): Promise<string> =>
    harness.command([...argv, '--data', 'data'], { cwd: dir });
  const serve = async (): Promise<void> => {
    const argv = ['serve', '--mesh', 'mesh.yaml', '--data', 'data', '--xds', xds, '--admin', admin];
    server = await harness.program(argv, { cwd: dir });
    await server.waitForLog(/^ready: /, 20_000);
  };
  const get = async (path: string): Promise<unknown> =>
    (await fetch(`http://${admin}${path}`)).json();
  const connected = async (): Promise<number> =>
    ((await get('/v1/status')) as { proxies: unknown[] }).proxies.length;
  const whole = async (): Promise<boolean> => {
    const answer = (await get('/v1/wait?timeout_ms=20000')) as { inForce: boolean };
    return answer.inForce && (await connected()) === 2;
  };
  const node = new Map<string, { address: string; outbound: string; token: string }>();
  const sidecar = async (name: string): Promise<EnvoyProcess> => {
    const { address, outbound, token } = node.get(name) ?? { address: '', outbound: '', token: '' };
    const where = ['--address', address, '--outbound', outbound, '--xds', xds];
    const printed = await command('bootstrap', name, ...where, '--token-file', token);
    // Asked each second, and not each 30 s, whether it is there.
    const often = printed.replace(/("interval": *)"30s"/, '$1"1s"');
    expect(often).not.toBe(printed);
    const bootstrap = JSON.parse(often) as object;
    const port = await pool.port(address);
    const process_ = await harness.envoy({
      binary,
      name,
      bootstrap: {
        ...reconnectingSoon(bootstrap),
        admin: { address: { socket_address: { address, port_value: port } } },
      },
    });
    await process_.waitReady();
    return process_;
  };

  beforeAll(async () => {
    dir = await harness.tempDir();
    pool = await harness.addresses();
    const host = pool.address();
    xds = `${host}:${await pool.port(host)}`;
    admin = `${host}:${await pool.port(host)}`;
    const appAddress = pool.address();
    const app = { name: 'ledger', address: appAddress, port: await pool.port(appAddress) };
    await harness.echoHttp(app);
    await writeFile(
      join(dir, 'mesh.yaml'),
      `trustDomain: test.example
mtls: strict
services:
  web: {}
  ledger: { ports: { ${PORT}: { protocol: http, target: "${app.address}:${app.port}" } } }
`,
    );
    for (const name of ['web', 'ledger']) {
      const token = join(dir, `${name}.token`);
      node.set(name, { address: pool.address(), outbound: pool.block(), token });
    }
    await serve();
    await sidecar('ledger');
    web = await sidecar('web');
    expect(await whole()).toBe(true);
  }, 90_000);

  const address = async (): Promise<string> => {
    const query = new URLSearchParams({
      service: 'ledger',
      outbound: node.get('web')?.outbound ?? '',
    });
    const { entries } = (await get(`/v1/hosts?${query}`)) as { entries: { address: string }[] };
    return entries[0]?.address ?? '';
  };

  test('killed and started again while traffic flows: none failed, same certificates', async () => {
    const target = { address: await address(), port: PORT };
    // Another test may just have started the server again.
    expect(await whole()).toBe(true);
    const before = await get('/v1/status');
    const loads = (['keep-alive', 'per-request'] as const).map((use) =>
      harness.load({ shot: httpShot(target, use) }),
    );
    for (let round = 0; round < 2; round++) {
      await Promise.all(loads.map((load) => load.more(50)));
      server.signal('SIGKILL');
      await server.exited;
      await Promise.all(loads.map((load) => load.more(100)));
      await serve();
      await eventually(async () => (await connected()) === 2, {
        what: 'both sidecars back',
        timeoutMs: 45_000,
      });
      expect(await whole()).toBe(true);
    }
    for (const load of loads) {
      await load.more(50);
      const { failures, errors, answers, requests } = await load.stop();
      expect({ failures, errors, answers }).toEqual({
        failures: 0,
        errors: [],
        answers: { 200: requests },
      });
      expect(requests).toBeGreaterThan(300);
    }
    const certificates = (status: unknown): unknown =>
      (status as { proxies: { certificate: unknown }[] }).proxies.map((proxy) => proxy.certificate);
    const after = await get('/v1/status');
    expect(certificates(after)).toEqual(certificates(before));
    // LDS, CDS, RDS and ECDS too, of which nothing was sent again: no dash, the versions in force.
    const standings = (status: unknown): unknown =>
      (status as ServerStatus).proxies.map(({ types, state }) => ({ types, state }));
    expect(standings(after)).toEqual(standings(before));
    expect((after as ServerStatus).proxies.map(({ types }) => types.lds?.version)).not.toContain(
      '',
    );
    expect(after).toMatchObject({ gone: [], summary: { proxies: 2, synced: 2, missing: 0 } });
  }, 150_000);

  test('a server that stands still for seconds loses no sidecar by it, and no call', async () => {
    const connections = async (): Promise<readonly number[]> => [
      ...(await web.admin.stats('cluster.countersign.xds.upstream_cx_total')).values(),
    ];
    const before = await connections();
    expect(before).toHaveLength(1);
    const shot = httpShot({ address: await address(), port: PORT }, 'keep-alive');
    const load = harness.load({ shot });
    const stillUntilMs = systemClock.now() + STILL_MS;
    server.signal('SIGSTOP');
    try {
      while (systemClock.now() < stillUntilMs) await load.more(20);
    } finally {
      server.signal('SIGCONT');
    }
    expect(await whole()).toBe(true);
    expect(await connections()).toEqual(before);
    const { failures, answers, requests } = await load.stop();
    expect({ failures, answers }).toEqual({ failures: 0, answers: { 200: requests } });
    expect(server.log().filter((line) => line.includes('gone'))).toEqual([]);
  }, 40_000);

  test('the token is not in config_dump; a renewed file is used at the next connect', async () => {
    const file = node.get('web')?.token ?? '';
    const token = (await readFile(file, 'utf8')).trim();
    expect(token.split('.')).toHaveLength(3);
    const dump = JSON.stringify(await web.admin.configDump());
    expect(dump).toContain('credential_injector');
    expect(dump).not.toContain(token);
    const answer = await outcome(httpCall({ address: await address(), port: PORT }));
    expect(answer).toBe('200');
    const { stdout, stderr } = await harness.output(['token', 'web', '--data', 'data'], {
      cwd: dir,
    });
    const renewed = stdout.split('\n').find((line) => line.startsWith('ey')) ?? '';
    const id = /^token (\w+) for web/m.exec(stderr)?.[1] ?? '';
    expect([renewed, id]).not.toContain('');
    await writeFile(`${file}.new`, renewed);
    await rename(`${file}.new`, file);
    server.signal('SIGTERM');
    expect(await server.exited).toMatchObject({ code: 0 });
    await serve();
    await eventually(async () => (await connected()) === 2, {
      what: 'both sidecars back',
      timeoutMs: 45_000,
    });
    expect(server.log().filter((line) => line.includes(id))).toHaveLength(1);
  }, 90_000);

  test('a second server is refused the data folder and disturbs nothing', async () => {
    const argv = ['serve', '--mesh', 'mesh.yaml', '--data', 'data', '--xds', '127.0.0.1:0'];
    const second = await harness.program(argv, { name: 'second server', cwd: dir });
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.log().join('\n')).toContain('holds the data folder');
    expect(await whole()).toBe(true);
  }, 30_000);
});
