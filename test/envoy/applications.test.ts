import { request as httpRequest } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { beforeAll, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { tcpExchange } from '../../src/demo/tcp-client.js';
import { describeEnvoy, outcome, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// What applications must not notice: Envoy's defaults that break them, and what rules must not
// miss.
await describeEnvoy('applications behind sidecars', {}, ({ binary }) => {
  const harness = useHarness('applications');
  let mesh: TestMesh;
  let web: EnvoyProcess;
  let address: string;

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        app: [
          { port: 8080, kind: 'http' },
          { port: 8081, kind: 'http2' },
          { port: 8082, kind: 'http' },
        ],
      },
      mesh: (service) => {
        const target = (port: number): string => `"${service('app').target(port)}"`;
        return `
trustDomain: test.example
mtls: strict
services:
  web: {}
  app:
    ports:
      8080: { protocol: http, target: ${target(8080)} }
      8081: { protocol: grpc, target: ${target(8081)} }
      8082:
        protocol: http
        target: ${target(8082)}
        allow:
          - { from: [web], methods: [GET], paths: [/v1/*], not: { paths: [/v1/admin/*] } }
          - { from: [web], paths: ["/items/{*}/price"] }
        deny:
          - { from: [web], paths: [/v1/secret] }
`;
      },
    });
    await mesh.sidecar('app');
    web = await mesh.sidecar('web');
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    address = await mesh.outboundAddress('web', 'app');
  }, 60_000);

  test('between sidecars HTTP is HTTP/2, to the application HTTP/1.1', async () => {
    const answer = await httpCall({ address, port: 8080 });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ httpVersion: '1.1' });
    const stat = 'cluster.app:8080.upstream_cx_http2_total';
    expect(await web.admin.stat(stat.replace('app:8080', 'app_8080'))).toBeGreaterThan(0);
  });

  test('WebSocket upgrades pass, over HTTP/2 between the sidecars', async () => {
    const key = Buffer.from('0123456789abcdef').toString('base64');
    const echoed = await new Promise<string>((resolve, reject) => {
      const request = httpRequest({
        host: address,
        port: 8080,
        path: '/upgrade',
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': key,
          'sec-websocket-version': '13',
        },
      });
      request.on('upgrade', (response, socket, head) => {
        let received = head.toString();
        const look = (): void => {
          if (!received.includes('ping')) return;
          socket.destroy();
          resolve(`${response.statusCode} ${received}`);
        };
        socket.on('data', (bytes: Buffer) => {
          received += bytes.toString();
          look();
        });
        socket.write('ping');
        look();
      });
      request.on('response', (response) => reject(new Error(`status ${response.statusCode}`)));
      request.on('error', reject);
      request.end();
    });
    expect(echoed).toMatch(/^101 .*ping/s);
  });

  test('HTTP/1.0 without Host is served', async () => {
    const { received } = await tcpExchange({
      address,
      port: 8080,
      send: 'GET /old HTTP/1.0\r\n\r\n',
      until: (text) => text.includes('/old'),
    });
    expect(received).toMatch(/^HTTP\/1\.[01] 200/);
  });

  test('the Server header is the application’s own, and no x-envoy header is added', async () => {
    const { headers } = await httpCall({ address, port: 8080 });
    expect(headers['server']).toBeUndefined();
    expect(Object.keys(headers).filter((name) => name.startsWith('x-envoy'))).toEqual([]);
  });

  test('grpc ports speak HTTP/2 end to end', async () => {
    const session = http2Connect(`http://${address}:8081`);
    const status = await new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/pkg.Service/Method', ':method': 'POST' });
      stream.on('response', (headers) => resolve(headers[':status']));
      stream.on('error', reject);
      session.on('error', reject);
      stream.end();
    });
    session.close();
    expect(status).toBe(200);
  });

  test.each([
    ['GET', '/v1/list', '200'],
    ['GET', '/v1', '200'],
    ['GET', '/v1/list?x=/v1/admin/', '200'],
    ['POST', '/v1/list', '403'],
    ['GET', '/v1/admin/users', '403'],
    ['GET', '/v1//admin/users', '403'],
    ['GET', '/v1/x/../admin/users', '403'],
    ['GET', '/v1/%61dmin/users', '403'],
    ['GET', '/v1/admin%2fusers', '400'],
    ['GET', '/v1/secret', '403'],
    ['GET', '/v2/list', '403'],
    ['GET', '/v1x', '403'],
    ['POST', '/items/7/price', '200'],
    ['POST', '/items/7/8/price', '403'],
    ['POST', '/items/price', '403'],
  ])('rules: %s %s is answered %s', async (method, path, wanted) => {
    expect(await outcome(httpCall({ address, port: 8082, method, path }))).toBe(wanted);
  });
});
