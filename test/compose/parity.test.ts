// Our own reader against Docker Compose's: the same project of every file of the corpus.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readProject } from '../../src/compose/project/index.js';
import { readCorpus } from '../compose-files/expected.js';
import { fetchCompose } from './fetch-compose.js';

const cases = readCorpus();
let config = '';

beforeAll(async () => {
  config = await fetchCompose(await mkdtemp(join(tmpdir(), 'countersign-parity-')));
});
afterAll(async () => {
  await rm(config, { recursive: true, force: true });
});

test('the corpus has files', () => {
  expect(cases.length).toBeGreaterThan(40);
});

test.each(cases.map((one) => [one.kind, one.files] as const))('%s', async (_, files) => {
  const cwd = dirname(files[0] ?? '.');
  const compose = join(config, 'cli-plugins/docker-compose');
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], COMPOSE_BIN: compose };
  const read = async (reader: 'any' | 'own'): Promise<unknown> => {
    try {
      return (await readProject({ files, cwd, env, reader })).project;
    } catch (error) {
      expect(error).toMatchObject({ name: 'MeshError' });
      return 'refused';
    }
  };
  const own = await read('own');
  expect(plain(own)).toEqual(plain(await read('any')));
});

/** Maps as pairs, by key: Compose sorts what it prints. */
function plain(value: unknown): unknown {
  if (value instanceof Set) return [...value].sort();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const pairs = value instanceof Map ? [...value] : Object.entries(value);
  return pairs.map(([key, inner]) => [String(key), plain(inner)]).sort();
}
