import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { experimental, Server } from '@grpc/grpc-js';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { MeshError, systemClock, systemRandom } from '../../src/base/index.js';
import { loadAuthority } from '../../src/ca/index.js';
import { loadOrCreateServerCredential } from '../../src/ca/xds/index.js';
import { openDataDir } from '../../src/data/index.js';
import { attachCertificates } from '../../src/grpc/certificates/index.js';
import { CertificateOwners, listHandedOut } from '../../src/leaves/index.js';
import { parseMesh } from '../../src/policy/index.js';
import { type RunningServer, startServer } from '../../src/server/index.js';
import { createCertificateService } from '../../src/server/join/index.js';
import { authenticateCaller } from '../../src/server/join/proof.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { Cli, MESH } from './cli.js';

// `cert` on a machine that has no data folder, against a running server over real TLS: the time is
// the system's, which TLS goes by.

const SPIFFE_ID = 'spiffe://shop.example/ns/payments/sa/ledger';
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let cli: Cli;
beforeEach(() => {
  cli = new Cli({ clock: new ManualClock(systemClock.now()) });
});

const DATA = ['--data', '<dir>/data'] as const;
const read = (name: string): string => readFileSync(cli.path(`tls/${name}`), 'utf8');

async function serve(port = 0): Promise<RunningServer> {
  cli.write('mesh.yaml', MESH);
  const server = await startServer({
    ...{ meshPath: cli.path('mesh.yaml'), dataPath: cli.path('data'), logger: silent },
    ...{ xds: { host: '127.0.0.1', port }, admin: { host: '127.0.0.1', port: 0 } },
  });
  onTestFinished(() => server.close());
  return server;
}

async function token(name = 'payments/ledger', ttl = '1h'): Promise<void> {
  const { stdout } = await cli.run('token', name, '--ttl', ttl, ...DATA);
  cli.write('token', stdout);
}

/** A running server, its anchor in `xds.pem`, and a token in `token`. */
async function prepare(): Promise<RunningServer> {
  const server = await serve();
  cli.write('xds.pem', (await cli.run('ca', 'bundle', '--xds', ...DATA)).stdout);
  await token();
  return server;
}

const order = (port: number, ...more: readonly string[]): readonly string[] => [
  ...['cert', 'payments/ledger', '--out', '<dir>/tls', '--xds', `127.0.0.1:${port}`],
  ...['--xds-ca', '<dir>/xds.pem', ...more],
];
const BY_TOKEN = ['--token-file', '<dir>/token'] as const;

const dataDirOf = () => openDataDir({ path: cli.path('data'), lock: false });

describe('cert --xds', () => {
  test('key, chain and bundle that openssl accepts; recorded with the token', async () => {
    const { xdsAddress } = await prepare();
    const { code, stdout, stderr } = await cli.run(...order(xdsAddress.port, ...BY_TOKEN));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const leaf = new X509Certificate(read('cert.pem'));
    const serial = leaf.serialNumber.toLowerCase();
    const ends = new Date(leaf.validTo).toISOString();
    expect(stdout).toBe(
      'wrote key.pem, cert.pem and bundle.pem to <dir>/tls\n' +
        `${SPIFFE_ID} serial ${serial}, ends ${ends}\n`,
    );
    expect(statSync(cli.path('tls/key.pem')).mode & 0o777).toBe(0o600);
    const chain = ['-CAfile', cli.path('tls/bundle.pem'), '-untrusted', cli.path('tls/cert.pem')];
    const argv = ['verify', '-x509_strict', ...chain, cli.path('tls/cert.pem')];
    expect(execFileSync('openssl', argv, { encoding: 'utf8' })).toMatch(/OK\n$/);
    expect(await listHandedOut(await dataDirOf())).toMatchObject([
      { serialHex: serial, service: 'payments/ledger', credential: { kind: 'token' } },
    ]);
  });

  test('--ttl, --key and --json', async () => {
    const { xdsAddress } = await prepare();
    const more = ['--ttl', '10m', '--key', 'ecdsa-p384', '--json'];
    const { stdout } = await cli.run(...order(xdsAddress.port, ...BY_TOKEN, ...more));
    const { validTo, publicKey, serialNumber } = new X509Certificate(read('cert.pem'));
    expect(publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'secp384r1' });
    expect(Math.abs(Date.parse(validTo) - systemClock.now() - 600_000)).toBeLessThan(60_000);
    expect(JSON.parse(stdout)).toEqual({
      certificate: {
        serial: serialNumber.toLowerCase(),
        service: 'payments/ledger',
        spiffeId: SPIFFE_ID,
        notAfter: new Date(validTo).toISOString(),
        out: '<dir>/tls',
      },
    });
  });

  test('--p12: a PKCS #12 file of the same certificate', async () => {
    const { xdsAddress } = await prepare();
    const p12 = ['--p12', '<dir>/web.p12'];
    const { code } = await cli.run(...order(xdsAddress.port, ...BY_TOKEN, ...p12));
    expect(code).toBe(0);
    const from = ['-in', cli.path('web.p12'), '-passin', `file:${cli.path('web.p12.password')}`];
    const argv = ['pkcs12', ...from, '-nokeys', '-clcerts'];
    const leaf = execFileSync('openssl', argv, { stdio: ['ignore', 'pipe', 'ignore'] });
    expect(new X509Certificate(leaf).serialNumber).toBe(
      new X509Certificate(read('cert.pem')).serialNumber,
    );
  });

  test("another service's token: reported, and nothing is written", async () => {
    const { xdsAddress } = await prepare();
    await token('web');
    expect(await cli.run(...order(xdsAddress.port, ...BY_TOKEN))).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected a certificate for "payments/ledger" but got one for ' +
        'spiffe://shop.example/ns/default/sa/web\n' +
        '  hint: the token is for another service: make one with ' +
        '`countersign token payments/ledger`\n',
    });
    expect(existsSync(cli.path('tls'))).toBe(false);
  });

  test('a token that is none', async () => {
    const { xdsAddress } = await prepare();
    cli.write('token', 'secret-but-wrong');
    const { code, stderr } = await cli.run(...order(xdsAddress.port, ...BY_TOKEN));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'error: the server refuses: expected a token of three parts in base64url ' +
        'but got another form\n',
    });
  });

  test('nobody listens: exit code 3', async () => {
    const server = await prepare();
    await server.close();
    const { code, stderr } = await cli.run(...order(server.xdsAddress.port, ...BY_TOKEN));
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^error: expected a server at 127\.0\.0\.1:\d+ but got: .*ECONNREFUSED.*\n {2}hint: name /,
    );
  });

  test('a server of another anchor: exit code 3, and it never sees the token', async () => {
    const { xdsAddress } = await prepare();
    const other = new Cli({ clock: cli.clock });
    await other.prepareData();
    const { stdout } = await other.run('ca', 'bundle', '--xds', ...DATA);
    cli.write('xds.pem', stdout);
    const { code, stderr } = await cli.run(...order(xdsAddress.port, ...BY_TOKEN));
    expect(code).toBe(3);
    expect(stderr).toMatch(/certificate/);
    expect(await listHandedOut(await dataDirOf())).toEqual([]);
  });

  test.each<[name: string, argv: readonly string[], told: string]>([
    [
      'without --xds-ca',
      ['cert', 'web', '--out', '<dir>/tls', '--xds', '127.0.0.1:1'],
      'expected --xds-ca with --xds, since the anchor proves that it is the server',
    ],
    [
      '--token-file without --xds',
      ['cert', 'web', '--out', '<dir>/tls', ...BY_TOKEN, ...DATA],
      'expected --xds with --token-file',
    ],
    [
      '--list with --xds',
      ['cert', '--list', '--xds', '127.0.0.1:1'],
      'expected --list without --xds',
    ],
    [
      'no port',
      ['cert', 'web', '--out', '<dir>/tls', '--xds', '127.0.0.1'],
      '--xds: expected an address and port but got "127.0.0.1"',
    ],
    [
      'no anchor file',
      [...order(1, ...BY_TOKEN)],
      '--xds-ca: expected a file to read at <dir>/xds.pem but got ENOENT',
    ],
  ])('used wrongly: %s', async (_name, argv, told) => {
    const { code, stdout, stderr } = await cli.run(...argv);
    expect({ code, stdout, told: stderr.split('\n')[0] }).toEqual({
      ...{ code: 2, stdout: '', told: `error: ${told}` },
    });
  });

  test('no token and no certificate in force', async () => {
    cli.write('xds.pem', anchorLike());
    const { code, stderr } = await cli.run(...order(1));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: expected --token-file, since --out holds no valid certificate/);
    cli.write('token', 'two words');
    expect((await cli.run(...order(1, ...BY_TOKEN))).stderr).toMatch(
      /^error: --token-file: expected a token in <dir>\/token but got something else\n/,
    );
    cli.write('xds.pem', 'x');
    expect((await cli.run(...order(1, ...BY_TOKEN))).stderr).toMatch(
      /^error: --xds-ca: expected a certificate in PEM in <dir>\/xds\.pem but got something else\n/,
    );
  });

  test('--watch renews at half of the life, and when the server is back', async () => {
    const server = await prepare();
    const { port } = server.xdsAddress;
    const running = cli.start(...order(port, ...BY_TOKEN, '--watch', '--ttl', '1m'));
    const wrote = (): number => running.stdout().match(/wrote key\.pem/g)?.length ?? 0;
    const untilPaused = (count: number): Promise<void> =>
      running.until(() => wrote() >= count && cli.clock.pending > 0);
    await untilPaused(1);
    const first = read('cert.pem');
    cli.clock.advance(29_000);
    expect(read('cert.pem')).toBe(first);
    await server.close();
    cli.clock.advance(2_000);
    await running.until(({ stderr }) => stderr().includes('ECONNREFUSED'));
    await running.until(() => cli.clock.pending > 0);
    expect(read('cert.pem')).toBe(first);
    await serve(port);
    cli.clock.advance(5_000);
    await untilPaused(2);
    const second = read('cert.pem');
    expect(second).not.toBe(first);
    running.stop();
    expect(await running.done).toMatchObject({ code: 0 });
    expect(cli.clock.pending).toBe(0);
  });
});

/** The certificate service as on the xDS port, but it asks for client certificates. */
async function serveWithClientCertificates(refused: 'certificates' | 'nothing') {
  const dataDir = await dataDirOf();
  const identity = { dataDir, clock: systemClock, random: systemRandom };
  const authority = await loadAuthority(identity);
  const credential = await loadOrCreateServerCredential(identity);
  const { mesh } = parseMesh([{ path: 'mesh.yaml', text: MESH }]);
  const logger = recordingLogger();
  const server = new Server();
  const tokens = await createTokenKeys(identity);
  const owners = new CertificateOwners(dataDir, systemClock);
  attachCertificates(server, {
    logger,
    issue: createCertificateService({
      ...{ clock: systemClock, logger, authority, dataDir },
      mesh: () => {
        if (mesh === undefined) throw new Error('expected a good mesh');
        return mesh;
      },
      async prove(caller, inForce) {
        if (caller.certificate !== undefined && refused === 'certificates') {
          throw new MeshError('certificate-refused', 'it was revoked');
        }
        const ownerOf = (serialHex: string) => owners.ownerOf(serialHex);
        const nowMs = systemClock.now();
        return authenticateCaller(caller, { tokens, mesh: inForce, nowMs, ownerOf });
      },
    }),
  });
  const { chainPem, keyPem } = credential.certificate();
  const provider: Parameters<typeof experimental.createCertificateProviderServerCredentials>[0] = {
    addCaCertificateListener: (listener) =>
      queueMicrotask(() => listener({ caCertificate: Buffer.from(authority.trustAnchorsPem) })),
    removeCaCertificateListener() {},
    addIdentityCertificateListener: (listener) =>
      queueMicrotask(() =>
        listener({ certificate: Buffer.from(chainPem), privateKey: Buffer.from(keyPem) }),
      ),
    removeIdentityCertificateListener() {},
  };
  const port = await new Promise<number>((resolve, reject) => {
    const own = experimental.createCertificateProviderServerCredentials(provider, provider, false);
    server.bindAsync('127.0.0.1:0', own, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => {
    server.forceShutdown();
    credential.close();
  });
  return { port, logger };
}

describe('a renewal', () => {
  const serialOf = (): string =>
    new X509Certificate(read('cert.pem')).serialNumber.toLowerCase().replace(/^0+/, '');

  test('is had by the certificate in force: the token may be gone', async () => {
    const { xdsAddress } = await prepare();
    await cli.run(...order(xdsAddress.port, ...BY_TOKEN));
    const first = serialOf();
    const { port } = await serveWithClientCertificates('nothing');
    const { code, stderr } = await cli.run(...order(port));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const records = await listHandedOut(await dataDirOf());
    expect(records.find(({ serialHex }) => serialHex === serialOf())).toMatchObject({
      credential: { kind: 'certificate', serialHex: first },
      origin: { kind: 'token' },
    });
  });

  test('falls back to the token where the certificate is refused', async () => {
    const { xdsAddress } = await prepare();
    await cli.run(...order(xdsAddress.port, ...BY_TOKEN));
    const { port, logger } = await serveWithClientCertificates('certificates');
    expect(await cli.run(...order(port, ...BY_TOKEN))).toMatchObject({ code: 0, stderr: '' });
    const record = (await listHandedOut(await dataDirOf())).find(
      ({ serialHex }) => serialHex === serialOf(),
    );
    expect(record?.credential?.kind).toBe('token');
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'certificate refused',
      'certificate handed out',
    ]);
  });

  test.each<[name: string, spoil: () => void]>([
    ['one that ended', () => cli.clock.jump(25 * 3_600_000)],
    ['a key that is not its own', () => writeFileSync(cli.path('tls/key.pem'), 'x')],
    ['a bundle that is not its own', () => writeFileSync(cli.path('tls/bundle.pem'), anchorLike())],
  ])('does without %s', async (_name, spoil) => {
    const { xdsAddress } = await prepare();
    await cli.run(...order(xdsAddress.port, ...BY_TOKEN));
    const { port } = await serveWithClientCertificates('nothing');
    spoil();
    const { code, stderr } = await cli.run(...order(port));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: expected --token-file/);
  });
});

/** A certificate, of nobody here. */
function anchorLike(): string {
  const argv = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const files = ['-keyout', cli.path('other.key'), '-subj', '/CN=other'];
  return execFileSync('openssl', [...argv, ...files], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
