// A stock Envoy configured by the library alone, over TLS, by each of the four transports; nothing
// here knows the mesh. An update takes effect, and what Envoy rejects is held back while the rest
// goes on.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import {
  ALL_SERVICES,
  attachDiscovery,
  type DiscoveryStream,
  type StreamUpdate,
  serverOptions,
} from '../../src/grpc/index.js';
import { type Snapshot, TYPE_URLS } from '../../src/xds/index.js';
import { listen } from '../grpc/ads-server.js';
import { type KeyAndCertificate, selfSigned } from '../grpc/certificate.js';
import { describeEnvoy, eventually, httpsGet, useHarness } from '../harness/index.js';
import { TRANSPORTS, toBootstrap, toSnapshot } from './transports-config.js';

interface XdsServer {
  readonly port: number;
  readonly streams: () => readonly DiscoveryStream<string>[];
  readonly rejections: readonly Extract<StreamUpdate, { kind: 'nacked' }>[];
  set(snapshot: Snapshot): void;
  stop(): void;
}

/** What a user of the library writes: the same snapshot for every stream. */
async function startServer({ keyPem, certificatePem }: KeyAndCertificate): Promise<XdsServer> {
  const server = new Server(serverOptions());
  let snapshot: Snapshot = new Map();
  const rejections: Extract<StreamUpdate, { kind: 'nacked' }>[] = [];
  const discovery = attachDiscovery(server, {
    clock: systemClock,
    authenticate: ({ node }) => node.id,
    services: ALL_SERVICES,
    hooks: {
      onConnect: (stream) => stream.setSnapshot(snapshot),
      onUpdate(_, update) {
        if (update.kind === 'nacked') rejections.push(update);
      },
    },
  });
  const pair = { private_key: Buffer.from(keyPem), cert_chain: Buffer.from(certificatePem) };
  const address = await listen(server, ServerCredentials.createSsl(null, [pair]));
  return {
    port: Number(address.split(':')[1]),
    streams: () => discovery.streams(),
    rejections,
    set(next) {
      snapshot = next;
      for (const stream of discovery.streams()) stream.setSnapshot(next);
    },
    stop: () => server.forceShutdown(),
  };
}

for (const version of ['1.40.0', '1.36.2']) {
  await describeEnvoy('the four transports', { version }, ({ binary }) => {
    const harness = useHarness(`transports ${version}`);

    test.each(TRANSPORTS)(
      '$name: configured, changed, and kept at the last good',
      async (transport) => {
        const pool = await harness.addresses();
        const address = pool.address();
        const endpoint = async () => ({ address, port: await pool.port(address) });
        const certificate = selfSigned('xds');
        const server = await startServer(certificate);
        harness.defer('xDS server', () => server.stop());
        const [front, admin] = [await endpoint(), await endpoint()];
        const apps = [
          await harness.echoHttp({ name: 'one', ...(await endpoint()) }),
          await harness.echoHttp({ name: 'two', ...(await endpoint()) }),
        ] as const;
        const content = { transport, front, certificate, app: apps[0], routes: 'first' };
        server.set(toSnapshot(content));
        const xds = { address: '127.0.0.1', port: server.port };
        const anchorPem = certificate.certificatePem;
        const name = `envoy-${version}-${TRANSPORTS.indexOf(transport)}`;
        const bootstrap = toBootstrap({ transport, admin, xds, anchorPem });
        const envoy = await harness.envoy({ binary, name, bootstrap });
        await envoy.waitReady();
        const call = async (): Promise<string> => {
          const { status, headers, body } = await httpsGet({ ...front, path: '/' });
          const { service } = JSON.parse(body) as { service: string };
          return `${status} ${service} ${String(headers['x-routes'])}`;
        };
        const sees = (expected: string): Promise<unknown> =>
          eventually(async () => (await call()) === expected, { what: expected });

        // 1. Everything is there, secret and all.
        await sees('200 one first');
        const types = server.streams().map(({ typeUrl }) => typeUrl);
        if (transport.aggregated) expect(types).toEqual([undefined]);
        else expect(new Set(types).size).toBe(5);

        // 2. A change takes effect.
        server.set(toSnapshot({ ...content, app: apps[1] }));
        await sees('200 two first');

        // 3. Bad routes are held back; the endpoints that come with them are not.
        server.set(toSnapshot({ ...content, routes: undefined }));
        await sees('200 one first');
        await eventually(() => server.rejections.length > 0, { what: 'a rejection' });
        const [rejection] = server.rejections;
        expect(rejection?.typeUrl).toBe(TYPE_URLS.route);
        expect(rejection?.rejection.resources.map((resource) => resource.name)).toEqual(['routes']);
        expect(rejection?.rejection.message).toMatch(/domains/i);

        // 4. Other changes go on, and the bad routes are not sent again.
        server.set(toSnapshot({ ...content, app: apps[1], routes: undefined }));
        await sees('200 two first');

        // 5. Good routes end it.
        server.set(toSnapshot({ ...content, app: apps[1], routes: 'second' }));
        await sees('200 two second');
        await eventually(() => server.streams().every((stream) => stream.isSynced()));
        expect(server.rejections.length).toBe(1);
        await envoy.stop();
      },
    );
  });
}
