import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../../src/base/index.js';
import { loadOrCreateAnchorPem } from '../../../src/ca/xds/index.js';
import { openDataDir } from '../../../src/data/index.js';
import { countersign } from '../../../src/gen/wire.js';
import { type RunningServer, startServer } from '../../../src/server/index.js';
import type { ServerStatus } from '../../../src/server/status/index.js';
import { createTokenKeys, type TokenKeys } from '../../../src/tokens/index.js';
import { TYPE_URLS } from '../../../src/xds/index.js';

// What the xDS port serves beside ADS: health to everybody, the state of clients to administrators.
const silent = { debug() {}, info() {}, warn() {}, error() {} };
let dir: string;
let server: RunningServer;
let tokens: TokenKeys;
let client: Client;
let anchorPem: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-port-'));
  const meshPath = join(dir, 'mesh.yaml');
  await writeFile(meshPath, 'trustDomain: test.example\nservices: { web: {} }\n');
  const any = { host: '127.0.0.1', port: 0 };
  const dataPath = join(dir, 'data');
  server = await startServer({ meshPath, dataPath, xds: any, admin: any, logger: silent });
  const dataDir = await openDataDir({ path: dataPath, lock: false });
  const identity = { dataDir, clock: systemClock, random: systemRandom };
  tokens = await createTokenKeys(identity);
  anchorPem = await loadOrCreateAnchorPem(identity);
  const anchor = Buffer.from(anchorPem);
  client = new Client(
    `localhost:${server.xdsAddress.port}`,
    credentials.createSsl(anchor, null, null, { checkServerIdentity: () => undefined }),
  );
});

afterAll(async () => {
  client.close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const raw = (bytes: Buffer): Buffer => bytes;

function call(path: string, token?: string): Promise<number> {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return new Promise((resolve) => {
    const done = (error: ServiceError | null): void => resolve(error?.code ?? status.OK);
    client.makeUnaryRequest(path, raw, raw, Buffer.alloc(0), metadata, {}, done);
  });
}

test.each(['127.0.0.1', 'localhost', 'xds.countersign.internal'])(
  'a client can verify the port as %s',
  async (name) => {
    const { port } = server.xdsAddress;
    const servername = isIP(name) === 0 ? { servername: name } : {};
    const socket = connect({ host: '127.0.0.1', port, ca: anchorPem, ...servername });
    await once(socket, 'secureConnect');
    expect(socket.authorized).toBe(true);
    socket.destroy();
  },
);

test('health needs no token', async () => {
  expect(await call('/grpc.health.v1.Health/Check')).toBe(status.OK);
});

test('a connection of an administrator is no stranger, and stays', async () => {
  const { token } = tokens.sign({ audience: 'countersign-admin', subject: 'me', ttlMs: 60_000 });
  const unproved = async (): Promise<number> => {
    const { port } = server.adminAddress;
    const shown = await (await fetch(`http://127.0.0.1:${port}/v1/status`)).json();
    return (shown as ServerStatus).load.connections.unproved;
  };
  expect(await call(CSDS)).toBe(status.UNAUTHENTICATED);
  expect(await call(CSDS, token)).toBe(status.OK);
  expect(await unproved()).toBe(0);
});

const CSDS = '/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus';

test.each<[string, () => string | undefined, status]>([
  ['no token', () => undefined, status.UNAUTHENTICATED],
  [
    "a sidecar's token",
    () => tokens.sign({ audience: 'countersign-xds', subject: 'web', ttlMs: 60_000 }).token,
    status.UNAUTHENTICATED,
  ],
  [
    'an admin token',
    () => tokens.sign({ audience: 'countersign-admin', subject: 'me', ttlMs: 60_000 }).token,
    status.OK,
  ],
])('the state of clients with %s', async (_name, token, wanted) => {
  expect(await call(CSDS, token())).toBe(wanted);
});

const SDS = '/envoy.service.secret.v3.SecretDiscoveryService';
const ASKS = { node: { id: 'web' }, typeUrl: TYPE_URLS.secret };
const { DiscoveryRequest, DeltaDiscoveryRequest } = countersign.wire;

test.each([
  ['StreamSecrets', DiscoveryRequest.encode({ ...ASKS, resourceNames: ['default'] })],
  ['DeltaSecrets', DeltaDiscoveryRequest.encode({ ...ASKS, resourceNamesSubscribe: ['default'] })],
])('secrets by %s are for who has proved whose they are', async (method, request) => {
  const ended = (token?: string): Promise<number> => {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    const stream = client.makeBidiStreamRequest(`${SDS}/${method}`, raw, raw, metadata);
    // It was sent something, and goes.
    stream.on('data', () => stream.cancel());
    stream.write(Buffer.from(request.finish()));
    return new Promise((resolve) => {
      stream.on('error', (error) => resolve((error as ServiceError).code));
    });
  };
  const audience = 'countersign-xds';
  const { token } = tokens.sign({ audience, subject: 'web', ttlMs: 60_000 });
  expect([await ended(), await ended(token)]).toEqual([status.UNAUTHENTICATED, status.CANCELLED]);
});

test('nothing is served by FetchSecrets', async () => {
  expect(await call(`${SDS}/FetchSecrets`)).toBe(status.UNIMPLEMENTED);
});
