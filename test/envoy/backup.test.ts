import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { AddressPool } from '../../src/demo/addresses.js';
import type { Child } from '../../src/demo/child.js';
import { httpShot } from '../../src/demo/load-shots.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { describeEnvoy, eventually, useHarness } from '../harness/index.js';
import { reconnectingSoon } from '../harness/reconnect.js';

// A server that is lost with its data folder, and made again from a backup: its sidecars, with the
// token and the anchor that they have had all along, never notice more than a pause of the server.
const PORT = 8080;

await describeEnvoy('a server made again from a backup', {}, ({ binary }) => {
  const harness = useHarness('backup');
  let dir: string;
  let pool: AddressPool;
  let xds: string;
  let admin: string;
  let server: Child;
  let target: { address: string; port: number };

  const run = (...argv: string[]): Promise<string> =>
    harness.command([...argv, '--data', 'data'], { cwd: dir });
  const serve = async (): Promise<void> => {
    const argv = ['serve', '--mesh', 'mesh.yaml', '--data', 'data', '--xds', xds, '--admin', admin];
    server = await harness.program(argv, { cwd: dir });
    await server.waitForLog(/^ready: /, 20_000);
  };
  const get = async <T>(path: string): Promise<T> =>
    (await (await fetch(`http://${admin}${path}`)).json()) as T;
  const status = (): Promise<ServerStatus> => get('/v1/status');
  const whole = async (): Promise<boolean> => {
    const { inForce } = await get<{ inForce: boolean }>('/v1/wait?timeout_ms=20000');
    return inForce && (await status()).proxies.length === 2;
  };
  const sidecar = async (name: string, outbound: string): Promise<void> => {
    const address = pool.address();
    const where = ['--address', address, '--outbound', outbound, '--xds', xds];
    const token = ['--token-file', `${name}.token`];
    const bootstrap = JSON.parse(await run('bootstrap', name, ...where, ...token)) as object;
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
    await writeFile(join(dir, 'passphrase'), 'correct horse battery staple\n');
    await serve();
    const outbound = pool.block();
    await sidecar('ledger', pool.block());
    await sidecar('web', outbound);
    expect(await whole()).toBe(true);
    const query = new URLSearchParams({ service: 'ledger', outbound });
    const { entries } = await get<{ entries: { address: string }[] }>(`/v1/hosts?${query}`);
    target = { address: entries[0]?.address ?? '', port: PORT };
  }, 90_000);

  test('the same sidecars come back: same token, anchor, leaves; no request failed', async () => {
    const passphrase = ['--passphrase-file', 'passphrase'];
    // 1. Two sidecars and traffic; the horizon is that of a leaf.
    const before = await status();
    expect(before.horizon).toMatchObject({ what: 'leaf' });
    expect(before.warnings).toEqual([]);
    const load = harness.load({ shot: httpShot(target, 'per-request') });
    await load.more(50);
    // 2. A backup beside the running server.
    expect(await run('backup', 'mesh.backup', ...passphrase)).toMatch(
      /^wrote mesh\.backup: \d+ files of data, encrypted\ntrust domain test\.example\n/,
    );
    const saved = (await readdir(join(dir, 'data'), { recursive: true })).sort();
    // 3. Server and folder are lost.
    server.signal('SIGKILL');
    await server.exited;
    await rm(join(dir, 'data'), { recursive: true });
    await load.more(100);
    // 4. Both again.
    expect(await run('restore', 'mesh.backup', ...passphrase)).toMatch(/^restored data: \d+ files/);
    const made = (await readdir(join(dir, 'data'), { recursive: true })).sort();
    expect(made).toEqual(saved.filter((name) => name !== 'lock'));
    await serve();
    await eventually(async () => (await status()).proxies.length === 2, {
      what: 'both sidecars back',
      timeoutMs: 45_000,
    });
    expect(await whole()).toBe(true);
    await load.more(50);
    const { failures, errors, answers, requests } = await load.stop();
    expect({ failures, errors, answers }).toEqual({
      failures: 0,
      errors: [],
      answers: { 200: requests },
    });
    const certificates = ({ proxies }: ServerStatus): unknown =>
      proxies.map(({ node, certificate }) => [node, certificate]);
    const after = await status();
    expect(after.proxies).toHaveLength(2);
    expect(certificates(after)).toEqual(certificates(before));
    const log = server.log().join('\n');
    expect(log).toContain('loaded CA from data');
    expect(log).not.toMatch(/refused|PRIVATE KEY|correct horse/);
  }, 150_000);

  test('what a probe reads: the horizon as metrics', async () => {
    const text = await (await fetch(`http://${admin}/metrics`)).text();
    const value = /^countersign_outage_horizon_first_timestamp_seconds ([\d.]+)$/m.exec(text)?.[1];
    const { horizon, proxies } = await status();
    expect(Number(value) * 1000).toBe(Date.parse(horizon?.at ?? ''));
    const ends = proxies.map(({ certificate }) => certificate?.notAfter ?? '').sort();
    expect(horizon?.at).toBe(ends[0]);
    expect(text).toMatch(/^countersign_outage_horizon_timestamp_seconds\{what="token"\} \d+$/m);
  }, 30_000);
});
