// `apply`, `pause`, `resume` and `abort`, against a server that runs.
import { renameSync } from 'node:fs';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { Cli, MESH, type Running } from './cli.js';

const FREE = ['--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--log-level', 'silent'] as const;
const ADMIN = /^ready: xds \S+, admin (\S+), /m;
const EDITED = `${MESH}\n# an edit\n`;

let cli: Cli;
beforeEach(() => {
  cli = new Cli();
  cli.write('mesh.yaml', MESH);
});

async function serve(...argv: readonly string[]): Promise<Running> {
  const running = cli.start('serve', ...FREE, '--mesh', '<dir>/mesh.yaml', ...argv);
  onTestFinished(async () => {
    running.stop();
    await running.done;
  });
  await running.until(({ stdout }) => ADMIN.test(stdout()));
  // The server's clock is the system's.
  cli.clock.jump(systemClock.now() - cli.clock.now());
  return running;
}

const toServer = (running: Running) => ['--server', ADMIN.exec(running.stdout())?.[1] ?? ''];
const DATA = ['--data', '<dir>/.countersign'];

/** Whole, as a careful editor writes it. */
function edit(text: string): void {
  cli.write('mesh.yaml.new', text);
  renameSync(cli.path('mesh.yaml.new'), cli.path('mesh.yaml'));
}

interface Shown {
  readonly mesh: { readonly version: string; readonly heldEdit?: { why: string; version: string } };
  readonly paused: boolean;
}

async function status(running: Running): Promise<Shown> {
  const { stdout } = await cli.run('status', '--json', ...toServer(running));
  return JSON.parse(stdout) as Shown;
}

async function untilHeld(running: Running): Promise<Shown> {
  for (;;) {
    const shown = await status(running);
    if (shown.mesh.heldEdit !== undefined) return shown;
  }
}

describe('in manual mode', () => {
  test('an edit is shown and not taken, until it is applied', async () => {
    const running = await serve('--apply', 'manual');
    const server = toServer(running);
    const { version } = (await status(running)).mesh;
    edit(EDITED);
    const shown = await untilHeld(running);
    expect(shown.mesh).toMatchObject({ version, heldEdit: { why: 'manual' } });
    const next = shown.mesh.heldEdit?.version ?? '';
    expect((await cli.run('status', ...server)).stdout).toContain(
      `the mesh file has an edit, ${next}, that is held back until \`countersign apply\`\n`,
    );
    expect(await cli.run('wait', '--timeout', '0s', ...server)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`the edit ${next} of the mesh file waits to be applied`),
    });
    expect(await cli.run('apply', '--wait', ...DATA, ...server)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        new RegExp(`^mesh ${next} is being put in force\nmesh ${next} is in force, but no proxy`),
      ),
    });
    expect((await status(running)).mesh).not.toHaveProperty('heldEdit');
    expect((await cli.run('apply', ...DATA)).stdout).toBe(
      `mesh ${next} was taken before: the file has no other edit\n`,
    );
  }, 30_000);

  test('a file with errors is not applied', async () => {
    const running = await serve('--apply', 'manual');
    edit('trustDomain: 7\n');
    const answer = await cli.run('apply', ...DATA);
    expect(answer).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: the server says: expected a good mesh but got errors/),
    });
    expect((await status(running)).paused).toBe(false);
  }, 30_000);
});

test('paused, an edit waits, over a restart too; resumed, it is taken', async () => {
  const first = await serve();
  expect((await cli.run('pause', ...DATA)).stdout).toMatch(/^paused: no step is taken and no edit/);
  expect((await cli.run('pause', ...DATA)).stdout).toMatch(/^paused already: /);
  edit(EDITED);
  expect(await untilHeld(first)).toMatchObject({
    paused: true,
    mesh: { heldEdit: { why: 'paused' } },
  });
  first.stop();
  await first.done;
  const running = await serve();
  const { mesh, paused } = await untilHeld(running);
  expect([paused, mesh.heldEdit?.why]).toEqual([true, 'paused']);
  const { stdout } = await cli.run('status', ...toServer(running));
  expect(stdout).toContain('paused: no step is taken and no edit of the mesh file');
  const next = mesh.heldEdit?.version ?? '';
  expect((await cli.run('resume', ...DATA)).stdout).toBe(`goes on: mesh ${next}\n`);
  expect((await status(running)).mesh.version).toBe(next);
}, 30_000);

test('to abort where nothing runs is the answer no', async () => {
  await serve();
  expect(await cli.run('abort', ...DATA)).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'error: expected a change that is under way but there is none\n' +
      '  hint: `countersign status` shows what is\n',
  });
}, 30_000);

test('an edit that was held back and is aborted is not taken', async () => {
  const running = await serve();
  await cli.run('pause', ...DATA);
  edit(EDITED);
  await untilHeld(running);
  const { stdout } = await cli.run('abort', ...DATA);
  expect(stdout).toMatch(/^the edit [0-9a-f]{12} is not taken\nit is not tried again until/);
  await cli.run('resume', ...DATA);
  expect((await status(running)).mesh.heldEdit?.why).toBe('aborted');
}, 30_000);

test('without a server nothing is taken for done', async () => {
  await cli.prepareData();
  const answer = await cli.run('pause', '--data', '<dir>/data');
  expect(answer).toMatchObject({ code: 3, stderr: expect.stringMatching(/^error: no server has/) });
});
