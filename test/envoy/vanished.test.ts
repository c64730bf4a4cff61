import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { delay } from '../../src/demo/wait.js';
import { runInOwnNetwork } from '../harness/in-own-network.js';
import { describeEnvoy, type Harness, outcome, useHarness } from '../harness/index.js';
import { lackOfOwnNetwork, OWN_NETWORK, setUpOwnNetwork, vanish } from '../harness/own-network.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

// A peer that vanishes without a FIN, as a host does whose power fails: its callers notice within
// 15 s, what is in flight gets an error, and new calls go elsewhere. Peers that are only slow stay.
const PORTS = { http: 8080, fresh: 8081, remote: 8082, tcp: 6000 } as const;
const LIMIT_MS = 16_000;

if (process.env[OWN_NETWORK] === undefined) {
  runInOwnNetwork(import.meta.url, lackOfOwnNetwork());
} else {
  setUpOwnNetwork();
  await describeEnvoy('a peer that vanishes', {}, ({ binary }) => {
    const harness = useHarness('vanished');
    let seen: Seen;

    beforeAll(async () => {
      seen = await observe(await startVanishing(harness, binary), harness);
    }, 100_000);

    test('a call in flight gets an error', () => {
      expect(seen.inFlight.result).toBe('503');
      expect(seen.inFlight.tookMs).toBeLessThan(LIMIT_MS);
    });

    test('a call that begins now gets an error, where there is no other instance', () => {
      expect(seen.fresh.result).toBe('503');
      expect(seen.fresh.tookMs).toBeLessThan(LIMIT_MS);
    });

    test('a call in flight to a sidecar that was stopped gets an error', () => {
      expect(seen.stopped.result).toBe('503');
      expect(seen.stopped.tookMs).toBeLessThan(LIMIT_MS);
    });

    test('a call in flight to an application on another host gets an error', () => {
      expect(seen.remote.result).toBe('503');
      expect(seen.remote.tookMs).toBeLessThan(LIMIT_MS);
    });

    describe('tcp', () => {
      test('a connection that waits ends', () => {
        expect(seen.waiting.result).toBe('ended');
        expect(seen.waiting.tookMs).toBeLessThan(LIMIT_MS);
      });

      test('a connection to a peer that only reads nothing for so long stays', () => {
        expect(seen.slow).toBe('open, and all arrives');
      });
    });

    test('where there is another instance, only calls of the first 15 s fail or wait', () => {
      const late = seen.calls.filter(({ beganMs }) => beganMs > LIMIT_MS);
      expect(late.length).toBeGreaterThan(5);
      expect(late.filter(({ result }) => result !== '200')).toEqual([]);
      for (const { tookMs } of seen.calls) expect(tookMs).toBeLessThan(LIMIT_MS);
      for (const { tookMs } of late) expect(tookMs).toBeLessThan(4_000);
      const good = seen.calls.filter(({ result }) => result === '200').length;
      expect(good).toBeGreaterThan(seen.calls.length / 2);
    });
  });
}

interface Timed {
  readonly result: string;
  readonly endedMs: number;
  readonly tookMs: number;
}

interface Seen {
  readonly inFlight: Timed;
  readonly fresh: Timed;
  readonly stopped: Timed;
  readonly remote: Timed;
  readonly waiting: Timed;
  readonly slow: string;
  readonly calls: readonly (Timed & { readonly beganMs: number })[];
}

async function timed(run: Promise<string>): Promise<Timed> {
  const began = systemClock.now();
  const result = await run;
  const endedMs = systemClock.now();
  return { result, endedMs, tookMs: endedMs - began };
}

interface Vanishing {
  readonly mesh: TestMesh;
  /** A sidecar that is to stop. */
  readonly frozen: EnvoyProcess;
  /** Of sidecars and of an application that are to vanish. */
  readonly addresses: readonly string[];
  readonly lone: string;
  readonly pair: string;
  readonly own: string;
}

async function startVanishing(harness: Harness, binary: string): Promise<Vanishing> {
  const own = (...ports: readonly number[]) =>
    ports.map((port) => ({ port, kind: 'own' as const }));
  const pool = await harness.addresses();
  const remote = pool.address();
  const mesh = await startMesh(harness, {
    binary,
    services: {
      web: own(PORTS.tcp),
      lone: own(PORTS.http, PORTS.fresh, PORTS.tcp),
      pair: own(PORTS.http),
      frozen: own(PORTS.http),
    },
    mesh: (service) => toMesh(service, remote),
  });
  await startApplications(harness, mesh, remote);
  const gone = pool.address();
  const given = { instance: 'gone', address: gone, outbound: pool.block() };
  const [frozen] = await Promise.all([
    mesh.sidecar('frozen'),
    mesh.sidecar('web'),
    mesh.sidecar('lone'),
    mesh.sidecar('pair', given),
    mesh.sidecar('pair', { instance: 'stays' }),
  ]);
  expect(await mesh.wait()).toMatchObject({ inForce: true });
  return {
    ...{ mesh, frozen },
    addresses: [mesh.service('lone').address, gone, remote],
    lone: await mesh.outboundAddress('web', 'lone'),
    pair: await mesh.outboundAddress('web', 'pair'),
    own: await mesh.outboundAddress('web', 'web'),
  };
}

function toMesh(service: (name: string) => TestService, remote: string): string {
  const target = (name: string, port: number): string => `target: "${service(name).target(port)}"`;
  return `
trustDomain: test.example
services:
  web:
    ports:
      ${PORTS.tcp}: { protocol: tcp, ${target('web', PORTS.tcp)} }
      ${PORTS.remote}: { protocol: http, target: "${remote}:${PORTS.remote}" }
  frozen:
    ports:
      ${PORTS.http}: { protocol: http, ${target('frozen', PORTS.http)} }
  lone:
    ports:
      ${PORTS.http}: { protocol: http, ${target('lone', PORTS.http)} }
      ${PORTS.fresh}: { protocol: http, ${target('lone', PORTS.fresh)} }
      ${PORTS.tcp}: { protocol: tcp, ${target('lone', PORTS.tcp)} }
  pair:
    ports:
      ${PORTS.http}: { protocol: http, ${target('pair', PORTS.http)} }
`;
}

/** HTTP: answers all but /hang. TCP: echoes, and never ends by itself. */
async function startApplications(harness: Harness, mesh: TestMesh, remote: string): Promise<void> {
  const start = async (server: Server, at: Place | undefined): Promise<void> => {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(at?.port, at?.address, resolve));
    harness.defer('application', () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  };
  const at = (name: string, port: number) => mesh.service(name).apps.get(port);
  for (const place of [
    ...['lone', 'pair', 'frozen'].map((name) => at(name, PORTS.http)),
    at('lone', PORTS.fresh),
    { address: remote, port: PORTS.remote },
  ]) {
    const answer = createHttpServer((request, response) => {
      if (request.url !== '/hang') response.end();
    });
    await start(answer, place);
  }
  for (const name of ['web', 'lone']) {
    const echo = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    await start(echo, at(name, PORTS.tcp));
  }
}

interface Place {
  readonly address: string;
  readonly port: number;
}

const call = (address: string, port: number, path = '/'): Promise<string> =>
  outcome(httpCall({ address, port, path, method: 'POST', body: 'x', timeoutMs: 30_000 }));

/** Opens what is to be in flight, lets the peers vanish, and waits for what becomes of it. */
async function observe(vanishing: Vanishing, harness: Harness): Promise<Seen> {
  const { mesh, frozen, addresses, lone, pair, own } = vanishing;
  const toFrozen = await mesh.outboundAddress('web', 'frozen');
  for (const address of [lone, pair, pair, toFrozen]) {
    expect(await call(address, PORTS.http)).toBe('200');
  }
  const inFlight = timed(call(lone, PORTS.http, '/hang'));
  const remote = timed(call(mesh.service('web').address, PORTS.remote, '/hang'));
  const waiting = await openEcho(harness, { host: lone, port: PORTS.tcp });
  const arrives = pauseAmid(await openEcho(harness, { host: own, port: PORTS.tcp }));

  for (const one of addresses) vanish(one);
  process.kill(frozen.process.pid, 'SIGSTOP');
  harness.defer('stopped sidecar', () => process.kill(frozen.process.pid, 'SIGCONT'));
  const began = systemClock.now();
  const all = await together({
    stopped: timed(call(toFrozen, PORTS.http)),
    fresh: timed(call(lone, PORTS.fresh)),
    waiting: timed(ended(waiting)),
    calls: callOn(() => call(pair, PORTS.http)),
  });
  const since = ({ result, endedMs }: Timed): Timed => ({
    ...{ result, endedMs },
    tookMs: endedMs - began,
  });
  return {
    ...all,
    inFlight: since(await inFlight),
    remote: since(await remote),
    slow: await arrives(),
  };
}

async function together<T extends Readonly<Record<string, Promise<unknown>>>>(
  all: T,
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  const entries = Object.entries(all).map(async ([name, one]) => [name, await one] as const);
  return Object.fromEntries(await Promise.all(entries)) as { [K in keyof T]: Awaited<T[K]> };
}

async function openEcho(harness: Harness, to: { host: string; port: number }): Promise<Socket> {
  const socket = connect(to);
  socket.on('error', () => undefined);
  harness.defer('connection', () => socket.destroy());
  socket.write('hello');
  await new Promise((resolve) => socket.once('data', resolve));
  return socket;
}

function ended(socket: Socket): Promise<string> {
  socket.resume();
  return new Promise((resolve) => {
    const late = systemClock.after(30_000, () => resolve('still open'));
    socket.once('close', () => {
      late();
      resolve('ended');
    });
  });
}

/** Sends more than is buffered on the way, reads nothing, and later all of it. */
function pauseAmid(socket: Socket): () => Promise<string> {
  const body = Buffer.alloc(64 * 1024, 's');
  const count = 400;
  socket.pause();
  for (let n = 0; n < count; n++) socket.write(body);
  let bytes = 0;
  return async () => {
    if (socket.destroyed) return 'cut';
    const whole = new Promise<string>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes >= count * body.length) resolve('open, and all arrives');
      });
      socket.on('close', () => resolve(`cut after ${bytes} bytes`));
    });
    socket.resume();
    return whole;
  };
}

/** A call every 200 ms, until they have gone on for longer than anything may take. */
async function callOn(call: () => Promise<string>): Promise<Seen['calls']> {
  const began = systemClock.now();
  const calls: Promise<Seen['calls'][number]>[] = [];
  for (;;) {
    const beganMs = systemClock.now() - began;
    if (beganMs > LIMIT_MS + 3_000) return Promise.all(calls);
    calls.push(timed(call()).then((one) => ({ ...one, beganMs })));
    await delay(200);
  }
}
