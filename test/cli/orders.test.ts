// Commands that order something of a running server: what they say is what that server has
// answered. The server runs in this process, on a data folder on the disk.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { loadAuthority } from '../../src/ca/index.js';
import { loadOrCreateAnchorPem } from '../../src/ca/xds/index.js';
import { run } from '../../src/cli/program.js';
import { openDataDir } from '../../src/data/index.js';
import { type RunningServer, startServer } from '../../src/server/index.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { connectSidecar } from '../harness/running-server.js';
import type { Transcript } from './cli.js';

const MESH = 'trustDomain: test.example\nservices: { web: { ports: { 8080: http } } }\n';
const ANY = { host: '127.0.0.1', port: 0 } as const;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-orders-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  writeFileSync(join(dir, 'mesh.yaml'), MESH);
});

interface Started {
  readonly server: RunningServer;
  readonly admin: string;
  stop(): Promise<void>;
}

async function serve(name: string): Promise<Started> {
  const server = await startServer({
    ...{ meshPath: join(dir, 'mesh.yaml'), dataPath: join(dir, name), xds: ANY, admin: ANY },
    logger: recordingLogger(),
  });
  const { host, port } = server.adminAddress;
  const admin = `${host}:${port}`;
  // Its mesh is stored.
  await fetch(`http://${admin}/v1/wait?timeout_ms=5000`);
  let isRunning = true;
  const stop = async (): Promise<void> => {
    if (isRunning) await server.close();
    isRunning = false;
  };
  onTestFinished(stop);
  return { server, admin, stop };
}

/** `<dir>` stands for the test's folder. */
async function command(...argv: readonly string[]): Promise<Transcript> {
  const text = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    isTTY: false,
    write: (written: string) => {
      text[name] += written.replaceAll(dir, '<dir>');
    },
  });
  const code = await run(
    argv.map((word) => word.replaceAll('<dir>', dir)),
    {
      ...{ stdout: output('stdout'), stderr: output('stderr') },
      ...{ clock: systemClock, random: systemRandom, onStop: () => () => undefined },
    },
  );
  return { code, ...text };
}

async function rootsOf(name: string): Promise<string> {
  const dataDir = await openDataDir({ path: join(dir, name), lock: false });
  const options = { dataDir, clock: systemClock, random: systemRandom };
  return (await loadAuthority(options)).trustAnchorsPem;
}

const orders = (name: string): readonly string[] =>
  readdirSync(join(dir, name, 'orders')).filter((file) => /^[0-9a-f]+\.json$/.test(file));

const serialOf = async (admin: string): Promise<string | undefined> => {
  const status = (await (await fetch(`http://${admin}/v1/status`)).json()) as ServerStatus;
  return status.proxies[0]?.certificate?.serial;
};

/** A sidecar of web, by a token of its own. */
async function joinWeb(name: string, { server, admin }: Started): Promise<string> {
  const { stdout } = await command('token', 'web', '--data', `<dir>/${name}`);
  const dataDir = await openDataDir({ path: join(dir, name), lock: false });
  const anchorPem = await loadOrCreateAnchorPem({
    ...{ dataDir, clock: systemClock, random: systemRandom },
  });
  const address = `127.0.0.1:${server.xdsAddress.port}`;
  const client = connectSidecar({ address, anchorPem, id: 'web~a', token: stdout.trim() });
  onTestFinished(() => client.close());
  await vi.waitFor(async () => expect(await serialOf(admin)).toBeDefined(), { timeout: 5_000 });
  return (await serialOf(admin)) ?? '';
}

describe('ca rotate', () => {
  test('--wait follows the stages until the new root stands alone', async () => {
    await serve('data');
    const before = await rootsOf('data');
    const { code, stdout, stderr } = await command(
      'ca',
      'rotate',
      '--wait',
      '--data',
      '<dir>/data',
    );
    expect({ code, stderr: stderr.replace(/both roots.*\n/g, ''), stdout }).toEqual({
      code: 0,
      stderr: '',
      stdout:
        'the server has taken over a new root, which replaces the old one in stages\n' +
        'the new root stands alone\n',
    });
    expect(await rootsOf('data')).not.toBe(before);
    expect(orders('data')).toEqual([]);
  });

  test('--wait against a server that lacks the passphrase says so and exits 1', async () => {
    const { admin } = await serve('data');
    const before = await rootsOf('data');
    writeFileSync(join(dir, 'phrase'), 'correct horse battery\n');
    const argv = ['ca', 'rotate', '--wait', '--timeout', '5s', '--data', '<dir>/data'];
    const phrase = ['--ca-passphrase-file', '<dir>/phrase', '--server', admin];
    expect(await command(...argv, ...phrase)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: the server says: the offered CA: the key is encrypted and no passphrase was ' +
        "given\n  hint: start the server with the command's --ca-passphrase-file, or order " +
        'without it\n',
    });
    expect(await rootsOf('data')).toBe(before);
    // Nothing waits: the next one goes through.
    expect((await command(...argv)).code).toBe(0);
  });

  test("--wait against another folder's server says that no server has seen it", async () => {
    await (await serve('data')).stop();
    const { admin } = await serve('other');
    const before = await Promise.all(['data', 'other'].map(rootsOf));
    const argv = ['ca', 'rotate', '--wait', '--data', '<dir>/data', '--server', admin];
    const { code, stdout, stderr } = await command(...argv);
    const [order = ''] = orders('data');
    expect({ code, stdout, stderr }).toEqual({
      code: 3,
      stdout: 'a new root waits for the server, which takes it over in stages\n',
      stderr:
        'error: no server has seen this order: no server runs on <dir>/data\n' +
        '  hint: start `countersign serve` there; ' +
        `remove orders/${order} to withdraw the order\n`,
    });
    expect(await Promise.all(['data', 'other'].map(rootsOf))).toEqual(before);
  });

  test('ordered before the server runs, it is taken over when it does', async () => {
    await (await serve('data')).stop();
    const before = await rootsOf('data');
    expect((await command('ca', 'rotate', '--data', '<dir>/data')).code).toBe(0);
    await serve('data');
    const isChanged = async () => expect(await rootsOf('data')).not.toBe(before);
    await vi.waitFor(isChanged, { timeout: 5_000 });
  });

  test('--wait says who holds on to the old root where its time is over', async () => {
    const started = await serve('data');
    await joinWeb('data', started);
    const argv = ['ca', 'rotate', '--wait', '--timeout', '200ms', '--data', '<dir>/data'];
    expect(await command(...argv)).toMatchObject({
      code: 1,
      stderr:
        'both roots are trusted, the old one signs\n' +
        'error: expected the new root to stand alone but it waits for web~a\n',
    });
    expect(orders('data')).toEqual([]);
  });
});

test('an offer of an earlier version is taken over too', async () => {
  await (await serve('data')).stop();
  const before = await rootsOf('data');
  await command('ca', 'rotate', '--data', '<dir>/data');
  const [order = ''] = orders('data');
  const path = join(dir, 'data', 'orders', order);
  const { payload } = JSON.parse(readFileSync(path, 'utf8')) as { payload: object };
  rmSync(path);
  const earlier = join(dir, 'data', 'authority-next.json');
  writeFileSync(earlier, JSON.stringify({ version: 1, ...payload }));
  await serve('data');
  const isChanged = async () => expect(await rootsOf('data')).not.toBe(before);
  await vi.waitFor(isChanged, { timeout: 5_000 });
  expect(readdirSync(join(dir, 'data'))).not.toContain('authority-next.json');
});

describe('cert --renew', () => {
  const renew = () => command('cert', 'web', '--renew', '--data', '<dir>/data');

  test('says whose certificates are new', async () => {
    const started = await serve('data');
    const before = await joinWeb('data', started);
    expect(await renew()).toEqual({
      code: 0,
      stdout: 'renewed 1 certificate: web~a\n',
      stderr: '',
    });
    expect(await serialOf(started.admin)).not.toBe(before);
  });

  test('given while the server is down, it is carried out when the sidecar connects', async () => {
    const first = await serve('data');
    const before = await joinWeb('data', first);
    await first.stop();
    const { code, stdout } = await renew();
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^stored; no server has answered\nsidecars of web: renewed when a server runs and they /,
      ),
    });
    const second = await serve('data');
    // It has looked at its data folder since, and no sidecar of web was there.
    await fetch(`http://${second.admin}/v1/wait?timeout_ms=0`);
    expect(orders('data')).toHaveLength(1);
    await joinWeb('data', second);
    const isNew = async () => expect(await serialOf(second.admin)).not.toBe(before);
    await vi.waitFor(isNew, { timeout: 5_000 });
    await vi.waitFor(() => expect(orders('data')).toEqual([]), { timeout: 5_000 });
  });

  test('without a connected sidecar it says that it waits, and until when', async () => {
    await serve('data');
    const { code, stdout } = await renew();
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^not yet: web; renewed when connected, until 20\S+Z\n$/),
    });
    expect(orders('data')).toHaveLength(1);
  });
});

describe('facts that a server takes over', () => {
  test('a revocation, though its admin port is not asked', async () => {
    await serve('data');
    const argv = ['web', '--data', '<dir>/data', '--server', '127.0.0.1:1'];
    const stdout = 'the server has it in force; nobody answers at 127.0.0.1:1 on which proxies\n';
    expect(await command('revoke', ...argv)).toEqual({
      code: 0,
      stdout: `revoked: service "web"\n${stdout}`,
      stderr: '',
    });
    expect(await command('revoke', ...argv, '--undo')).toEqual({
      code: 0,
      stdout: `no longer revoked: service "web"\n${stdout}`,
      stderr: '',
    });
  });

  test('token keys', async () => {
    await serve('data');
    const { code, stdout, stderr } = await command(
      ...['token', '--rotate-key', '--data', '<dir>/data'],
    );
    const [, id] = /^key (\S+) signs from now on/.exec(stdout) ?? [];
    expect(code).toBe(0);
    expect(stderr).toContain(`the server has taken it over: it signs by ${id}\n`);
  });
});
