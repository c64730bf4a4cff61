import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { run } from '../../src/cli/program.js';
import { type HttpAnswer, httpCall } from '../../src/demo/http-client.js';
import type { KeyType } from '../../src/spiffe/index.js';
import type { Io } from '../../src/terminal/index.js';
import { describeEnvoy, outcome, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// Clients without a sidecar, whose certificates a running server gave them for keys of their own,
// at the STRICT port of a stock Envoy.
const PORT = 8080;
const KEYS: readonly KeyType[] = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072'];

for (const version of ['1.40.0', '1.36.4']) {
  const name = `certificates by cert --xds, Envoy ${version}`;
  await describeEnvoy(name, { version }, ({ binary }) => showClients(binary, version));
}

function showClients(binary: string, version: string): void {
  const harness = useHarness(`certificate-clients-${version}`);
  let mesh: TestMesh;

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], reports: [], ledger: [{ port: PORT, kind: 'http' }] },
      mesh: (service) => {
        return `
trustDomain: test.example
mtls: strict
services:
  web: {}
  reports: {}
  ledger:
    allow: [ { from: [web] } ]
    ports:
      ${PORT}: { protocol: http, target: "${service('ledger').target(PORT)}" }
`;
      },
    });
    await mesh.sidecar('ledger');
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 90_000);

  /** Runs the command line; its text is on stdout or in the error. */
  async function countersign(...argv: readonly string[]): Promise<string> {
    let text = '';
    const output = {
      isTTY: false,
      write(written: string) {
        text += written;
      },
    };
    const system = { clock: systemClock, random: systemRandom, onStop: () => () => undefined };
    const io: Io = { stdout: output, stderr: output, ...system };
    const code = await run(argv, io);
    if (code !== 0) throw new Error(text);
    return text;
  }

  async function order(service: string, key: KeyType): Promise<string> {
    const anchor = join(mesh.dir, 'xds.pem');
    await writeFile(anchor, await countersign('ca', 'bundle', '--xds', '--data', mesh.dataPath));
    const token = join(mesh.dir, `${service}.token`);
    await writeFile(token, await mesh.token(service));
    const { host, port } = mesh.server().xdsAddress;
    const out = join(mesh.dir, `${service}-${key}`);
    const server = ['--xds', `${host}:${port}`, '--xds-ca', anchor, '--token-file', token];
    await countersign('cert', service, '--out', out, '--key', key, ...server);
    return out;
  }

  async function call(out: string): Promise<HttpAnswer> {
    const [key, cert, ca] = await Promise.all(
      ['key.pem', 'cert.pem', 'bundle.pem'].map((name) => readFile(join(out, name), 'utf8')),
    );
    const { address } = mesh.service('ledger');
    const own = key === undefined || cert === undefined ? {} : { key, cert };
    const tls = { ...own, ...(ca === undefined ? {} : { ca }), verifyName: 'ledger.default' };
    return httpCall({ address, port: PORT, tls });
  }

  test.each(KEYS)('%s: known by its identity, and the bundle verifies the Envoy', async (key) => {
    const answer = await call(await order('web', key));
    expect(answer.status).toBe(200);
    const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
    expect(headers['x-forwarded-client-cert']).toContain(
      'URI=spiffe://test.example/ns/default/sa/web',
    );
  });

  test('of a service that no rule lets in: refused by its identity', async () => {
    expect((await call(await order('reports', 'ecdsa-p256'))).status).toBe(403);
  });

  test('without a certificate: refused', async () => {
    const { address } = mesh.service('ledger');
    expect(await outcome(httpCall({ address, port: PORT, tls: {} }))).toBe('refused');
  });
}
