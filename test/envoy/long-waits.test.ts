import { connect, type Socket } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { describeEnvoy, outcome, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

// What takes longer than the 15 s after which Envoy gives up by default, all of it at once: what is
// slow or silent is not cut, and a peer that says nothing any more is noticed.
const PORT = 8080;
const PLAIN_PORT = 8083;
const OVER_15_S_MS = 16_500;

/** What comes back first; nothing where the connection ends instead. */
function firstBytes(socket: Socket, request: string): Promise<string> {
  const heard = new Promise<string>((resolve) => {
    socket.on('data', (bytes: Buffer) => resolve(bytes.toString()));
    socket.on('close', () => resolve(''));
  });
  socket.write(request);
  return heard;
}

const toMesh = (service: (name: string) => TestService): string => {
  const target = (name: string, port: number): string => `target: "${service(name).target(port)}"`;
  return `
trustDomain: test.example
services:
  web: {}
  app:
    ports:
      ${PORT}: { protocol: http, mtls: strict, ${target('app', PORT)} }
      ${PLAIN_PORT}: { protocol: http, mtls: permissive, ${target('app', PLAIN_PORT)} }
  stopped: { ports: { ${PORT}: { protocol: http, ${target('stopped', PORT)} } } }
`;
};

await describeEnvoy('what takes long', {}, ({ binary }) => {
  const harness = useHarness('long-waits');
  let mesh: TestMesh;
  let stopped: EnvoyProcess;

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        app: [
          { port: PORT, kind: 'http' },
          { port: PLAIN_PORT, kind: 'http' },
        ],
        stopped: [{ port: PORT, kind: 'http' }],
      },
      mesh: toMesh,
    });
    [stopped] = await Promise.all([
      mesh.sidecar('stopped'),
      mesh.sidecar('app'),
      mesh.sidecar('web'),
    ]);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 60_000);

  const askForLong = async (): Promise<void> => {
    const address = await mesh.outboundAddress('web', 'app');
    const path = `/slow?ms=${OVER_15_S_MS}`;
    const answer = await httpCall({ address, port: PORT, path, timeoutMs: 25_000 });
    expect(answer.status).toBe(200);
  };

  test.concurrent('an answer that takes longer than 15 s is not cut', async () => {
    await askForLong();
  }, 30_000);

  test.concurrent('a plain client of a permissive port may be silent for over 15 s', async () => {
    const silent = connect({ host: mesh.service('app').address, port: PLAIN_PORT });
    harness.defer('silent client', () => silent.destroy());
    await new Promise((resolve) => silent.once('connect', resolve));
    await askForLong();
    const received = await firstBytes(silent, 'GET /late HTTP/1.1\r\nhost: app\r\n\r\n');
    expect(received).toMatch(/^HTTP\/1\.1 200/);
  }, 30_000);

  test.concurrent('a call in flight to a sidecar that stopped fails within 16 s', async () => {
    const address = await mesh.outboundAddress('web', 'stopped');
    expect(await outcome(httpCall({ address, port: PORT }))).toBe('200');
    process.kill(stopped.process.pid, 'SIGSTOP');
    try {
      const call = httpCall({ address, port: PORT, path: '/slow?ms=100', timeoutMs: 16_000 });
      expect(await outcome(call)).toBe('503');
    } finally {
      process.kill(stopped.process.pid, 'SIGCONT');
    }
    expect(await outcome(httpCall({ address, port: PORT }))).toBe('200');
  }, 30_000);
});
