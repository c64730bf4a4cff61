import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { MESH } from './cli.js';

// The built program as a process: exit codes, signals, a reader that goes away.

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

beforeAll(() => {
  if (!existsSync(PROGRAM)) throw new Error('expected a build at dist: run `npm run build` first');
});

interface Process {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Resolves when stdout or stderr holds this. */
  until(text: string): Promise<void>;
}

function start(...argv: string[]): Process {
  const env = { PATH: process.env['PATH'] };
  const child = spawn(process.execPath, [PROGRAM, ...argv], { env, stdio: 'pipe' });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  const waiters = new Set<() => void>();
  const told = (): void => {
    for (const waiter of [...waiters]) waiter();
  };
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    told();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    told();
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const until = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(text) || stderr.includes(text)) resolve();
      };
      waiters.add(look);
      look();
      void ended.then((end) => reject(new Error(`ended: ${JSON.stringify(end)}`)));
    });
  return { child, ended, until };
}

function tempMesh(): string {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-main-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'mesh.yaml'), MESH);
  return join(dir, 'mesh.yaml');
}

const FREE = ['--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0'];

describe('the program as a process', () => {
  test('output and exit code of a command', async () => {
    const mesh = tempMesh();
    expect(await start('check', mesh).ended).toEqual({
      code: 0,
      stdout: `${mesh}: 3 services, 3 ports; no problems\n`,
      stderr: '',
    });
    expect(await start('check', `${mesh}.none`).ended).toMatchObject({ code: 2, stdout: '' });
    expect(await start('status', '--server', '127.0.0.1:1').ended).toMatchObject({ code: 3 });
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('serve ends by %s with 0', async (signal) => {
    const { child, ended, until } = start('serve', '--mesh', tempMesh(), ...FREE);
    await until('ready: ');
    child.kill(signal);
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^created a new CA in .*\nready: xds .*\n$/);
    for (const line of stderr.trimEnd().split('\n')) expect(JSON.parse(line)).toBeTypeOf('object');
  });

  test('a long output arrives whole', async () => {
    const { code, stdout } = await start('render', tempMesh(), 'web', '--json').ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout).resources.length).toBeGreaterThan(10);
  });

  test('a reader that goes away is no error', async () => {
    const { child, ended } = start('render', tempMesh(), 'web');
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });
});
