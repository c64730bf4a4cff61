import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import { type AdminHandler, toJsonReply } from '../../../src/server/status/admin.js';
import { createAdminServer } from '../../../src/server/status/index.js';

const errors: unknown[] = [];
const server = createAdminServer({
  routes: new Map<string, AdminHandler>([
    ['/healthz', () => ({ body: 'ok\n' })],
    ['/v1/echo', ({ query }) => toJsonReply({ name: query.get('name') })],
    [
      '/v1/unknown',
      () => {
        throw new MeshError('service-unknown', 'no such service', { hint: 'declare it' });
      },
    ],
    [
      '/v1/defect',
      () => {
        throw new TypeError('a private detail');
      },
    ],
  ]),
  authorize: (authorization) => authorization === 'Bearer good',
  onError: (error) => errors.push(error),
});
let port = 0;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

function ask(path: string, { method = 'GET', host = '127.0.0.1' } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { host };
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

describe('requests', () => {
  it.each<[string, string, { method?: string; host?: string }, number, string]>([
    ['text', '/healthz', {}, 200, 'ok\n'],
    ['JSON', '/v1/echo?name=web', {}, 200, '{"name":"web"}\n'],
    ['HEAD has no body', '/healthz', { method: 'HEAD' }, 200, ''],
    ['another path', '/nothing', {}, 404, '{"error":"no such path \\"/nothing\\""}\n'],
    [
      'a path within a known one',
      '/healthz/x',
      {},
      404,
      '{"error":"no such path \\"/healthz/x\\""}\n',
    ],
    ['POST', '/healthz', { method: 'POST' }, 405, '{"error":"expected GET but got POST"}\n'],
    ['DELETE', '/v1/echo', { method: 'DELETE' }, 405, '{"error":"expected GET but got DELETE"}\n'],
    ['localhost', '/healthz', { host: 'localhost:18080' }, 200, 'ok\n'],
    ['an IPv6 host', '/healthz', { host: '[::1]:18080' }, 200, 'ok\n'],
  ])('%s', async (_, path, options, status, body) => {
    expect(await ask(path, options)).toMatchObject({ status, body });
  });

  it.each([
    'evil.example',
    'evil.example:18080',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
  ])("a page of %s can't read it by DNS rebinding", async (host) => {
    const { status, body } = await ask('/v1/echo?name=web', { host });
    expect([status, JSON.parse(body)]).toEqual([
      403,
      { error: 'expected a Host header that is an IP address or localhost, or an admin token' },
    ]);
  });

  it('answers are never cached, and never guessed to be of another type', async () => {
    const { headers } = await ask('/healthz');
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
  });
});

describe('errors', () => {
  it('of input: by their code', async () => {
    const { status, body } = await ask('/v1/unknown');
    expect([status, JSON.parse(body)]).toEqual([
      404,
      { error: 'no such service', code: 'service-unknown', hint: 'declare it' },
    ]);
  });

  it('of ours: to the log in full, outside as "internal error"', async () => {
    expect(await ask('/v1/defect')).toMatchObject({
      status: 500,
      body: '{"error":"internal error"}\n',
    });
    expect(errors).toEqual([new TypeError('a private detail')]);
  });
});

it('a program of the host that holds connections leaves files to the disk', async () => {
  const sockets = Array.from({ length: 130 }, () => connect(port, '127.0.0.1'));
  for (const socket of sockets) socket.on('error', () => undefined);
  const closed = sockets.map((socket) => once(socket, 'close'));
  await Promise.race(closed);
  const count = await new Promise<number>((resolve) => server.getConnections((_, n) => resolve(n)));
  expect(count).toBeLessThanOrEqual(100);
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  expect((await ask('/healthz')).status).toBe(200);
});
