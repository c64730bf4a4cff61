import { Server, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { grpc } from '../../src/gen/wire.js';
import { attachHealth, type Health, type HealthOptions } from '../../src/grpc/index.js';
import { listen } from './ads-server.js';
import { RawClient } from './raw-client.js';

const { HealthCheckRequest, HealthCheckResponse, HealthListResponse } = grpc.health.v1;
const [CHECK, LIST, WATCH] = ['Check', 'List', 'Watch'].map((name) => ({
  path: `/grpc.health.v1.Health/${name}`,
})) as [{ path: string }, { path: string }, { path: string }];
const [SERVING, NOT_SERVING, SERVICE_UNKNOWN] = [1, 2, 3];

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function start(options?: HealthOptions): Promise<{ health: Health; client: RawClient }> {
  const server = new Server();
  const health = attachHealth(server, options);
  const client = new RawClient(await listen(server));
  cleanups.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  return { health, client };
}

const about = (service: string): Uint8Array => HealthCheckRequest.encode({ service }).finish();
const toStatus = (bytes: unknown): number | undefined =>
  HealthCheckResponse.decode(bytes as Buffer).status;

describe('Check', () => {
  test.each([
    ['', SERVING],
    ['a.A', SERVING],
    ['b.B', NOT_SERVING],
  ])('"%s"', async (service, expected) => {
    const { health, client } = await start({ services: ['a.A', 'b.B'] });
    health.set('b.B', 'not-serving');
    expect(toStatus(await client.unary(about(service), CHECK))).toBe(expected);
  });

  test.each([
    ['a service that nobody serves', about('c.C')],
    ['a name that is too long', about('x'.repeat(1_001))],
    ['no request', Buffer.from([0xff])],
  ])('%s is not found', async (_, request) => {
    const { client } = await start();
    expect(await client.unary(request, CHECK)).toEqual({
      code: status.NOT_FOUND,
      details: 'unknown service',
    });
  });
});

test('List names every service', async () => {
  const { health, client } = await start({ services: ['a.A'] });
  health.set('', 'not-serving');
  const answer = await client.unary(Buffer.alloc(0), LIST);
  expect(HealthListResponse.decode(answer as Buffer).statuses).toEqual({
    '': { status: NOT_SERVING },
    'a.A': { status: SERVING },
  });
});

describe('Watch', () => {
  test('tells the status, and each change of it, also of a service that is new', async () => {
    const { health, client } = await start({ services: ['a.A'] });
    const known = client.call(WATCH).send(about('a.A')).end();
    const unknown = client.call(WATCH).send(about('b.B')).end();
    expect(toStatus(await known.message())).toBe(SERVING);
    expect(toStatus(await unknown.message())).toBe(SERVICE_UNKNOWN);
    health.set('a.A', 'serving');
    health.set('a.A', 'not-serving');
    health.set('b.B', 'serving');
    expect(toStatus(await known.message())).toBe(NOT_SERVING);
    expect(toStatus(await unknown.message())).toBe(SERVING);
  });

  test('a drain tells it and ends watches; what comes later is refused', async () => {
    const { health, client } = await start();
    const watch = client.call(WATCH).send(about('')).end();
    await watch.message();
    health.drain();
    expect(toStatus(await watch.message())).toBe(NOT_SERVING);
    const stopping = { code: status.UNAVAILABLE, details: 'server is shutting down' };
    expect(await watch.ended()).toEqual(stopping);
    health.set('', 'serving');
    expect(toStatus(await client.unary(about(''), CHECK))).toBe(NOT_SERVING);
    expect(await client.call(WATCH).send(about('')).end().ended()).toEqual(stopping);
  });

  test('one more than allowed is refused', async () => {
    const { client } = await start({ maxWatches: 1 });
    await client.call(WATCH).send(about('')).end().message();
    expect(await client.call(WATCH).send(about('')).end().ended()).toEqual({
      code: status.RESOURCE_EXHAUSTED,
      details: 'expected at most 1 watches',
    });
  });
});
