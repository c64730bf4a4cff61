// `ca prepare`, `ca activate`, `ca taint` and `ca abort` with a server, as an operator types them.
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { loadAuthority } from '../../src/ca/index.js';
import { openDataDir } from '../../src/data/index.js';
import { startServer } from '../../src/server/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { Cli, MESH } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;

let cli: Cli;
beforeEach(async () => {
  cli = new Cli({ clock: new ManualClock(systemClock.now()) });
  cli.write('mesh.yaml', MESH);
  const server = await startServer({
    ...{ meshPath: cli.path('mesh.yaml'), dataPath: cli.path('data'), logger: recordingLogger() },
    ...{ xds: { host: '127.0.0.1', port: 0 }, admin: { host: '127.0.0.1', port: 0 } },
  });
  onTestFinished(() => server.close());
});

const ca = (...argv: string[]) => cli.run('ca', ...argv, ...DATA);

async function shown(): Promise<Record<string, unknown> | null> {
  return JSON.parse((await ca('show', '--json')).stdout).rootChange;
}

async function roots(): Promise<string> {
  const dataDir = await openDataDir({ path: cli.path('data'), lock: false });
  const { clock } = cli;
  return (await loadAuthority({ dataDir, clock, random: systemRandom })).trustAnchorsPem;
}

test('prepared, activated, and let go on to its end', async () => {
  expect(await ca('prepare', '--wait')).toEqual({
    code: 0,
    stdout:
      'the server has taken over a new root: proxies come to trust it, and nothing is signed by ' +
      'it\nevery proxy trusts the new root: `countersign ca activate` lets it sign\n',
    stderr: '',
  });
  expect(await shown()).toMatchObject({
    ...{ stage: 'trust', until: 'trust', isTainted: false, waitingFor: [], nodes: [] },
  });
  expect((await ca('show')).stdout).toContain(
    '  goal         prepared: `countersign ca activate` lets the new root sign\n',
  );
  expect((await ca('prepare')).code).toBe(1);
  expect(await ca('activate', '--wait')).toEqual({
    code: 0,
    stdout:
      'the new root signs as soon as every proxy trusts it; the old one stays trusted\n' +
      'every proxy has a leaf of the new root\n',
    stderr: '',
  });
  expect(await shown()).toMatchObject({ stage: 'sign', until: 'sign' });
  expect(await ca('rotate', '--wait')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('the new root stands alone\n'),
  });
  expect(await shown()).toBeNull();
  expect(await ca('abort')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'expected a change of root to take back but no change of root is under way',
    ),
  });
});

test('taken back: before it signed, and after', async () => {
  const before = await roots();
  await ca('prepare');
  expect(await ca('abort', '--wait')).toEqual({
    code: 0,
    stdout:
      'the new root is dropped: nothing was signed by it\nthe new root is no longer trusted\n',
    stderr: '',
  });
  await ca('prepare');
  await ca('activate');
  expect(await ca('abort', '--wait')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('the new root is no longer trusted\n'),
  });
  expect(await roots()).toBe(before);
});

test('tainted: who is cut off is named, and it asks for --yes', async () => {
  expect((await ca('taint')).stderr).toContain('give the mesh another root first');
  await ca('bundle');
  await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
  await ca('prepare');
  expect(await ca('taint')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('let the new one sign first'),
  });
  await ca('activate', '--wait');
  const refused = await ca('taint');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /^warning: a bad root goes at once; nobody but proxies is waited for\. That cuts off:\n/,
  );
  expect(refused.stderr).toMatch(/ {2}a client of "web": certificate [0-9a-f]+, until /);
  expect(refused.stderr).toContain('error: expected --yes: 2 depend on the root that is bad');
  expect(await shown()).toMatchObject({ isTainted: false });
  const done = await ca('taint', '--yes', '--wait');
  expect({ code: done.code, stdout: done.stdout }).toEqual({
    code: 0,
    stdout:
      'the old root is marked as bad: it goes as soon as every proxy has a new leaf\n' +
      'the bad root is no longer trusted\n',
  });
  expect(await shown()).toBeNull();
});
