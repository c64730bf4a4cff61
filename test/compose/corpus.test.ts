// The corpus of test/compose-files/ as Docker Compose sees it: the override merges with its
// original, what is left out stays as it was, and our own reader understands what Compose does.
// No engine is asked.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCorpus } from '../compose-files/expected.js';
import { generate } from '../compose-files/generate.js';
import { fetchCompose } from './fetch-compose.js';

const run = promisify(execFile);
const OVERRIDE = 'docker-compose.mesh.yml';
const corpus = readCorpus();
const taken = corpus.filter(({ expected }) => expected.refused === undefined);
/** Settings for the mesh are none of Compose's. */
const refused = corpus.filter(({ kind, expected }) => {
  return expected.refused !== undefined && !kind.startsWith('setting-');
});

let work = '';
let compose = '';

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'countersign-corpus-'));
  compose = join(await fetchCompose(join(work, 'docker')), 'cli-plugins/docker-compose');
});

afterAll(() => rm(work, { recursive: true, force: true }));

function environment(): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], HOME: work, COMPOSE_BIN: compose };
}

type Services = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

async function readByCompose(folder: string, files: readonly string[]): Promise<Services> {
  const flags = files.flatMap((file) => ['-f', file]);
  const { stdout } = await run(
    compose,
    [...flags, '--profile', '*', 'config', '--format', 'json'],
    { cwd: folder, env: environment(), maxBuffer: 16 * 1024 * 1024 },
  );
  return (JSON.parse(stdout) as { services: Services }).services;
}

test('there is a corpus', () => {
  expect(taken.length).toBeGreaterThan(60);
  expect(refused.length).toBeGreaterThan(3);
});

test.each(taken.map((one) => [one.kind, one] as const))('%s', async (kind, one) => {
  const { plan, override } = await generate(one);
  const seen = await generate(one, { env: environment() });
  expect(seen.plan).toEqual(plan);
  expect(seen.override).toEqual(override);
  if (override === undefined) return;
  const folder = join(work, kind);
  await cp(one.folder, folder, { recursive: true });
  await writeFile(join(folder, OVERRIDE), override);
  const own = one.expected.files;
  const before = await readByCompose(folder, own);
  const after = await readByCompose(folder, [...own, OVERRIDE]);
  expect(Object.keys(after)).toEqual(expect.arrayContaining(Object.keys(before)));
  expect(publishedBy(after)).toEqual(publishedBy(before));
  for (const [name, { depends_on: order }] of Object.entries(before)) {
    const now = Object.keys(after[name]?.['depends_on'] ?? {});
    expect(now, name).toEqual(expect.arrayContaining(Object.keys(order ?? {})));
  }
  for (const { compose: name } of plan.leftOut) {
    expect({ ...after[name], networks: undefined }).toEqual({
      ...before[name],
      networks: undefined,
    });
  }
});

/** Whoever publishes them. */
function publishedBy(services: Services): unknown[] {
  const all = Object.values(services).flatMap(({ ports }) => (ports ?? []) as unknown[]);
  return all.map((port) => JSON.stringify(port)).sort();
}

test.each(refused.map((one) => [one.kind, one] as const))(
  'Compose refuses it too: %s',
  async (_, one) => {
    await expect(readByCompose(one.folder, one.expected.files)).rejects.toThrow();
  },
);
