// Commands that order something of a running server: what they say is what that server has
// answered. The server runs in this process, on a data folder on the disk.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Clock, MeshError, systemClock, systemRandom } from '../../src/base/index.js';
import { loadAuthority, loadOrCreateAuthority } from '../../src/ca/index.js';
import { loadOrCreateAnchorPem } from '../../src/ca/xds/index.js';
import { run } from '../../src/cli/program.js';
import { DataWatch, openDataDir } from '../../src/data/index.js';
import { createOrderStore, OrderDesk } from '../../src/data/orders/index.js';
import { TAKE_REVOCATIONS } from '../../src/revocation/index.js';
import { type RunningServer, startServer } from '../../src/server/index.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { TAKE_TOKEN_KEYS } from '../../src/tokens/index.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { connectSidecar } from '../harness/running-server.js';
import type { Transcript } from './cli.js';

const MESH = 'trustDomain: test.example\nservices: { web: { ports: { 8080: http } } }\n';
const ANY = { host: '127.0.0.1', port: 0 } as const;

let dir: string;
/** The commands'. */
let clock: Clock;
beforeEach(() => {
  clock = systemClock;
  dir = mkdtempSync(join(tmpdir(), 'countersign-orders-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  writeFileSync(join(dir, 'mesh.yaml'), MESH);
});

interface Started {
  readonly server: RunningServer;
  readonly admin: string;
  readonly logger: ReturnType<typeof recordingLogger>;
  stop(): Promise<void>;
}

async function serve(name: string): Promise<Started> {
  const logger = recordingLogger();
  const server = await startServer({
    ...{ meshPath: join(dir, 'mesh.yaml'), dataPath: join(dir, name), xds: ANY, admin: ANY },
    logger,
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
  return { server, admin, logger, stop };
}

/**
 * A server that holds the data folder and does nothing but answer those orders; without any,
 * commands get no answer, and their half minute of waiting passes at once.
 */
async function holdFolder(register?: (desk: OrderDesk) => void): Promise<void> {
  await makeFolder();
  const dataDir = await openDataDir({ path: join(dir, 'data'), lock: true });
  onTestFinished(() => dataDir.close());
  if (register === undefined) {
    clock = fastClock();
    return;
  }
  const logger = recordingLogger();
  const desk = new OrderDesk({ store: createOrderStore(dataDir), clock: systemClock, logger });
  register(desk);
  const onError = (err: unknown): void => logger.error({ err }, 'a look failed');
  const watch = new DataWatch({
    ...{ path: dataDir.path, folders: ['orders'], clock: systemClock, onError },
  });
  watch.onChange(() => desk.look());
  watch.start();
  onTestFinished(() => watch.stop());
}

/** With a CA, as a server leaves it. */
async function makeFolder(): Promise<void> {
  const dataDir = await openDataDir({ path: join(dir, 'data'), lock: false });
  const tools = { dataDir, clock: systemClock, random: systemRandom };
  await loadOrCreateAuthority({ ...tools, trustDomain: 'test.example' });
}

/** Waits are over at once, and time goes on as if they had been waited for. */
function fastClock(): Clock {
  let ahead = 0;
  return {
    now: () => systemClock.now() + ahead,
    after: (delayMs, callback) => {
      ahead += delayMs;
      return systemClock.after(1, callback);
    },
  };
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
      ...{ clock, random: systemRandom, onStop: () => () => undefined },
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
    // The order goes right after the receipt that the command has read.
    await vi.waitFor(() => expect(orders('data')).toEqual([]));
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
        "given\n  hint: start the server with the command's --ca-passphrase-file, or give " +
        'the order without it\n',
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
        '  hint: start `countersign serve` there, ' +
        `or remove orders/${order} to withdraw the order\n`,
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

  test('--wait returns at once where something holds on to the old root', async () => {
    await serve('data');
    // Given before the change: somebody may hold the old root for long.
    await command('ca', 'bundle', '--data', '<dir>/data');
    const argv = ['ca', 'rotate', '--wait', '--timeout', '1h', '--data', '<dir>/data'];
    expect(await command(...argv)).toEqual({
      code: 1,
      stdout: 'the server has taken over a new root, which replaces the old one in stages\n',
      stderr: expect.stringMatching(
        new RegExp(
          'both roots are trusted, the new one signs\n' +
            'error: expected the new root to stand alone but it waits for whoever holds a bundle ' +
            'of the old root: countersign ca rotate --finish\n' +
            '  hint: `countersign ca rotate --finish` says whom the end of the old root cuts ' +
            'off\n$',
        ),
      ),
    });
    const finish = ['ca', 'rotate', '--finish', '--data', '<dir>/data'];
    expect(await command(...finish)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('whoever has the bundle that `ca bundle` gave at '),
    });
    expect(await command(...finish, '--yes', '--wait')).toMatchObject({
      code: 0,
      stdout: 'the old root is no longer trusted\nthe new root stands alone\n',
    });
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
    // The order goes right after the receipt that the command has read.
    await vi.waitFor(() => expect(orders('data')).toEqual([]));
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
    expect(await renew()).toEqual({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: no server has seen this .*\n {2}hint: .* when a server runs, until 20\S+Z\n$/,
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

  test('with nobody connected the answer is no, with the way on', async () => {
    await serve('data');
    expect(await renew()).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: .* certificates at once but not yet for web\n {2}hint: .*, until 20\S+Z\n$/,
      ),
    });
    expect(orders('data')).toHaveLength(1);
  });
});

describe('facts that a server takes over', () => {
  test('a revocation, though its admin port is not asked', async () => {
    await serve('data');
    const argv = ['web', '--data', '<dir>/data', '--server', '127.0.0.1:1'];
    const stdout =
      'the server has it in force; nobody answers at 127.0.0.1:1 to say on which proxies\n';
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
    expect(stderr).toContain(`the server has taken this over, and signs with key ${id}\n`);
  });
});

const REVOKE = ['revoke', 'web', '--data', '<dir>/data', '--server', '127.0.0.1:1'] as const;
const AGAIN =
  '  hint: it tries again by itself: see `countersign revoke --list`, `countersign status`\n';

describe('a revocation that is stored, and not in force', () => {
  const listed = async () => (await command('revoke', '--list', '--data', '<dir>/data')).stdout;

  test('a revocation that the server refuses: both are said', async () => {
    await makeFolder();
    const damaged = new MeshError('data-damaged', 'revocation-marks.json: expected JSON');
    await holdFolder((desk) => desk.register(TAKE_REVOCATIONS, () => Promise.reject(damaged)));
    const refused = {
      code: 1,
      stderr: expect.stringMatching(/^error: the server says: .*revocation-marks\.json: .*\n/),
    };
    const revoked = await command(...REVOKE);
    expect(revoked).toEqual({
      ...refused,
      stdout:
        'revoked: service "web"\nstored, but not in force: the server could not take it over\n',
    });
    expect(revoked.stderr.endsWith(AGAIN)).toBe(true);
    expect(await listed()).toContain('service  web');
    expect(await command(...REVOKE, '--json')).toMatchObject(refused);
    expect(await command(...REVOKE, '--undo')).toEqual({
      ...refused,
      stdout:
        'no longer revoked: service "web"\n' +
        'stored, but not in force: the server could not take it over\n',
    });
    expect(await listed()).toBe('nothing is revoked\n');
  });
});

describe('a revocation that nobody hears of', () => {
  test('a revocation on which the server of the folder stays silent', async () => {
    await holdFolder();
    expect(await command(...REVOKE)).toEqual({
      code: 3,
      stdout: 'revoked: service "web"\nstored; the server has not said whether it is in force\n',
      stderr:
        'error: no server has seen this order: the server that holds <dir>/data has not ' +
        `answered\n  hint: see its log\n${AGAIN}`,
    });
    expect(orders('data')).toEqual([]);
  });
});

describe('token keys that are stored, and not in force', () => {
  test.each<[string, () => Promise<never> | object, RegExp]>([
    [
      'refuses',
      () => Promise.reject(new MeshError('data-damaged', 'expected keys', { hint: 'look' })),
      /^error: the server says: expected keys\n {2}hint: look\n {2}hint: .*\n$/,
    ],
    [
      'has not read',
      async () => ({ state: 'done', report: { signing: 'another', verifying: ['old', 'new'] } }),
      /^error: .* to use these keys but it has others\n {2}hint: .*\n {2}hint: .*\n$/,
    ],
  ])('a rotation that the server %s', async (_what, answer, stderr) => {
    await makeFolder();
    await command('token', 'web', '--data', '<dir>/data');
    await holdFolder((desk) => desk.register(TAKE_TOKEN_KEYS, answer as never));
    const stdout =
      /^stored, but not in force: the server could not take it over:\n {2}key \S+ signs/;
    expect(await command('token', '--rotate-key', '--data', '<dir>/data')).toEqual({
      ...{ code: 1, stdout: expect.stringMatching(stdout), stderr: expect.stringMatching(stderr) },
    });
  });

  test('an older token key that the server still takes is not called ended', async () => {
    await makeFolder();
    await command('token', 'web', '--data', '<dir>/data');
    await command('token', '--rotate-key', '--data', '<dir>/data');
    const { stdout } = await command('token', '--list-keys', '--json', '--data', '<dir>/data');
    const [signing, old] = (JSON.parse(stdout) as { keys: { id: string }[] }).keys;
    const report = { signing: signing?.id ?? '', verifying: [old?.id ?? ''] };
    await holdFolder((desk) =>
      desk.register(TAKE_TOKEN_KEYS, async () => ({ state: 'done', report })),
    );
    const retire = ['token', '--retire-key', old?.id ?? '', '--data', '<dir>/data'];
    expect(await command(...retire)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^stored, but not in force: .*:\n {2}key \S+ has ended/),
    });
  });
});

test('token --rotate-key --overlap 2m beside a server names its connected sidecar', async () => {
  const started = await serve('data');
  await joinWeb('data', started);
  const seen = () => readFileSync(join(dir, 'data', 'sidecars.json'), 'utf8');
  await vi.waitFor(() => expect(seen()).toContain('web~a'), { timeout: 5_000 });
  const rotate = ['token', '--rotate-key', '--overlap', '2m', '--data', '<dir>/data'];
  expect(await command(...rotate)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^error: expected --yes: web~a joined by tokens that are refused/,
    ),
  });
  expect((await command('status', '--server', started.admin)).stdout).not.toContain('warning');
  expect((await command(...rotate, '--yes')).code).toBe(0);
  const { stdout } = await command('status', '--server', started.admin);
  expect(stdout).toContain('the first thing to fail: token of web~a');
  expect(stdout).toContain('warning: token of web~a ends');
});

test('a file among the orders that is none is named in log and status, once', async () => {
  const { admin, logger } = await serve('data');
  const ordered = await command('cert', 'web', '--renew', '--data', '<dir>/data');
  expect(ordered.code).toBe(1);
  writeFileSync(join(dir, 'data', 'orders', 'half.json.part'), '{');
  const text =
    'warning: orders/ of the data folder holds files that are not orders, and nothing carries ' +
    'them out: "half.json.part"; remove them, and give the orders again\n';
  for (let looks = 0; looks < 2; looks++) {
    // It looks at its folder first.
    await fetch(`http://${admin}/v1/wait?timeout_ms=0`);
    expect((await command('status', '--server', admin)).stdout).toContain(text);
  }
  const reported = logger.lines.filter(({ message }) => message.includes('are not orders'));
  expect(reported).toMatchObject([{ level: 'warn', fields: { files: ['half.json.part'] } }]);
  rmSync(join(dir, 'data', 'orders', 'half.json.part'));
  await fetch(`http://${admin}/v1/wait?timeout_ms=0`);
  expect((await command('status', '--server', admin)).stdout).not.toContain('warning: orders/');
});
