// A change of root and those who hold certificates without a sidecar: `cert --watch` follows at
// once, and `ca rotate --finish` names whom the end of the old root cuts off, and asks.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { offerCaChain } from '../../src/ca/change/index.js';
import { createCaChain, type LocalAuthority, loadAuthority } from '../../src/ca/index.js';
import { type DataDir, openDataDir } from '../../src/data/index.js';
import { createOrderStore } from '../../src/data/orders/index.js';
import { LeafStore } from '../../src/leaves/index.js';
import { type RunningServer, startServer } from '../../src/server/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { Cli, MESH, type Running } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;
const TOOLS = { clock: systemClock, random: systemRandom, keySource: generateKeys };
const SOON = { timeout: 10_000 };

let cli: Cli;
beforeEach(() => {
  cli = new Cli({ clock: new ManualClock(systemClock.now()) });
});

const openData = (): Promise<DataDir> => openDataDir({ path: cli.path('data'), lock: false });
const open = async (): Promise<LocalAuthority> =>
  loadAuthority({ dataDir: await openData(), clock: cli.clock, random: systemRandom });
const read = (name: string): string => readFileSync(cli.path(`tls/${name}`), 'utf8');
const roots = (): number => read('bundle.pem').split('BEGIN').length - 1;
const serial = (): string => new X509Certificate(read('cert.pem')).serialNumber.toLowerCase();

async function watching(...argv: readonly string[]): Promise<Running> {
  const running = cli.start(...argv, '--watch');
  onTestFinished(async () => {
    running.stop();
    await running.done;
  });
  await running.until(({ stdout }) => stdout().includes(', ends '));
  return running;
}

describe('cert --watch keeps the old root in bundle.pem until half life', () => {
  test('on the data folder: each stage is followed at once', async () => {
    await cli.prepareData();
    const p12 = ['--p12', '<dir>/tls/web.p12'];
    const running = await watching('cert', 'web', '--out', '<dir>/tls', ...p12, ...DATA);
    const [first, keystore] = [serial(), readFileSync(cli.path('tls/web.p12'))];
    const authority = await open();

    // 1. Both roots are trusted, the old one signs: the anchors alone are new.
    await authority.beginChange(await createCaChain('shop.example', TOOLS));
    await vi.waitFor(() => expect(roots()).toBe(2), SOON);
    await running.until(({ stdout }) =>
      stdout().endsWith(
        'wrote bundle.pem and <dir>/tls/web.p12 to <dir>/tls: the trust anchors have changed\n',
      ),
    );
    expect(serial()).toBe(first);
    expect(readFileSync(cli.path('tls/web.p12'))).not.toEqual(keystore);

    // 2. The new one signs: so is the certificate.
    await authority.signByNew();
    await vi.waitFor(() => {
      cli.clock.advance(0);
      expect(serial()).not.toBe(first);
    }, SOON);
    expect((await open()).isCurrent(read('cert.pem'))).toBe(true);

    // 3. The old one is gone.
    const second = serial();
    await authority.endChange();
    await vi.waitFor(() => expect(roots()).toBe(1), SOON);
    expect(read('bundle.pem')).toBe(authority.trustAnchorsPem);
    expect(serial()).toBe(second);
    expect(running.stderr()).toBe('');
  });
});

describe('cert --xds --watch keeps the old root in bundle.pem until half life', () => {
  test('each stage is followed at once, and nobody is cut off', async () => {
    const server = await serve();
    const running = await watching(...(await byXds(server)));
    const first = serial();
    // Without a sidecar to wait for, the new root signs at once.
    await offerCaChain(
      createOrderStore(await openData()),
      await createCaChain('shop.example', TOOLS),
      {
        ...TOOLS,
      },
    );
    await vi.waitFor(() => {
      cli.clock.advance(0);
      expect(serial()).not.toBe(first);
    }, SOON);
    expect(roots()).toBe(2);
    expect((await open()).isCurrent(read('cert.pem'))).toBe(true);
    expect(running.stderr()).toBe('');
    expect(await cli.run('ca', 'rotate', '--finish', ...DATA)).toEqual({
      code: 0,
      stdout: 'the old root is no longer trusted\n',
      stderr: '',
    });
    await vi.waitFor(() => expect(roots()).toBe(1), SOON);
  });

  test('a server that was away is heard again', async () => {
    const server = await serve();
    const running = await watching(...(await byXds(server)));
    await server.close();
    await running.until(({ stderr }) => stderr().includes('expected a server at'));
    const authority = await open();
    await authority.beginChange(await createCaChain('shop.example', TOOLS));
    await serve(server.xdsAddress.port);
    await vi.waitFor(() => {
      cli.clock.advance(5_000);
      expect(roots()).toBe(2);
    }, SOON);
    // Once, however often it was tried.
    expect(running.stderr().match(/expected a server at/g)).toHaveLength(1);
  });
});

async function serve(port = 0): Promise<RunningServer> {
  cli.write('mesh.yaml', MESH);
  const server = await startServer({
    ...{ meshPath: cli.path('mesh.yaml'), dataPath: cli.path('data'), logger: recordingLogger() },
    ...{ xds: { host: '127.0.0.1', port }, admin: { host: '127.0.0.1', port: 0 } },
  });
  onTestFinished(() => server.close());
  return server;
}

async function byXds({ xdsAddress }: RunningServer): Promise<readonly string[]> {
  cli.write('xds.pem', (await cli.run('ca', 'bundle', '--xds', ...DATA)).stdout);
  cli.write('token', (await cli.run('token', 'web', ...DATA)).stdout);
  const xds = ['--xds', `127.0.0.1:${xdsAddress.port}`, '--xds-ca', '<dir>/xds.pem'];
  return ['cert', 'web', '--out', '<dir>/tls', ...xds, '--token-file', '<dir>/token'];
}

const spiffeId = parseSpiffeId('spiffe://shop.example/ns/default/sa/web');
const leaf = async (ttlMs = 3_600_000) =>
  (await open()).issueLeaf({ spiffeId, dnsNames: [], ttlMs, key: 'ecdsa-p256' });
let serials: readonly string[];

/** A sidecar's leaf, two clients' certificates and a bundle, all of the old root, and one new. */
async function prepareDependents(): Promise<void> {
  await cli.prepareData();
  const store = new LeafStore(await openData());
  await store.save('web~a' as never, await leaf(), { nowMs: cli.clock.now(), shown: new Set() });
  await store.save('web~ended' as never, await leaf(1_000), {
    nowMs: cli.clock.now(),
    shown: new Set(),
  });
  const issue = async (out: string): Promise<string> => {
    const argv = ['cert', 'web', '--out', `<dir>/${out}`, '--ttl', '1h', '--json'];
    return JSON.parse((await cli.run(...argv, ...DATA)).stdout).certificate.serial;
  };
  serials = [await issue('one'), await issue('two')];
  await cli.run('ca', 'bundle', ...DATA);
  cli.clock.advance(120_000);
  const authority = await open();
  await authority.beginChange(await createCaChain('shop.example', { ...TOOLS, clock: cli.clock }));
  await authority.signByNew();
  cli.clock.advance(120_000);
  await store.save('web~b' as never, await leaf(), { nowMs: cli.clock.now(), shown: new Set() });
  await issue('two');
}

const listed = (): readonly string[] => [
  'web~a: its leaf is of the old root',
  expect.stringMatching(`^a client of "web": certificate ${serials[0]}, until `),
  expect.stringMatching('^whoever has the bundle that `ca bundle` gave at '),
];

describe('ca rotate --finish cuts clients off without naming them', () => {
  beforeEach(prepareDependents);

  test('without --yes it names them, and nothing is cut', async () => {
    const { code, stdout, stderr } = await cli.run('ca', 'rotate', '--finish', ...DATA);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const lines = stderr.trimEnd().split('\n');
    expect(lines[0]).toBe('the end of the old root cuts off:');
    expect(lines.slice(1, -2).map((line) => line.trim())).toEqual(listed());
    expect(lines.at(-2)).toBe('error: expected --yes: 3 depend on the old root');
    expect(lines.at(-1)).toContain('`countersign ca rotate --finish --yes`');
    expect((await open()).change?.stage).toBe('sign');
    expect(stderr).not.toContain(serials[1]);
  });

  test('with --yes the server is asked', async () => {
    const { code, stdout } = await cli.run('ca', 'rotate', '--finish', '--yes', ...DATA);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^the old root goes .*\nstored; no server has answered/);
  });

  test('ca show names them too', async () => {
    const { stdout } = await cli.run('ca', 'show', '--json', ...DATA);
    expect(JSON.parse(stdout).rootChange.dependents).toEqual(listed());
    const text = (await cli.run('ca', 'show', ...DATA)).stdout;
    expect(text).toContain('  depends      web~a: its leaf is of the old root\n');
  });

  test('--yes alone is a wrong use', async () => {
    expect(await cli.run('ca', 'rotate', '--yes', ...DATA)).toMatchObject({
      code: 2,
      stderr: 'error: expected --yes with --finish\n',
    });
  });
});
