// What is read of grpc-js that it keeps to itself: this fails where a version keeps it elsewhere.
import { Server, type ServerDuplexStream, ServerInterceptingCall } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { tryHttp2Stream } from '../../src/grpc/guard/index.js';
import { listen } from './ads-server.js';
import { RawClient } from './raw-client.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

test('the HTTP/2 stream below a call is found, in a handler and in an interceptor', async () => {
  const found: unknown[] = [];
  const server = new Server({
    interceptors: [
      (_method, call) => {
        found.push(tryHttp2Stream(call), Reflect.get(call, 'incomingEncoding'));
        return new ServerInterceptingCall(call);
      },
    ],
  });
  cleanups.push(() => server.forceShutdown());
  const bytes = (value: Buffer): Buffer => value;
  server.addService(
    {
      Talk: {
        ...{ path: '/test/Talk', requestStream: true, responseStream: true },
        ...{ requestSerialize: bytes, requestDeserialize: bytes },
        ...{ responseSerialize: bytes, responseDeserialize: bytes },
      },
    },
    {
      Talk: (call: ServerDuplexStream<Buffer, Buffer>) => {
        found.push(tryHttp2Stream(call));
        call.end();
      },
    },
  );
  const client = new RawClient(await listen(server));
  cleanups.push(() => client.close());
  await client.call({ path: '/test/Talk' }).end().ended();
  const [outside, encoding, inside] = found;
  expect(outside).toMatchObject({ rstCode: expect.any(Number) });
  expect(inside).toBe(outside);
  expect(encoding).toBe('identity');
});

test('there is none below what is no call', () => {
  expect(tryHttp2Stream({ call: { nextCall: {} } })).toBeUndefined();
});
