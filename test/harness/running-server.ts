// A server of its own for one test file, and clients of its xDS port that aren't Envoy.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { type Authority, type Leaf, loadAuthority } from '../../src/ca/index.js';
import { loadOrCreateAnchorPem } from '../../src/ca/xds/index.js';
import { type DataDir, openDataDir } from '../../src/data/index.js';
import { countersign } from '../../src/gen/wire.js';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/index.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { TYPE_URLS } from '../../src/xds/index.js';
import { AdsClient, type EndStatus } from '../grpc/ads-client.js';

const { wire } = countersign;
const HOUR_MS = 3_600_000;
const TRUST_DOMAIN = 'test.example';

export interface LogEntry {
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

/** What a client shows of itself. */
export interface Shown {
  readonly leaf?: Leaf;
  readonly token?: string;
}

export interface TestServer {
  readonly dir: string;
  readonly meshPath: string;
  readonly server: RunningServer;
  readonly dataDir: DataDir;
  readonly identity: {
    readonly dataDir: DataDir;
    readonly clock: typeof systemClock;
    readonly random: typeof systemRandom;
  };
  readonly authority: Authority;
  readonly log: readonly LogEntry[];
  /** Connects as `node.id` and asks for its clusters. */
  join(id: string, shown: Shown): AdsClient;
  /** How a stream ends that gets no answer. */
  refusal(id: string, shown: Shown): Promise<EndStatus>;
  get(path: string): Promise<string>;
  status(): Promise<ServerStatus>;
  /** Ends it and keeps its folder. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** @param of An earlier one, stopped, whose folder it goes on with. */
export async function startTestServer(
  services: string,
  of?: Pick<TestServer, 'dir'>,
  changes: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const dir = of?.dir ?? (await mkdtemp(join(tmpdir(), 'countersign-server-')));
  const meshPath = join(dir, 'mesh.yaml');
  await writeFile(meshPath, `trustDomain: ${TRUST_DOMAIN}\n${services}\n`);
  const log: LogEntry[] = [];
  const to = (level: string) => (fields: object, message: string) =>
    void log.push({ level, message, fields });
  const logger = { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
  const any = { host: '127.0.0.1', port: 0 };
  const dataPath = join(dir, 'data');
  const where = { meshPath, dataPath, xds: any, admin: any };
  const server = await startServer({ ...where, logger, ...changes });
  const dataDir = await openDataDir({ path: dataPath, lock: false });
  const identity = { dataDir, clock: systemClock, random: systemRandom };
  const authority = await loadAuthority(identity);
  const anchorPem = await loadOrCreateAnchorPem(identity);
  const clients: AdsClient[] = [];
  const connect = (id: string, { leaf, token }: Shown): AdsClient => {
    const pems = leaf === undefined ? [null, null] : [leaf.keyPem, leaf.chainPem].map(toBuffer);
    const [key = null, chain = null] = pems;
    const client = new AdsClient({
      address: `127.0.0.1:${server.xdsAddress.port}`,
      variant: 'delta',
      credentials: credentials.createSsl(toBuffer(anchorPem), key, chain, {
        checkServerIdentity: () => undefined,
      }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    });
    clients.push(client);
    client.sendBytes(firstRequest(id));
    return client;
  };
  const get = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${server.adminAddress.port}${path}`)).text();
  const stop = async (): Promise<void> => {
    for (const client of clients) client.close();
    await server.close();
  };
  return {
    ...{ dir, meshPath, server, dataDir, identity, authority, log, get },
    join: connect,
    async refusal(id, shown) {
      const client = connect(id, shown);
      expect(await client.next()).toBeUndefined();
      return client.ended();
    },
    status: async () => JSON.parse(await get('/v1/status')) as ServerStatus,
    stop,
    async close() {
      await stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Connects as `id` by a token, and asks for its clusters. */
export function connectSidecar(options: {
  readonly address: string;
  readonly anchorPem: string;
  readonly id: string;
  readonly token: string;
}): AdsClient {
  const { address, anchorPem, id, token } = options;
  const client = new AdsClient({
    ...{ address, variant: 'delta', authorization: `Bearer ${token}` },
    credentials: credentials.createSsl(toBuffer(anchorPem), null, null, {
      checkServerIdentity: () => undefined,
    }),
  });
  client.sendBytes(firstRequest(id));
  return client;
}

/** A certificate of a service in namespace default. */
export function leafOf(issuer: Authority, service: string): Promise<Leaf> {
  const spiffeId = parseSpiffeId(`spiffe://${TRUST_DOMAIN}/ns/default/sa/${service}`);
  return issuer.issueLeaf({ spiffeId, dnsNames: [], ttlMs: HOUR_MS, key: 'ecdsa-p256' });
}

function toBuffer(text: string): Buffer {
  return Buffer.from(text);
}

const ADDRESS = { address: { stringValue: '127.1.0.1' } };

function firstRequest(id: string): Buffer {
  const node = {
    id,
    cluster: id.split('~')[0] ?? '',
    // Apart from the application's, which is on 127.0.0.1.
    metadata: { fields: { countersign: { structValue: { fields: ADDRESS } } } },
  };
  const request = { node, typeUrl: TYPE_URLS.cluster, resourceNamesSubscribe: [] };
  return Buffer.from(wire.DeltaDiscoveryRequest.encode(request).finish());
}
