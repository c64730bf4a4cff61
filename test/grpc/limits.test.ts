// What one peer may cost: requests a second, readers that are stuck, peers that are dead, and a
// stop that leaves nobody in doubt.
import { connect as connectHttp2, constants } from 'node:http2';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { ChannelCredentials, Server, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import {
  attachDiscovery,
  DEFAULT_DISCOVERY_LIMITS,
  type DiscoveryStream,
  serverOptions,
  shutdown,
} from '../../src/grpc/index.js';
import {
  createResource,
  createSnapshot,
  type Request,
  type Snapshot,
  TYPE_URLS,
} from '../../src/xds/index.js';
import { toSnapshot } from '../xds/script.js';
import { AdsClient, encodeRequest, NODE, toPath } from './ads-client.js';
import { listen, startAdsServer } from './ads-server.js';
import { signal } from './signal.js';

const CDS = TYPE_URLS.cluster;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** A way to the server that can stop to carry anything, with both ends left open. */
async function startLine(
  address: string,
): Promise<{ readonly address: string; cut(): void; close(): void }> {
  const sockets: Socket[] = [];
  const line = createServer((near) => {
    const far = connectTcp(Number(address.split(':')[1]), '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', () => undefined);
    sockets.push(near, far);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve));
  const { port } = line.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    cut: () => {
      for (const socket of sockets) socket.unpipe();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      line.close();
    },
  };
}

function connect(address: string): AdsClient {
  const credentials = ChannelCredentials.createInsecure();
  const client = new AdsClient({ address, variant: 'sotw', credentials });
  cleanups.push(() => client.close());
  return client;
}

const ask = (nonce = ''): Request => ({
  typeUrl: CDS,
  nonce,
  interest: { variant: 'sotw', names: [], versionInfo: '' },
});

describe('requests a second', () => {
  test('a burst, then what the clock gives back; one more ends that stream alone', async () => {
    let taken = 0;
    let wake: () => void = () => undefined;
    const started = await startAdsServer({
      authenticate: ({ node }) => node.id,
      limits: { maxRequestBurst: 3, maxRequestsPerSecond: 2 },
      hooks: {
        onConnect: (stream) => stream.setSnapshot(toSnapshot(['cds:a@1'])),
        onUpdate() {
          taken += 1;
          wake();
        },
      },
    });
    cleanups.push(started.stop);
    const untilTaken = async (count: number): Promise<void> => {
      while (taken < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    const other = connect(started.address);
    other.send(ask());
    await other.next();
    const client = connect(started.address);
    for (let sent = 0; sent < 3; sent += 1) client.send(ask());
    await untilTaken(4);
    started.clock.advance(500);
    client.send(ask());
    await untilTaken(5);
    client.send(ask());
    expect(await client.ended()).toEqual({
      code: status.RESOURCE_EXHAUSTED,
      details: 'expected at most 2 requests a second on a stream',
    });
    expect(other.status).toBeUndefined();
  });
});

describe('a reader that is stuck', () => {
  const SIZE = 256 * 1024;
  const CHANGES = 200;

  const toLarge = (round: number): Snapshot => {
    const value = Buffer.alloc(SIZE, round);
    const version = String(round);
    return createSnapshot([[CDS, [createResource({ name: 'a', version, value })]]]);
  };

  /** A peer that guesses each nonce and answers without having read anything. */
  test('costs a few responses, and gets the newest one when it reads again', async () => {
    let stream: DiscoveryStream<string> | undefined;
    let taken = 0;
    let wake: () => void = () => undefined;
    const started = await startAdsServer<string>({
      authenticate: ({ node }) => node.id,
      hooks: {
        onConnect(connected) {
          stream = connected;
          connected.setSnapshot(toLarge(0));
        },
        onUpdate() {
          taken += 1;
          wake();
        },
      },
    });
    cleanups.push(started.stop);
    const session = connectHttp2(`http://${started.address}`);
    cleanups.push(() => session.destroy());
    const call = session.request({
      ':method': 'POST',
      ':path': toPath('sotw', undefined),
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    call.on('error', () => undefined);
    call.pause();
    const frame = (message: Buffer): Buffer => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      return Buffer.concat([head, message]);
    };
    const say = async (request: Request, node?: typeof NODE): Promise<void> => {
      const before = taken;
      call.write(frame(encodeRequest(request, node)));
      while (taken === before) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    await say(ask(), NODE);
    for (let round = 1; round <= CHANGES; round += 1) {
      await say(ask(String(round)));
      stream?.setSnapshot(toLarge(round));
    }
    // Written to the transport: what it had taken before it said that it takes no more.
    expect(started.written()).toBeGreaterThan(0);
    expect(started.written()).toBeLessThan(10);

    const received: number[] = [];
    let buffered = Buffer.alloc(0);
    call.on('data', (bytes: Buffer) => {
      buffered = Buffer.concat([buffered, bytes]);
      while (buffered.length >= 5 && buffered.length >= 5 + buffered.readUInt32BE(1)) {
        const length = 5 + buffered.readUInt32BE(1);
        received.push(buffered[length - SIZE / 2] ?? -1);
        buffered = buffered.subarray(length);
        call.emit('message');
      }
    });
    call.resume();
    while (received.at(-1) !== CHANGES) {
      await new Promise((resolve) => call.once('message', resolve));
      if (received.length === started.written())
        call.write(frame(encodeRequest(ask(String(received.length)), undefined)));
    }
    expect(received.length).toBeLessThan(10);
  });
});

describe('dead peers and stops', () => {
  test('the options of the server have every limit of the transport', () => {
    expect(serverOptions()).toMatchObject({
      'grpc.max_receive_message_length': DEFAULT_DISCOVERY_LIMITS.maxRequestBytes,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 20_000,
    });
  });

  test('a peer that answers no ping loses its streams', async () => {
    const server = new Server({
      ...serverOptions(),
      'grpc.keepalive_time_ms': 50,
      'grpc.keepalive_timeout_ms': 50,
    });
    const [connected, disconnected] = [signal(), signal()];
    attachDiscovery(server, {
      authenticate: ({ node }) => node.id,
      hooks: { onConnect: connected.happen, onDisconnect: disconnected.happen },
    });
    const line = await startLine(await listen(server));
    cleanups.push(line.close, () => server.forceShutdown());
    connect(line.address).send(ask());
    await connected.happened;
    line.cut();
    await disconnected.happened;
  });

  test('a stop says GOAWAY without an error, then UNAVAILABLE on each stream', async () => {
    const { server, discovery, clock, address } = await startAdsServer({
      authenticate: ({ node }) => node.id,
      hooks: { onConnect: (stream) => stream.setSnapshot(toSnapshot(['cds:a@1'])) },
    });
    cleanups.push(() => server.forceShutdown());
    const client = connect(address);
    client.send(ask());
    await client.next();
    const session = connectHttp2(`http://${address}`);
    cleanups.push(() => session.destroy());
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    const goaway = new Promise((resolve) => session.once('goaway', resolve));
    const stopped = shutdown({ server, addresses: [address], discovery, clock, graceMs: 1_000 });
    expect(await goaway).toBe(constants.NGHTTP2_NO_ERROR);
    expect((await client.ended()).code).toBe(status.UNAVAILABLE);
    session.close();
    clock.advance(1_000);
    await stopped;
  });

  // grpc-js 1.14: forceShutdown goes over what channelz knows, which is nothing where it is off.
  test('a call that does not end keeps no connection open after the grace of a stop', async () => {
    const { server, discovery, clock, address } = await startAdsServer({
      authenticate: ({ node }) => node.id,
    });
    cleanups.push(() => server.forceShutdown());
    const begun = signal();
    const endless = (bytes: Buffer): Buffer => bytes;
    const definition = {
      ...{ path: '/test/Endless', requestStream: true, responseStream: true },
      ...{ requestSerialize: endless, requestDeserialize: endless },
      ...{ responseSerialize: endless, responseDeserialize: endless },
    };
    server.addService({ Endless: definition }, { Endless: () => begun.happen() });
    const session = connectHttp2(`http://${address}`);
    session.on('error', () => undefined);
    cleanups.push(() => session.destroy());
    const closed = new Promise((resolve) => session.once('close', resolve));
    const call = session.request({
      ...{ ':method': 'POST', ':path': '/test/Endless', te: 'trailers' },
      'content-type': 'application/grpc',
    });
    call.on('error', () => undefined);
    await begun.happened;
    await shutdown({ server, addresses: [address], discovery, clock, graceMs: 50 });
    await closed;
    expect(clock.pending).toBe(0);
  });
});
