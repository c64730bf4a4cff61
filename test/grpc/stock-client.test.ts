// Our services as asked by clients that are made from the text of `protos/` alone: what generated
// code of ours gets wrong on both ends, these don't.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  type Client,
  credentials,
  Metadata,
  makeClientConstructor,
  Server,
  type ServiceError,
} from '@grpc/grpc-js';
import type protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { afterEach, expect, test } from 'vitest';
import {
  attachClientStatus,
  attachHealth,
  attachReflection,
  CLIENT_STATUS_SERVICE,
  HEALTH_SERVICE,
} from '../../src/grpc/index.js';
import { loadMethods } from '../../src/grpc/stock-client.js';
import { SHORT, toSnapshot } from '../xds/script.js';
import { AdsClient, NODE } from './ads-client.js';
import { listen, startAdsServer } from './ads-server.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Call extends AsyncIterable<unknown> {
  write(message: object): void;
  end(): void;
  cancel(): void;
}

/** A client of `service`, which `file` declares, and its methods by kind. */
async function connect(address: string, file: string, service: string) {
  const methods = await loadMethods(`countersign/${file}`, service);
  const client = new (makeClientConstructor(methods, service))(
    address,
    credentials.createInsecure(),
  ) as Client & Record<string, (...given: unknown[]) => unknown>;
  cleanups.push(() => client.close());
  return {
    unary: (method: string, request: object, metadata = new Metadata()): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const done = (error: ServiceError | null, answer: unknown): void =>
          error === null ? resolve(answer) : reject(error);
        client[method]?.(request, metadata, done);
      }),
    stream: (method: string, ...given: readonly unknown[]): Call =>
      client[method]?.(...given) as Call,
  };
}

async function firstOf(call: Call): Promise<unknown> {
  for await (const message of call) return message;
  throw new Error('expected a message but the stream ended');
}

test('health: Check, List and Watch', async () => {
  const server = new Server();
  const health = attachHealth(server, { services: ['a.A'] });
  health.set('a.A', 'not-serving');
  const address = await listen(server);
  cleanups.push(() => server.forceShutdown());
  const { unary, stream } = await connect(address, 'health.proto', HEALTH_SERVICE);
  expect(await unary('Check', { service: '' })).toEqual({ status: 1 });
  expect(await unary('Check', { service: 'a.A' })).toEqual({ status: 2 });
  expect(await unary('List', {})).toEqual({
    statuses: { '': { status: 1 }, 'a.A': { status: 2 } },
  });
  await expect(unary('Check', { service: 'b.B' })).rejects.toMatchObject({ code: 5 });
  const watch = stream('Watch', { service: 'b.B' });
  expect(await firstOf(watch)).toEqual({ status: 3 });
});

test.each([
  ['reflection.proto', 'grpc.reflection.v1.ServerReflection'],
  ['reflection-alpha.proto', 'grpc.reflection.v1alpha.ServerReflection'],
])('reflection by %s: the services, and the file of one of them', async (file, service) => {
  const server = new Server();
  attachReflection(server, { services: [HEALTH_SERVICE] });
  const address = await listen(server);
  cleanups.push(() => server.forceShutdown());
  const { stream } = await connect(address, file, service);
  const call = stream('ServerReflectionInfo');
  call.write({ listServices: '' });
  call.write({ fileContainingSymbol: HEALTH_SERVICE });
  call.end();
  const answers: unknown[] = [];
  for await (const answer of call) answers.push(answer);
  expect(answers).toMatchObject([
    {
      messageResponse: 'listServicesResponse',
      listServicesResponse: { service: expect.arrayContaining([{ name: HEALTH_SERVICE }]) },
    },
    {
      messageResponse: 'fileDescriptorResponse',
      originalRequest: { fileContainingSymbol: HEALTH_SERVICE },
    },
  ]);
  const [, second] = answers as [
    unknown,
    { fileDescriptorResponse: { fileDescriptorProto: Buffer[] } },
  ];
  const [first = Buffer.alloc(0)] = second.fileDescriptorResponse.fileDescriptorProto;
  const decoded = descriptor.FileDescriptorProto.decode(first) as protobuf.Message & {
    package: string;
  };
  expect(decoded.package).toBe('grpc.health.v1');
});

test('client status: what a proxy asked for, took and has, by Fetch and by Stream', async () => {
  const { server, discovery, address, stop } = await startAdsServer({
    authenticate: ({ node }) => node.id,
    hooks: { onConnect: (one) => one.setSnapshot(toSnapshot(['cds:a@1'])) },
  });
  cleanups.push(stop);
  attachClientStatus(server, { discovery, authorizeStatus: () => undefined });
  const ads = new AdsClient({
    address,
    variant: 'sotw',
    credentials: credentials.createInsecure(),
  });
  cleanups.push(() => ads.close());
  const interest = { variant: 'sotw', names: [], versionInfo: '' } as const;
  ads.send({ typeUrl: SHORT['cds'] ?? '', nonce: '', interest }, { node: NODE });
  await ads.next();
  const status = await connect(address, 'status-service.proto', CLIENT_STATUS_SERVICE);
  const config = {
    node: expect.objectContaining({ id: NODE.id, cluster: NODE.cluster }),
    genericXdsConfigs: [
      expect.objectContaining({
        ...{ typeUrl: SHORT['cds'], name: 'a', configStatus: 3, clientStatus: 1 },
      }),
    ],
  };
  expect(await status.unary('FetchClientStatus', {})).toEqual({ config: [config] });
  const call = status.stream('StreamClientStatus');
  call.write({ nodeMatchers: [{ nodeId: { exact: 'nobody' } }] });
  call.write({ nodeMatchers: [{ nodeId: { exact: NODE.id } }], excludeResourceContents: true });
  call.end();
  const answers: unknown[] = [];
  for await (const answer of call) answers.push(answer);
  expect(answers).toEqual([{ config: [] }, { config: [config] }]);
});

test('a service that its file does not declare is an error of ours', async () => {
  await expect(loadMethods('countersign/health.proto', 'a.B')).rejects.toThrow(/^no a\.B in /);
});

test('every .proto is in the package', () => {
  const own = readdirSync(`${ROOT}/protos/countersign`).map((name) => `protos/countersign/${name}`);
  expect(own.length).toBeGreaterThan(5);
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    ...{ cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  });
  expect(packed).toContain('README.md');
  expect(own.filter((path) => !packed.includes(JSON.stringify(path)))).toEqual([]);
});
