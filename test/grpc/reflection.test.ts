import { Server, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { afterEach, describe, expect, test } from 'vitest';
import { grpc } from '../../src/gen/wire.js';
import { CERTIFICATE_SERVICE } from '../../src/grpc/certificates/index.js';
import {
  ALL_SERVICES,
  attachReflection,
  CLIENT_STATUS_SERVICE,
  HEALTH_SERVICE,
} from '../../src/grpc/index.js';
import { listen } from './ads-server.js';
import { type RawCall, RawClient } from './raw-client.js';

const { ServerReflectionRequest, ServerReflectionResponse } = grpc.reflection.v1;
type Question = grpc.reflection.v1.ServerReflectionRequest;
type Answer = grpc.reflection.v1.ServerReflectionResponse;

const SERVICES = [
  ...ALL_SERVICES.map(({ name }) => name),
  CERTIFICATE_SERVICE,
  CLIENT_STATUS_SERVICE,
  HEALTH_SERVICE,
];
const V1 = 'grpc.reflection.v1.ServerReflection';
const V1_ALPHA = 'grpc.reflection.v1alpha.ServerReflection';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function open(service = V1, maxRequests = 1_000): Promise<RawCall> {
  const server = new Server();
  attachReflection(server, { services: SERVICES, maxRequests });
  const client = new RawClient(await listen(server));
  cleanups.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  return client.call({ path: `/${service}/ServerReflectionInfo` });
}

async function ask(call: RawCall, question: Question): Promise<Answer> {
  call.send(ServerReflectionRequest.encode(question).finish());
  return ServerReflectionResponse.decode(await call.message());
}

const filesOf = (answer: Answer): readonly Uint8Array[] =>
  answer.fileDescriptorResponse?.fileDescriptorProto ?? [];
const nameOf = (bytes: Uint8Array): string => {
  const { name } = descriptor.FileDescriptorProto.decode(bytes) as unknown as { name: string };
  return name;
};

test.each([V1, V1_ALPHA])('%s lists the services, itself too', async (service) => {
  const answer = await ask(await open(service), { listServices: '*', host: 'h' });
  const listed = answer.listServicesResponse?.service?.map(({ name }) => name);
  expect(listed).toEqual([...SERVICES, V1, V1_ALPHA].sort());
  expect([answer.validHost, answer.originalRequest]).toMatchObject(['h', { listServices: '*' }]);
});

test.each([...SERVICES, V1, V1_ALPHA])('%s can be resolved from what is told', async (name) => {
  const files = filesOf(await ask(await open(), { fileContainingSymbol: name }));
  expect(files.length).toBeGreaterThan(0);
  const file = files.map((bytes) => descriptor.FileDescriptorProto.decode(bytes));
  const root = protobuf.Root.fromDescriptor(
    descriptor.FileDescriptorSet.encode(descriptor.FileDescriptorSet.fromObject({ file })).finish(),
  );
  root.resolveAll();
  expect(root.lookupService(name).methodsArray.length).toBeGreaterThan(0);
});

describe('files', () => {
  const FILE = 'envoy/service/cluster/v3/cds.proto';

  test('by name or symbol; what it needs comes along once on a stream', async () => {
    const call = await open();
    const first = filesOf(await ask(call, { fileByFilename: FILE })).map(nameOf);
    expect(first[0]).toBe(FILE);
    expect(first).toContain('envoy/config/core/v3/base.proto');
    expect(new Set(first).size).toBe(first.length);
    const method = 'envoy.service.cluster.v3.ClusterDiscoveryService.DeltaClusters';
    const again = filesOf(await ask(call, { fileContainingSymbol: method }));
    expect(again.map(nameOf)).toEqual([FILE]);
  });

  test.each([
    ['a file', { fileByFilename: 'none.proto' }, status.NOT_FOUND],
    ['a symbol', { fileContainingSymbol: 'none.None' }, status.NOT_FOUND],
    ['an own property of objects', { fileByFilename: '__proto__' }, status.NOT_FOUND],
    ['a type', { allExtensionNumbersOfType: 'none.None' }, status.NOT_FOUND],
    ['an extension', { fileContainingExtension: {} }, status.NOT_FOUND],
    ['nothing', {}, status.INVALID_ARGUMENT],
  ])('%s that is not there: an error, and the stream goes on', async (_, question, code) => {
    const call = await open();
    expect((await ask(call, question)).errorResponse?.errorCode).toBe(code);
    expect(filesOf(await ask(call, { fileByFilename: FILE })).length).toBeGreaterThan(0);
  });

  test('nothing extends a message', async () => {
    const answer = await ask(await open(), {
      allExtensionNumbersOfType: 'envoy.config.core.v3.Node',
    });
    expect(answer.allExtensionNumbersResponse).toMatchObject({
      baseTypeName: 'envoy.config.core.v3.Node',
      extensionNumber: [],
    });
  });
});

test('other bytes, and one request too many, end the stream', async () => {
  const bad = await open();
  bad.send(Buffer.from([0xff]));
  expect((await bad.ended()).code).toBe(status.INVALID_ARGUMENT);
  const many = await open(V1, 1);
  await ask(many, { listServices: '' });
  many.send(Buffer.alloc(0));
  expect((await many.ended()).code).toBe(status.RESOURCE_EXHAUSTED);
});
