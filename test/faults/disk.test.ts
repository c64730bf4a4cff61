// A disk that is full, read-only or failing: from any step on, changes are refused by the system. A
// clear error with the path, the reason and a hint; what was there stays as it was; and when there
// is room again, all goes on.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FREE_PORTS, READY } from '../harness/process.js';
import { type Fault, runHere, runServer, startCommand } from './command.js';
import {
  everyStep,
  newPlace,
  type Place,
  readAll,
  type Step,
  wasRefused,
  writeMesh,
} from './every-step.js';
import { restart } from './restart.js';
import { used } from './used.js';

const TIMEOUT_MS = 300_000;
const HINTS: Readonly<Record<string, RegExp>> = {
  ENOSPC: /the disk is full: make room/,
  EDQUOT: /the disk quota is used up: make room/,
  EROFS: /the file system is read-only/,
  EIO: /hint: /,
};

const serve = ({ mesh, data }: Place): readonly string[] => [
  ...['serve', '--mesh', mesh, '--data', data, '--log-level', 'error'],
  ...FREE_PORTS,
];

/** The command ended with an error that says where, why and what to do; a server logged it. */
function expectClearError({ place, ended, fault }: Step): void {
  const { code, stdout, stderr } = ended;
  if (!wasRefused(ended)) return;
  expect(stderr).toContain(place.data);
  if (READY.test(stdout)) {
    expect(code).toBe(0);
    return;
  }
  const [first = '', second = ''] = stderr.split('\n').slice(-3);
  expect(code).toBe(1);
  expect(first).toMatch(/^error: expected to (write|lock) \S+ but got E[A-Z]+$/);
  expect(second).toMatch(/^ {2}hint: /);
  expect(stderr).toMatch(HINTS[fault.kind] ?? /none/);
}

async function check(step: Step): Promise<void> {
  expectClearError(step);
  for (const content of step.left.values()) JSON.parse(content.toString('utf8'));
  expect((await restart(step.place)).problems).toEqual([]);
  const now = readAll(step.place.data);
  for (const name of ['authority.json', 'xds-anchor.json', 'token-keys.json']) {
    const before = step.left.get(name);
    if (before !== undefined) expect(now.get(name)).toEqual(before);
  }
}

const KINDS: readonly { readonly kind: Exclude<Fault['kind'], 'kill'>; readonly stride: number }[] =
  [
    { kind: 'ENOSPC', stride: 5 },
    { kind: 'EROFS', stride: 7 },
    { kind: 'EIO', stride: 7 },
    { kind: 'EDQUOT', stride: 17 },
  ];

describe('a disk that refuses from some step on', () => {
  it.each(KINDS)('with $kind: first start', { timeout: TIMEOUT_MS }, async ({ kind, stride }) => {
    const row = { kind, stride, prepare: () => undefined, argv: serve, run: runServer, check };
    await everyStep({ ...row, atLeast: 40 });
  });

  it.each(KINDS)('with $kind: token', { timeout: TIMEOUT_MS }, async ({ kind }) => {
    const argv = ({ data }: Place) => ['token', 'web', '--data', data];
    await everyStep({ kind, prepare: used, argv, check, stride: 2, atLeast: 1 });
  });
});

/** Looks every 20 ms until it holds. */
async function until(holds: () => boolean | Promise<boolean>, told: () => string): Promise<void> {
  for (let left = 15_000; left > 0; left -= 20) {
    if (await holds()) return;
    await sleep(20);
  }
  throw new Error(told());
}

describe('a server that runs when the disk fills up', () => {
  it('keeps the last good mesh, says so, and goes on when there is room', async () => {
    const place = newPlace();
    writeMesh(place);
    const switchPath = join(place.dir, 'full');
    const server = await startCommand({ argv: serve(place), root: place.data, switchPath });
    expect(await server.printed(READY)).toBe(true);
    const [, , admin = ''] = READY.exec(server.stdout()) ?? [];
    const ask = (...argv: readonly string[]) => runHere(...argv, '--server', admin);
    const stored = join(place.data, 'mesh.json');
    await until(() => existsSync(stored), server.stderr);
    const before = readAll(place.data);

    writeFileSync(switchPath, 'ENOSPC');
    const edited = readFileSync(place.mesh, 'utf8').replace('8080', '8081');
    writeFileSync(place.mesh, edited);
    await until(() => server.stderr().includes('ENOSPC'), server.stderr);
    expect(readAll(place.data)).toEqual(before);
    expect(server.stderr()).toContain(place.data);
    // It answers; what it could not store is not called in force.
    const status = async () => JSON.parse(await ask('status', '--json'));
    const metric = async (): Promise<string> => (await fetch(`http://${admin}/metrics`)).text();
    // From the first write that failed, with its file, what the system said, and since when.
    const trouble = /^the data folder cannot be written since \S+Z: \S+\.json: ENOSPC$/;
    expect(await status()).toMatchObject({
      proxies: [],
      warnings: [{ text: expect.stringMatching(trouble) }],
    });
    expect(server.stderr()).toContain('the data folder cannot be written');
    expect(await metric()).toContain('countersign_trouble{kind="disk"} 1');
    const waited = ask('wait', '--timeout', '100ms');
    await expect(waited).rejects.toThrow(
      /exit 1: the data folder cannot be written since .*ENOSPC/,
    );

    rmSync(switchPath);
    await ask('wait', '--timeout', '60s');
    await until(async () => (await status()).warnings.length === 0, server.stderr);
    expect(await metric()).toContain('countersign_trouble{kind="disk"} 0');
    expect(readFileSync(stored, 'utf8')).toContain('8081');
    server.child.signal('SIGTERM');
    expect(await server.ended).toMatchObject({ code: 0 });
  }, 90_000);
});
