import { copyFile, cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { type Leaf, loadAuthority } from '../../src/ca/index.js';
import { provideCertificate } from '../../src/cli/certificate-source.js';
import { writeOutput } from '../../src/cli/output-file.js';
import { openDataDir } from '../../src/data/index.js';
import { recordHandedOut } from '../../src/leaves/index.js';
import { serviceName } from '../../src/policy/index.js';
import type { RefusalStatus } from '../../src/server/status/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { describeEnvoy, eventually, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// How stock sidecars prove their service, and what is seen of those that can't any more.
const HOUR_MS = 3_600_000;

await describeEnvoy('node authentication', {}, ({ binary }) => {
  const harness = useHarness('node-authentication');
  let mesh: TestMesh;

  beforeAll(async () => {
    const services = { web: [], ledger: [] };
    const text = 'trustDomain: test.example\nservices: { web: {}, ledger: {} }\n';
    mesh = await startMesh(harness, { binary, services, mesh: () => text });
  }, 60_000);

  const issue = async (service: string): Promise<Leaf> => {
    const dataDir = await openDataDir({ path: mesh.dataPath, lock: false });
    const tools = { dataDir, clock: systemClock, random: systemRandom };
    const authority = await loadAuthority(tools);
    const spiffeId = parseSpiffeId(`spiffe://test.example/ns/default/sa/${service}`);
    const request = { spiffeId, dnsNames: [], ttlMs: HOUR_MS, key: 'ecdsa-p256' } as const;
    const certificate = await authority.issueLeaf(request);
    // As `countersign cert` does: nobody proves anything by a certificate that isn't on record.
    await recordHandedOut(dataDir, { certificate, service });
    return certificate;
  };
  const write = (dir: string, name: string, content: string): Promise<void> =>
    writeOutput({ path: join(dir, name), content, mode: 0o600, random: systemRandom });
  /** By which credential each stream of a node was opened. */
  const credential = (node: string): readonly string[] =>
    mesh.log
      .filter((entry) => entry.message === 'sidecar connected')
      .map((entry) => entry as unknown as { node: string; credential: string })
      .filter((entry) => entry.node === node)
      .map((entry) => entry.credential);
  const byCertificate = ({ serialHex }: Leaf): string => `certificate ${serialHex}`;
  const reconnect = async (): Promise<void> => {
    await mesh.stop();
    await mesh.start();
  };

  test('a client certificate is enough, and is renewed without a restart', async () => {
    // 1. A sidecar that has a pair, and no token.
    const dir = join(mesh.dir, 'tls');
    const first = await issue('web');
    await write(dir, 'key.pem', first.keyPem);
    await write(dir, 'cert.pem', first.chainPem);
    const parts = { clock: systemClock, random: systemRandom, mesh: undefined };
    const certificate = await provideCertificate({ ...parts, dir, service: serviceName('web') });
    const envoy = await mesh.sidecar('web', { certificate, instance: 'one' });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(credential('web~one')).toEqual([byCertificate(first)]);
    const log = (): string => envoy.process.log().join('\n');
    expect(log()).not.toMatch(/BEGIN|PRIVATE/);

    // 2. Renewed as `cert --watch` does, the key first: while the two don't match, the old pair
    // serves.
    const second = await issue('web');
    await write(dir, 'key.pem', second.keyPem);
    await eventually(async () => log().includes('KEY_VALUES_MISMATCH'), {
      what: 'Envoy to see the new key',
      timeoutMs: 20_000,
    });
    await reconnect();
    await eventually(async () => credential('web~one').length === 2, {
      what: 'a connect with the old pair',
      timeoutMs: 40_000,
    });
    expect(credential('web~one')).toEqual([byCertificate(first), byCertificate(first)]);

    // 3. The certificate follows: the new pair is used at the next connect, without a restart.
    await write(dir, 'cert.pem', second.chainPem);
    await eventually(
      async () => {
        await reconnect();
        await eventually(async () => (await mesh.status()).proxies.length === 1, {
          what: 'the sidecar to be back',
          timeoutMs: 40_000,
        });
        return credential('web~one').at(-1) === byCertificate(second);
      },
      { what: 'a connect with the new pair', timeoutMs: 60_000 },
    );
    await envoy.process.stop();
  }, 180_000);

  test('a copy of the folder of bootstrap --out starts, and its token is renewed', async () => {
    // 1. From another place, in another working folder than its own.
    const { address, outbound } = mesh.service('web');
    const { host, port } = mesh.server().xdsAddress;
    const [made, copy] = [join(mesh.dir, 'made'), join(mesh.dir, 'a copy')];
    const where = ['--address', address, '--outbound', outbound, '--xds', `${host}:${port}`];
    const argv = ['bootstrap', 'web', ...where, '--out', made, '--data', mesh.dataPath];
    await harness.command(argv);
    await cp(made, copy, { recursive: true });
    await rm(made, { recursive: true });
    const env = { ...process.env, ENVOY: binary };
    const args = ['--log-level', 'warning', '--concurrency', '1'];
    const started = { name: 'run.sh', command: join(copy, 'run.sh'), args, env, cwd: '/' };
    const child = (await harness.process(started)).child;
    const node = `web~${address}`;
    await eventually(async () => credential(node).length === 1, {
      what: 'the sidecar of the folder',
      timeoutMs: 20_000,
    });

    // 2. The token's file, named by a relative path, is watched: the next one is shown.
    const token = await mesh.token('web');
    await write(copy, 'token', `${token}\n`);
    const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    await reconnect();
    await eventually(async () => credential(node).at(-1) === `token ${jti}`, {
      what: 'a connect with the new token',
      timeoutMs: 40_000,
    });
    await child.stop();
  }, 90_000);

  test('a lost server is noticed', async () => {
    const envoy = await mesh.sidecar('ledger', { instance: 'lost' });
    const refused = (code: string): Promise<readonly RefusalStatus[]> =>
      eventually(
        async () => {
          const found = (await mesh.status()).refused.filter((one) => one.code === code);
          return found.length > 0 && found;
        },
        { what: code, timeoutMs: 60_000 },
      );

    // 1. A new data folder: the sidecar's bootstrap pins the anchor of the old one.
    await mesh.stop();
    await rename(mesh.dataPath, `${mesh.dataPath}.lost`);
    await mesh.start();
    expect((await refused('xds-anchor-unknown'))[0]).toEqual({
      peer: expect.stringMatching(/^127\./),
      code: 'xds-anchor-unknown',
      reason: "a client does not trust this server's xDS certificate",
      hint:
        "its bootstrap pins another server's anchor: the data folder may be a new one; bring the " +
        'right one back, or make a new bootstrap with `countersign bootstrap`',
      count: expect.any(Number),
      lastAt: expect.any(String),
    });

    // 2. One restored from before the token's key was made.
    await mesh.stop();
    await rename(mesh.dataPath, `${mesh.dataPath}.new`);
    await rename(`${mesh.dataPath}.lost`, mesh.dataPath);
    const keys = join(mesh.dataPath, 'token-keys.json');
    await rename(keys, `${mesh.dataPath}.keys`);
    await copyFile(join(`${mesh.dataPath}.new`, 'token-keys.json'), keys);
    await mesh.start();
    expect((await refused('token-key-unknown'))[0]).toEqual({
      peer: expect.stringMatching(/^127\./),
      claim: 'ledger~lost',
      code: 'token-key-unknown',
      reason: 'expected a token signed by a key of this server but got an unknown key',
      hint: expect.stringContaining('restored from an older backup'),
      count: expect.any(Number),
      lastAt: expect.any(String),
    });

    // Envoy's own log says it as it was written.
    const reason = 'expected a token signed by a key of this server but got an unknown key';
    await eventually(async () => envoy.process.log().join('\n').includes(reason), {
      what: "the reason in Envoy's log",
      timeoutMs: 40_000,
    });

    // 3. The right one again: the sidecar is back by itself, without a restart of the server.
    await rename(`${mesh.dataPath}.keys`, keys);
    await eventually(async () => (await mesh.status()).proxies.length === 1, {
      what: 'the sidecar to be back',
      timeoutMs: 60_000,
    });
    await envoy.process.stop();
  }, 240_000);
});
