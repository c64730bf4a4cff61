// What a stream costs is told to whoever keeps accounts, and a stream that is ended for it leaves
// nothing behind, whatever its client does.
import { type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { ChannelCredentials, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import type { DiscoveryStream } from '../../src/grpc/index.js';
import { createResource, createSnapshot, type Request, TYPE_URLS } from '../../src/xds/index.js';
import { toSnapshot } from '../xds/script.js';
import { AdsClient, encodeRequest, NODE, toPath } from './ads-client.js';
import { startAdsServer } from './ads-server.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const subscribe = (typeUrl: string, names: readonly string[]): Request => ({
  typeUrl,
  nonce: '',
  interest: { variant: 'delta', subscribe: names, unsubscribe: [], initialVersions: new Map() },
});
const namesOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `name-${i}`);

function connect(address: string): AdsClient {
  const credentials = ChannelCredentials.createInsecure();
  const client = new AdsClient({ address, variant: 'delta', credentials });
  cleanups.push(() => client.close());
  return client;
}

/** A server that ends the stream which costs more than that. */
async function start(maxBytes: number, types?: readonly string[]) {
  const told: number[] = [];
  const events: string[] = [];
  const handles: DiscoveryStream<string>[] = [];
  const started = await startAdsServer<string>({
    authenticate: ({ node }) => node.id,
    ...(types && { types }),
    account: (stream) => ({
      set(bytes) {
        told.push(bytes);
        if (bytes > maxBytes) stream.close(new MeshError('resource-limit', 'costs too much'));
      },
      close: () => void events.push('closed'),
    }),
    hooks: {
      onConnect(stream) {
        events.push('connected');
        handles.push(stream);
        stream.setSnapshot(toSnapshot(['cds:a@1']));
      },
      onDisconnect: () => void events.push('disconnected'),
    },
  });
  cleanups.push(started.stop);
  return { ...started, told, events, handles };
}

test('names that are asked for are told, and the stream that costs too much is ended', async () => {
  const { address, told, events, handles } = await start(1_000_000);
  const client = connect(address);
  client.send(subscribe(TYPE_URLS.cluster, namesOf(1_000)));
  expect(await client.next()).toBeDefined();
  const [first = 0, second = 0] = [told[0], told.at(-1)];
  expect(second - first).toBeGreaterThan(100_000);
  client.send(subscribe(TYPE_URLS.endpoint, namesOf(15_000)));
  expect(await client.ended()).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    details: 'costs too much',
  });
  expect(events).toEqual(['connected', 'closed', 'disconnected']);
  // What it asked for is kept no longer than its stream.
  expect(handles[0]?.state()).toEqual([]);
});

test('what a client says that it has is told', async () => {
  const { address, told } = await start(Number.POSITIVE_INFINITY);
  const client = connect(address);
  const initialVersions = new Map(namesOf(5_000).map((name) => [name, 'v'.repeat(50)]));
  const { interest, ...request } = subscribe(TYPE_URLS.cluster, ['*']);
  client.send({ ...request, interest: { ...interest, initialVersions } } as Request);
  expect(await client.next()).toBeDefined();
  expect(Math.max(...told)).toBeGreaterThan(5_000 * 50);
});

test('where there is no room for a first request, the host hears nothing of it', async () => {
  const { address, events } = await start(100);
  const client = connect(address);
  client.send(subscribe(TYPE_URLS.cluster, []));
  expect((await client.ended()).code).toBe(status.RESOURCE_EXHAUSTED);
  expect(events).toEqual(['closed']);
});

test('a type that is not served ends its stream, and only where the program says so', async () => {
  const strange = 'type.googleapis.com/x.Strange';
  const { address } = await start(Number.POSITIVE_INFINITY, [TYPE_URLS.cluster]);
  const client = connect(address);
  client.send(subscribe(TYPE_URLS.cluster, []));
  expect(await client.next()).toBeDefined();
  client.send(subscribe(strange, ['a']));
  expect(await client.ended()).toEqual({
    code: status.INVALID_ARGUMENT,
    details: `expected a type that is served but got "${strange}"`,
  });
  const open = await start(Number.POSITIVE_INFINITY);
  const other = connect(open.address);
  other.send(subscribe(strange, ['a']));
  expect(await other.next()).toMatchObject({ removed: ['a'] });
});

/** A client that reads nothing and never ends its half. */
function mute(address: string, request: Request): ClientHttp2Stream {
  const session = connectHttp2(`http://${address}`, { settings: { initialWindowSize: 0 } });
  session.on('error', () => undefined);
  cleanups.push(() => session.destroy());
  const call = session.request({
    ...{ ':method': 'POST', ':path': toPath('delta', undefined), te: 'trailers' },
    'content-type': 'application/grpc',
  });
  call.on('error', () => undefined);
  call.write(frame(encodeRequest(request, NODE)));
  return call;
}

test('a mute reader costs what it has not read, and ending it frees that at once', async () => {
  const started = await start(1_000_000);
  const call = mute(started.address, subscribe(TYPE_URLS.cluster, []));
  const ended = new Promise<number>((resolve) => {
    call.once('close', () => resolve(call.rstCode));
  });
  while (started.handles.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const value = Buffer.alloc(1_500_000);
  const snapshot = createSnapshot([
    [TYPE_URLS.cluster, [createResource({ name: 'a', version: '2', value })]],
  ]);
  // The first response isn't acknowledged: the next type's is what goes over.
  started.handles[0]?.setSnapshot(snapshot);
  call.write(frame(encodeRequest({ ...subscribe(TYPE_URLS.cluster, []), nonce: '1' }, undefined)));
  // ENHANCE_YOUR_CALM, which gRPC reads as RESOURCE_EXHAUSTED.
  expect(await ended).toBe(11);
});

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
