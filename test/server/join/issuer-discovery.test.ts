// OIDC discovery over real https, and an issuer in a running server's mesh.yaml: an edit of it cuts
// no stream.
import { writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { systemClock, systemRandom } from '../../../src/base/index.js';
import { loadOrCreateAuthority } from '../../../src/ca/index.js';
import { replaceFile } from '../../../src/demo/replace-file.js';
import { NodeIssuers } from '../../../src/server/join/index.js';
import type { Fetch } from '../../../src/server/join/issuers/fetch-json.js';
import { parseSpiffeId } from '../../../src/spiffe/index.js';
import { TYPE_URLS } from '../../../src/xds/index.js';
import { startTestServer, type TestServer } from '../../harness/running-server.js';
import { meshOf } from '../../policy/helpers.js';
import { MemoryDataDir, meshErrorOf } from '../../x509/tools.js';
import { issue, issuerKey } from './issuer-tokens.js';

const KEY = issuerKey('ES256', 'k');
const SET = JSON.stringify({ keys: [KEY.jwk] });

describe('discovery', () => {
  let server: Server;
  let base: string;
  let fetch: Fetch;
  let handle: RequestListener;
  const asked: string[] = [];

  beforeAll(async () => {
    const tools = { dataDir: new MemoryDataDir(), clock: systemClock, random: systemRandom };
    const made = await loadOrCreateAuthority({ ...tools, trustDomain: 'id.example' });
    const leaf = await made.authority.issueLeaf({
      spiffeId: parseSpiffeId('spiffe://id.example/ns/default/sa/id'),
      dnsNames: ['localhost'],
      ttlMs: 3_600_000,
      key: 'ecdsa-p256',
    });
    server = createServer({ key: leaf.keyPem, cert: leaf.chainPem }, (incoming, response) => {
      asked.push(incoming.url ?? '');
      handle(incoming, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `https://localhost:${(server.address() as AddressInfo).port}`;
    const ca = made.authority.trustAnchorsPem;
    // Node's own fetch takes further anchors by NODE_EXTRA_CA_CERTS, when a process starts.
    fetch = (url, { signal }) =>
      new Promise((resolve, reject) => {
        const call = request(url, { ca, signal, family: 4 }, async (incoming) => {
          const body: Buffer[] = await incoming.toArray();
          resolve(new Response(Buffer.concat(body), { status: incoming.statusCode ?? 0 }));
        });
        call.on('error', reject).end();
      });
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  beforeEach(() => asked.splice(0));

  const verify = async (documentOf: () => object) => {
    handle = ({ url }, response) => {
      if (url === '/tenant/keys') response.end(SET);
      else if (url === '/tenant/.well-known/openid-configuration') {
        response.end(JSON.stringify(documentOf()));
      } else response.writeHead(404).end();
    };
    const mesh = meshOf(`trustDomain: shop.example
services: { web: {} }
nodeIssuers:
  - issuer: ${base}/tenant
    audiences: [countersign]
    nodes: [ { service: web, claims: { sub: web } } ]`);
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const issuers = new NodeIssuers({
      issuers: () => mesh.nodeIssuers,
      clock: systemClock,
      logger,
      fetch,
    });
    const nowMs = systemClock.now();
    const exp = Math.floor(nowMs / 1000) + 3_600;
    const claims = { iss: `${base}/tenant`, aud: 'countersign', sub: 'web', exp };
    return issuers.verify(`${base}/tenant`, issue(KEY, claims), nowMs);
  };

  it('finds the keys', async () => {
    const found = () => ({ issuer: `${base}/tenant`, jwks_uri: `${base}/tenant/keys` });
    expect(await verify(found)).toMatchObject({ service: 'web' });
    expect(asked).toEqual(['/tenant/.well-known/openid-configuration', '/tenant/keys']);
  });

  it.each<[string, () => object, string]>([
    [
      'of another issuer',
      () => ({ issuer: base, jwks_uri: `${base}/tenant/keys` }),
      'a discovery document of another issuer',
    ],
    [
      'with keys over plain http',
      () => ({ issuer: `${base}/tenant`, jwks_uri: 'http://localhost/keys' }),
      'a discovery document without an https jwks_uri',
    ],
    [
      'without keys',
      () => ({ issuer: `${base}/tenant` }),
      'a discovery document without an https jwks_uri',
    ],
    [
      'whose keys are not there',
      () => ({ issuer: `${base}/tenant`, jwks_uri: `${base}/gone` }),
      'HTTP status 404',
    ],
  ])('of a document %s lets nobody in', async (_name, documentOf, got) => {
    const error = await meshErrorOf(() => verify(documentOf));
    expect(error).toMatchObject({
      code: 'issuer-unreachable',
      message: `expected the keys of the issuer but got ${got}`,
    });
  });
});

describe('a running server', () => {
  let running: TestServer;
  const meshWith = (issuers: string): string =>
    `trustDomain: test.example\nservices: { web: {} }\n${issuers}`;
  const ISSUERS = `nodeIssuers:
  - issuer: ci
    audiences: [countersign]
    jwks: ./ci.json
    nodes: [ { service: web, claims: { sub: web }, instance: run } ]
`;
  beforeAll(async () => {
    running = await startTestServer('services: { web: {} }');
    await writeFile(join(running.dir, 'ci.json'), SET);
  });
  afterAll(() => running.close());

  const token = (run: string): string => {
    const exp = Math.floor(systemClock.now() / 1000) + 3_600;
    return issue(KEY, { iss: 'ci', aud: ['countersign'], sub: 'web', run, exp });
  };
  const edit = async (text: string): Promise<void> => {
    await replaceFile(running.meshPath, text);
    // A client that never answers keeps the second edit from being in force on it.
    await running.get('/v1/wait?timeout_ms=3000');
  };

  test('takes an issuer over from mesh.yaml, and cuts no stream when it goes', async () => {
    expect(await running.refusal('web~1', { token: token('1') })).toMatchObject({
      code: status.UNAUTHENTICATED,
    });
    await edit(meshWith(ISSUERS));
    const open = running.join('web~1', { token: token('1') });
    const first = await open.next();
    expect(first ?? (await open.ended())).toMatchObject({ typeUrl: TYPE_URLS.cluster });
    expect(await running.refusal('web~2', { token: token('1') })).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: 'the token is for instance "1" of "web" but the node is another one',
    });
    await edit(meshWith(''));
    expect(await running.refusal('web~3', { token: token('3') })).toMatchObject({
      code: status.UNAUTHENTICATED,
      details: 'expected a token of this server but got one of an issuer that is not trusted',
    });
    const { proxies } = await running.status();
    expect(proxies.map(({ node }) => node)).toEqual(['web~1']);
    expect(JSON.stringify(running.log)).not.toContain('eyJ');
  });
});
