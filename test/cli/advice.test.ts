// What `status` and errors advise where a CA has ended or a clock is wrong, each followed in just
// that state: it works. The server runs in this process, by a clock that the test sets.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { systemRandom } from '../../src/base/index.js';
import { run } from '../../src/cli/program.js';
import { startServer } from '../../src/server/index.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { createIntermediate, createOutsideCa } from '../ca/outside-ca.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { ShiftedClock } from '../fakes/shifted-clock.js';
import type { Transcript } from './cli.js';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const ANY = { host: '127.0.0.1', port: 0 } as const;
const DATA = ['--data', '<dir>/data'] as const;

let dir: string;
let clock: ShiftedClock;
beforeEach(() => {
  clock = new ShiftedClock();
  dir = mkdtempSync(join(tmpdir(), 'countersign-advice-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  writeFileSync(
    join(dir, 'mesh.yaml'),
    'trustDomain: test.example\nservices: { web: { ports: { 8080: http } } }\n',
  );
});

async function serve({ clockOk = false } = {}) {
  const paths = { meshPath: join(dir, 'mesh.yaml'), dataPath: join(dir, 'data') };
  const logger = recordingLogger();
  const ports = { xds: ANY, admin: ANY };
  const server = await startServer({ ...paths, ...ports, logger, clock, isClockRight: clockOk });
  const { host, port } = server.adminAddress;
  const get = async (path: string) => fetch(`http://${host}:${port}${path}`);
  await get('/v1/wait?timeout_ms=5000');
  let isRunning = true;
  const stop = async (): Promise<void> => {
    if (isRunning) await server.close();
    isRunning = false;
  };
  onTestFinished(stop);
  const status = async () => (await (await get('/v1/status')).json()) as ServerStatus;
  const warnings = async () => (await status()).warnings.map(({ text }) => text);
  return { server, stop, status, warnings, logger };
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
  const io = { stdout: output('stdout'), stderr: output('stderr') };
  const code = await run(
    argv.map((word) => word.replaceAll('<dir>', dir)),
    { ...io, clock, random: systemRandom, onStop: () => () => undefined },
  );
  return { code, ...text };
}

const cert = () => command('cert', 'web', '--out', '<dir>/tls', ...DATA);

describe('a root that has ended', () => {
  test('is replaced by `ca rotate`, as status says, with the server up', async () => {
    await (await serve()).stop();
    clock.aheadMs = 10 * YEAR_MS + DAY_MS;
    const started = await serve({ clockOk: true });
    expect(await started.warnings()).toEqual([
      expect.stringMatching(/^root ended .*: rotate it with `countersign ca rotate`$/),
      expect.stringMatching(/^issuer ended /),
    ]);
    const refused = await cert();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/error: the root ended .*\n {2}hint: .*`countersign ca rotate`/);
    expect(await command('ca', 'rotate', '--wait', ...DATA)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('the new root stands alone'),
    });
    expect(await started.warnings()).toEqual([]);
    expect((await cert()).code).toBe(0);
  });

  test('by a clock in doubt waits for the word that status asks for', async () => {
    await (await serve()).stop();
    clock.aheadMs = 10 * YEAR_MS + DAY_MS;
    const doubted = await serve();
    expect((await doubted.warnings())[0]).toContain('`countersign serve --clock-ok`');
    expect(await command('ca', 'rotate', ...DATA)).toMatchObject({
      stdout: expect.stringMatching(
        /a new root waits .*\nthe server waits for the clock of this server /,
      ),
    });
    await doubted.stop();
    await serve({ clockOk: true });
    await vi.waitFor(async () => expect((await cert()).code).toBe(0), { timeout: 10_000 });
  });
});

describe('our own issuing CA that has ended', () => {
  test('was replaced by the clock where the server is up: `cert` goes on', async () => {
    await (await serve()).stop();
    clock.aheadMs = 400 * DAY_MS;
    expect((await cert()).stderr).toMatch(
      /error: the issuing CA ended .*\n {2}hint: .* start `countersign serve`/,
    );
    // Whether or not the clock is believed.
    const { warnings } = await serve();
    await vi.waitFor(async () => expect((await cert()).code).toBe(0), { timeout: 5_000 });
    expect(await warnings()).toEqual([
      expect.stringMatching(/^the clock of this server says .*: it was set forward by (400|399)d/),
    ]);
  });

  test('is named by the horizon though nobody is connected', async () => {
    await (await serve()).stop();
    clock.aheadMs = 190 * DAY_MS;
    const { status } = await serve({ clockOk: true });
    const read = JSON.parse(readFileSync(join(dir, 'data', 'authority.json'), 'utf8'));
    expect(read.retired).toHaveLength(1);
    expect((await status()).warnings).toEqual([]);
  });
});

test('a brought issuing CA that has ended is followed by the one that is imported', async () => {
  const nowMs = clock.now();
  const ends = { notAfterMs: Math.floor((nowMs + 40 * DAY_MS) / 1000) * 1000 };
  const { root, intermediate } = await createOutsideCa({ nowMs, intermediate: ends });
  const next = await createIntermediate(root, { nowMs: nowMs + 50 * DAY_MS, name: 'Next' });
  const write = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  write('root.pem', root.pem);
  for (const [name, { pem, keys }] of Object.entries({ first: intermediate, next })) {
    write(`${name}.pem`, pem);
    write(`${name}.key`, keys.privateKeyPem);
  }
  const importCa = (name: string) => {
    const files = ['--cert', `<dir>/${name}.pem`, '--key', `<dir>/${name}.key`];
    const rest = ['--chain', '<dir>/root.pem', '--mesh', '<dir>/mesh.yaml'];
    return command('ca', 'import', ...files, ...rest, ...DATA);
  };
  expect((await importCa('first')).code).toBe(0);
  await (await serve()).stop();
  clock.aheadMs = 51 * DAY_MS;
  const { warnings } = await serve({ clockOk: true });
  expect(await warnings()).toEqual([
    expect.stringMatching(/^issuer ended .*: import its successor with `countersign ca import`$/),
  ]);
  expect((await cert()).stderr).toMatch(/hint: import its successor with `countersign ca import`/);
  expect((await importCa('next')).code).toBe(0);
  expect((await cert()).code).toBe(0);
  expect(await warnings()).toEqual([]);
});

test('a CA that has not begun: the clock is set, or the root is new', async () => {
  await (await serve()).stop();
  clock.aheadMs = -2 * YEAR_MS;
  const { stderr } = await cert();
  expect(stderr).toMatch(/error: the CA begins .*\n {2}hint: set the clock; where it is right, /);
  const doubted = await serve();
  expect((await doubted.warnings())[0]).toMatch(
    /^the clock of this server says .*: it was set back by 7\d\dd/,
  );
  await doubted.stop();
  // It is set.
  clock.aheadMs = 0;
  const { stop, warnings } = await serve();
  expect([await warnings(), (await cert()).code]).toEqual([[], 0]);
  await stop();
  // It was right.
  clock.aheadMs = -2 * YEAR_MS;
  await serve({ clockOk: true });
  expect((await command('ca', 'rotate', '--wait', ...DATA)).code).toBe(0);
  expect((await cert()).code).toBe(0);
});
