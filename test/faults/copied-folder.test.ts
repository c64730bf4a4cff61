// A copy of the data folder knows nothing of what came after it: a start on one says so, however
// the copy came there; and a folder that only moved is none.
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startServer } from '../../src/server/index.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { runHere } from './command.js';
import { newPlace, type Place, writeMesh } from './every-step.js';
import { useOnce } from './restart.js';

const FREE = { host: '127.0.0.1', port: 0 } as const;
const COPIED = /was copied, restored or put back, and knows nothing of after \d{4}-.*revoke --list/;

async function start({ mesh, data }: Place) {
  const logger = recordingLogger();
  const options = { meshPath: mesh, dataPath: data, xds: FREE, admin: FREE, logger };
  const server = await startServer(options);
  const { host, port } = server.adminAddress;
  const get = async (path: string) => (await fetch(`http://${host}:${port}${path}`)).text();
  const { warnings, revocations } = JSON.parse(await get('/v1/status')) as ServerStatus;
  const metrics = await get('/metrics');
  await server.close();
  const logged = logger.lines.filter(({ level }) => level === 'error');
  const texts = warnings.map(({ text }) => text);
  return { texts, logged, metrics, subjects: revocations.map(({ subject }) => subject) };
}

/** A folder that was copied before its last revocation. */
async function used(): Promise<Place & { readonly old: string }> {
  const place = newPlace();
  writeMesh(place);
  await useOnce(place);
  const old = join(place.dir, 'old');
  cpSync(place.data, old, { recursive: true, preserveTimestamps: true });
  await runHere('revoke', 'web', '--data', place.data, '--server', '127.0.0.1:9');
  await useOnce(place);
  expect((await start(place)).subjects).toEqual(['web']);
  return { ...place, old };
}

const WAYS: readonly (readonly [
  string,
  (place: Place & { readonly old: string }) => Promise<void>,
])[] = [
  [
    'in its place',
    async ({ data, old }) => {
      rmSync(data, { recursive: true });
      cpSync(old, data, { recursive: true, preserveTimestamps: true });
    },
  ],
  [
    'moved into its place',
    async ({ data, old }) => {
      rmSync(data, { recursive: true });
      renameSync(old, data);
    },
  ],
  [
    'over it, file by file',
    async ({ data, old }) => {
      rmSync(join(data, 'revocations'), { recursive: true });
      rmSync(join(data, 'revocation-marks.json'));
      cpSync(old, data, { recursive: true, preserveTimestamps: true });
    },
  ],
  [
    'by restore',
    async ({ data, old, dir }) => {
      const phrase = join(dir, 'phrase');
      writeFileSync(phrase, 'correct horse battery staple');
      const by = ['--passphrase-file', phrase];
      await runHere('backup', join(dir, 'old.backup'), ...by, '--data', old);
      rmSync(data, { recursive: true });
      await runHere('restore', join(dir, 'old.backup'), ...by, '--data', data);
    },
  ],
];

it.each(WAYS)('an old copy %s is said by status, log and metrics', async (_how, put) => {
  const place = await used();
  await put(place);
  const { texts, logged, metrics, subjects } = await start(place);
  // What it can't know it says.
  expect(subjects).toEqual([]);
  expect(texts).toContainEqual(expect.stringMatching(COPIED));
  expect(JSON.stringify(logged)).toMatch(/knows nothing of after/);
  expect(metrics).toContain('countersign_trouble{kind="data-file"} 1');
  expect((await start(place)).texts).toEqual([]);
});

it('a folder that only moved is no copy', async () => {
  const place = await used();
  const there = join(place.dir, 'elsewhere');
  mkdirSync(there);
  const data = join(there, 'data');
  renameSync(place.data, data);
  const { texts, subjects } = await start({ ...place, data });
  expect([texts, subjects]).toEqual([[], ['web']]);
});

it('a backup of a folder that lost a key is refused', async () => {
  const place = await used();
  const phrase = join(place.dir, 'phrase');
  writeFileSync(phrase, 'correct horse battery staple');
  const backup = () =>
    runHere(
      ...['backup', join(place.dir, 'x.backup'), '--force', '--passphrase-file', phrase],
      ...['--data', place.data],
    );
  await backup();
  rmSync(join(place.data, 'token-keys.json'));
  await expect(backup()).rejects.toThrow(/token-keys\.json, which belongs .* but it is gone/);
});
