import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
} from 'node:http2';
import { gzipSync } from 'node:zlib';
import { Server, status } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { createCallGuard } from '../../src/grpc/guard/index.js';
import { attachHealth, serverOptions } from '../../src/grpc/index.js';
import { Account } from '../../src/server/join/bounds/account.js';
import { listen } from './ads-server.js';

// What calls cost before anybody knows whose they are, over real gRPC.

const MIB = 1_048_576;
const CHECK = '/grpc.health.v1.Health/Check';
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

async function start(maxBytes: number) {
  const incoming = new Account({ name: 'incoming', maxBytes });
  const refused: string[] = [];
  const calls = { begun: 0, ended: 0 };
  const guard = createCallGuard({
    beginCall: () => {
      calls.begun += 1;
      return () => {
        calls.ended += 1;
      };
    },
    openRequest: ({ address }, end) => {
      const debtor = {
        end: () => {
          refused.push(address);
          end(new MeshError('resource-limit', 'too much'));
        },
      };
      return incoming.open(String(calls.begun), debtor);
    },
  });
  const server = new Server({ ...serverOptions(), interceptors: [guard] });
  cleanups.push(() => server.forceShutdown());
  attachHealth(server);
  const session = connectHttp2(`http://${await listen(server)}`);
  session.on('error', () => undefined);
  cleanups.push(() => session.destroy());
  return { incoming, refused, calls, session };
}

function call(session: ClientHttp2Session, headers: Record<string, string> = {}) {
  const stream = session.request({
    ...{ ':method': 'POST', ':path': CHECK, te: 'trailers' },
    ...{ 'content-type': 'application/grpc', ...headers },
  });
  stream.on('error', () => undefined);
  stream.resume();
  return stream;
}

/** The head of a message of that length. */
function head(length: number, { compressed = 0 } = {}): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt8(compressed, 0);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** grpc-status of an answer that is headers alone, or trailers. */
async function statusOf(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve) => {
    for (const event of ['response', 'trailers'] as const) {
      stream.on(event, (headers: Record<string, unknown>) => {
        if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
      });
    }
  });
}

it('a whole request costs nothing once somebody has it', async () => {
  const { session, incoming, calls } = await start(MIB);
  const stream = call(session);
  stream.end(Buffer.concat([head(0), Buffer.alloc(0)]));
  expect(await statusOf(stream)).toBe(status.OK);
  await once(stream, 'close');
  while (calls.ended === 0) await new Promise((resolve) => setImmediate(resolve));
  expect([incoming.bytes, calls]).toEqual([0, { begun: 1, ended: 1 }]);
});

it('requests that never become whole cost no more than they may: the heaviest ends', async () => {
  const { session, incoming, refused } = await start(3 * MIB);
  const large = call(session);
  const ends = statusOf(large);
  const closed = once(large, 'close');
  large.write(Buffer.concat([head(4 * MIB - 1), Buffer.alloc(2 * MIB)]));
  while (incoming.bytes < 2 * MIB - 65_536) await new Promise((resolve) => setImmediate(resolve));
  const small = Array.from({ length: 3 }, () => call(session));
  for (const stream of small) {
    stream.write(Buffer.concat([head(4 * MIB - 1), Buffer.alloc(MIB / 2)]));
  }
  expect(await ends).toBe(status.RESOURCE_EXHAUSTED);
  await closed;
  expect(incoming.bytes).toBeLessThanOrEqual(3 * MIB);
  expect(small.map(({ closed: isClosed }) => isClosed)).toEqual([false, false, false]);
  expect(refused).toEqual(['127.0.0.1']);
});

it('a compressed request is refused: a few kB would be megabytes', async () => {
  const { session } = await start(MIB);
  const stream = call(session, { 'grpc-encoding': 'gzip' });
  const bomb = gzipSync(Buffer.alloc(4 * MIB));
  stream.write(Buffer.concat([head(bomb.length, { compressed: 1 }), bomb]));
  expect(await statusOf(stream)).toBe(status.UNIMPLEMENTED);
});
