import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { EchoAnswer } from '../../src/demo/echo-app.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { envoyVersion } from '../../src/demo/find-envoy.js';
import { httpShot } from '../../src/demo/load-shots.js';
import {
  createForeignCa,
  createHarness,
  describeEnvoy,
  eventually,
  type Harness,
  httpsGet,
  outcome,
  plainGet,
  tcpExchange,
  useHarness,
} from './index.js';
import { toStaticBootstrap } from './static-bootstrap.js';
import { tcpShot } from './tcp-shot.js';
import { validateBootstrap } from './validate-bootstrap.js';

const SERVER = 'server.example';
const CALLER = 'spiffe://foreign.example/ns/default/sa/caller';

interface Mesh {
  readonly envoy: EnvoyProcess;
  readonly http: { readonly address: string; readonly port: number };
  readonly https: { readonly address: string; readonly port: number };
  readonly tcp: { readonly address: string; readonly port: number };
  readonly bootstrap: object;
}

const ca = createForeignCa();
const stranger = createForeignCa('another CA');

async function startMesh(harness: Harness, binary: string): Promise<Mesh> {
  const pool = await harness.addresses();
  const address = pool.address();
  const at = async () => ({ address, port: await pool.port(address) });
  const [admin, http, https, tcp, app, tcpApp] = [
    await at(),
    await at(),
    await at(),
    await at(),
    await at(),
    await at(),
  ];
  await harness.echoHttp({ name: 'ledger', ...app });
  await harness.echoTcp({ name: 'cache', ...tcpApp });
  const server = ca.issue({ dns: [SERVER] });
  const options = { admin, http, https: { ...https, ca, server }, tcp, app, tcpApp };
  const bootstrap = toStaticBootstrap(options);
  const envoy = await harness.envoy({ binary, name: 'proxy', bootstrap, drainTimeS: 1 });
  await envoy.waitReady();
  return { envoy, http, https, tcp, bootstrap };
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

for (const version of [undefined, '1.36.4']) {
  await describeEnvoy(
    'the harness with a real Envoy',
    version === undefined ? {} : { version },
    ({ binary }) => {
      const harness = useHarness('harness');
      let mesh: Mesh;
      beforeAll(async () => {
        mesh = await startMesh(harness, binary);
      });

      test('the binary is of the version asked for', async () => {
        const actual = await envoyVersion(binary);
        expect(actual).toMatch(version === undefined ? /^1\.\d+\.\d+$/ : version);
      });

      test('a request passes to the application, which says what it saw', async () => {
        const call = { ...mesh.http, method: 'POST', path: '/x?y=1', body: 'four' };
        const { status, body } = await plainGet({ ...call, headers: { 'x-trace': 'abc' } });
        const answer = JSON.parse(body) as EchoAnswer;
        expect(status).toBe(200);
        expect(answer).toMatchObject({ service: 'ledger', method: 'POST', path: '/x?y=1' });
        expect(answer).toMatchObject({ bodyBytes: 4, headers: { 'x-trace': 'abc' } });
      });

      test('mutual TLS: a known caller is named, a foreign one and none are refused', async () => {
        const known = ca.issue({ uri: CALLER });
        const common = { ...mesh.https, ca: ca.cert, servername: SERVER };
        const answer = await httpsGet({ ...common, ...known });
        const seen = JSON.parse(answer.body) as EchoAnswer;
        expect(answer.tls).toMatchObject({ authorized: true, serverNames: `DNS:${SERVER}` });
        expect(seen.headers['x-forwarded-client-cert']).toContain(`URI=${CALLER}`);
        expect(await outcome(httpsGet({ ...common, ...stranger.issue({ uri: CALLER }) }))).toBe(
          'refused',
        );
        expect(await outcome(httpsGet(common))).toBe('refused');
        expect(await outcome(plainGet(mesh.https))).toBe('refused');
        await expect(
          httpsGet({ ...common, ...known, verifyName: 'other.example' }),
        ).rejects.toThrow(/altnames/);
        await expect(httpsGet({ ...common, ...known, ca: stranger.cert })).rejects.toThrow();
        const listener = `listener.${mesh.https.address}_${mesh.https.port}`;
        expect(await mesh.envoy.admin.stat(`${listener}.ssl.fail_verify_error`)).toBe(1);
      });

      test('TCP passes both ways', async () => {
        const until = (text: string) => text.endsWith('!');
        const { received } = await tcpExchange({ ...mesh.tcp, send: 'hello!', until });
        expect(received).toBe('cache: hello!');
      });

      test.each(['keep-alive', 'per-request'] as const)('load, %s', async (use) => {
        const total = 60;
        const http = harness.load({ shot: httpShot(mesh.http, use), total });
        const tcp = harness.load({ shot: tcpShot(mesh.tcp, use), total });
        expect(await http.done).toMatchObject({ requests: total, failures: 0, errors: [] });
        expect((await http.done).answers).toEqual({ 200: total });
        expect((await tcp.done).answers).toEqual({ echoed: total });
      });

      test('the admin interface is read', async () => {
        const { admin } = mesh.envoy;
        const before = await admin.stat('http.http.downstream_rq_2xx');
        await plainGet(mesh.http);
        expect(await admin.stat('http.http.downstream_rq_2xx')).toBe(before + 1);
        expect((await admin.stats(/^http\.http\.downstream_rq_[25]xx$/)).size).toBe(2);
        expect(await admin.stat('no.such.stat')).toBe(0);
        const types = (await admin.configDump()).configs.map((config) => config['@type']);
        expect(types).toContain('type.googleapis.com/envoy.admin.v3.ListenersConfigDump');
        expect((await admin.listeners()).map(({ name }) => name)).toContain('https');
        const certificates = await admin.certificates();
        expect(
          certificates.flatMap(({ leaf }) => leaf.map((one) => one.subject_alt_names)),
        ).toEqual([[{ dns: SERVER }]]);
      });

      test('Envoy judges a bootstrap without running it', async () => {
        await validateBootstrap({ binary, bootstrap: mesh.bootstrap });
        await expect(
          validateBootstrap({ binary, bootstrap: { static_resources: { listenerz: [] } } }),
        ).rejects.toMatchObject({
          code: 'child-failed',
          hint: expect.stringContaining('listenerz'),
        });
      });

      test('one that refuses its configuration fails at once, with its own words', async () => {
        const admin = { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } };
        const bad = { admin, static_resources: { clusters: [{ name: '' }] } };
        const envoy = await harness.envoy({ binary, name: 'bad', bootstrap: bad });
        await expect(envoy.waitReady()).rejects.toMatchObject({
          message: expect.stringContaining('expected bad to be live but it ended with'),
          hint: expect.stringContaining('ClusterValidationError'),
        });
      });

      test('a dump holds log, statistics and configuration', async () => {
        harness.onDump('broken.txt', () => Promise.reject(new Error('gone')));
        const folder = await harness.dump('self test');
        harness.defer(folder, () => rm(folder, { recursive: true }));
        const files = await readdir(folder);
        expect(files).toEqual(expect.arrayContaining(['proxy.log', 'proxy.stats']));
        expect(await readFile(join(folder, 'proxy.config_dump.json'), 'utf8')).toContain('"https"');
        expect(await readFile(join(folder, 'broken.txt'), 'utf8')).toContain('gone');
      });
    },
  );
}

await describeEnvoy('stopping', {}, ({ binary }) => {
  test('leaves no process, no listener and no bootstrap behind', async () => {
    const harness = createHarness('stopping');
    const { envoy, http } = await startMesh(harness, binary);
    const { pid } = envoy.process;
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    const bootstrap = commandLine[commandLine.indexOf('-c') + 1] ?? '';
    expect((await stat(bootstrap)).mode & 0o777).toBe(0o600);
    expect(isAlive(pid)).toBe(true);
    await harness.close();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(bootstrap)).toBe(false);
    expect(envoy.process.exit).toEqual({ code: 0, signal: null, wanted: true });
    await expect(plainGet(http)).rejects.toThrow('ECONNREFUSED');
    expect(envoy.process.log().join('\n')).toContain('exiting');
  });

  test('a crash is seen as such', async () => {
    const harness = createHarness('crash');
    try {
      const { envoy } = await startMesh(harness, binary);
      process.kill(envoy.process.pid, 'SIGKILL');
      expect(await envoy.process.exited).toEqual({ code: null, signal: 'SIGKILL', wanted: false });
      expect(await envoy.admin.ready()).toBe(false);
      await eventually(() => !isAlive(envoy.process.pid));
    } finally {
      await harness.close();
    }
  });
});
