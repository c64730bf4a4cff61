// Every file of a used data folder, lost or damaged in every way: see folder-matrix.ts.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MeshError, systemClock, systemRandom } from '../../src/base/index.js';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import { openDataDir } from '../../src/data/index.js';
import { LeafManager } from '../../src/leaves/index.js';
import { startServer } from '../../src/server/index.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { runHere } from './command.js';
import { adopt, newPlace, type Place, readAll, writeMesh } from './every-step.js';
import {
  EXPECTED,
  FORMS,
  type Form,
  MANIFEST,
  NAMES,
  putBack,
  spoil,
  toFile,
  toMarkdown,
  type Verdict,
} from './folder-matrix.js';
import { identityOf, useOnce } from './restart.js';

const WEB = parseSpiffeId('spiffe://shop.example/ns/default/sa/web');
const SETTINGS = {
  spiffeId: WEB,
  dnsNames: ['web'],
  ttlMs: 3_600_000,
  renewAt: 0.5,
  jitter: 0.05,
  key: 'ecdsa-p256',
} as const;
/** Files of these folders are not made again; what they are of may be. */
const STAND_FOR_THEMSELVES = /^(handed-out|leaves|issued-tokens|orders)(\/|$)/;
const FREE = { host: '127.0.0.1', port: 0 } as const;
const STEP_CA = {
  ...{ version: 1, trustDomain: 'shop.example', url: 'https://127.0.0.1:9', provisioner: 'p' },
  ...{ keyPath: '/nowhere', rootsPem: '' },
};

const DAMAGES: Readonly<Record<string, (content: Buffer, other: Buffer) => Buffer>> = {
  'cut in half': (content) => content.subarray(0, Math.floor(content.length / 2)),
  empty: () => Buffer.alloc(0),
  'random bytes': (content) =>
    Buffer.concat([createHash('sha256').update(content).digest(), Buffer.from([0, 255, 254])]),
  "another file's content": (_content, other) => other,
  'another form': () => Buffer.from('[1]\n'),
};

/** A folder with all that server and commands write; `earlier`: as it was before a part of it. */
async function fill(place: Place, earlier: string): Promise<void> {
  writeMesh(place);
  await useOnce(place);
  await runHere('token', 'web', '--data', place.data);
  await runHere('bootstrap', 'web', '--address', '127.1.0.1', '--data', place.data);
  const dataDir = await openDataDir({ path: place.data, lock: false });
  // What a sidecar that connects leaves, and an order to drain it.
  await dataDir.write('registry.json', '[]');
  await dataDir.write('drains.json', '[]');
  await dataDir.write('static-envoys.json', '[]');
  await dataDir.write('sidecars.json', JSON.stringify({ version: 1, sidecars: [] }));
  const options = { dataDir, clock: systemClock, random: systemRandom };
  const { authority } = await loadOrCreateAuthority({ ...options, trustDomain: 'shop.example' });
  const leaves = new LeafManager({ ...options, authority, onProblem: () => undefined });
  await leaves.ensure('web~a', SETTINGS);
  await leaves.close();
  await runHere('cert', 'web', '--out', join(place.dir, 'tls'), '--data', place.data);
  await runHere('ca', 'bundle', '--data', place.data);
  await runHere('revoke', 'web', '--data', place.data, '--server', '127.0.0.1:9');
  // Puts the revocation in force.
  await useOnce(place);
  cpSync(place.data, earlier, { recursive: true });
  const another = ['revoke', '--token', 'f00d', '--yes', '--data', place.data];
  await runHere(...another, '--server', '127.0.0.1:9');
  await useOnce(place);
  // It leaves an order; no server answers.
  const renewal = runHere('cert', 'web', '--renew', '--data', place.data);
  await expect(renewal).rejects.toThrow('exit 3');
}

async function start({ mesh, data }: Place) {
  const logger = recordingLogger();
  const options = { meshPath: mesh, dataPath: data, xds: FREE, admin: FREE, logger };
  const server = await startServer(options);
  const { host, port } = server.adminAddress;
  const get = async (path: string): Promise<unknown> =>
    (await fetch(`http://${host}:${port}${path}`)).json();
  const look = async (): Promise<ServerStatus> => {
    await get('/v1/wait?timeout_ms=0');
    return (await get('/v1/status')) as ServerStatus;
  };
  return { server, logger, look };
}

const toTexts = ({ warnings }: ServerStatus): readonly string[] => warnings.map(({ text }) => text);
/** Whatever is lost, nobody is let in again. */
function expectStillRevoked(status: ServerStatus, what: string): void {
  const revoked = status.revocations.map(({ kind, subject }) => `${kind} ${subject}`);
  expect(revoked, what).toEqual(['service web', 'token f00d']);
}

function* cases(): Generator<{ readonly name: string; readonly form: Form }> {
  for (const name of NAMES) for (const form of FORMS) yield { name, form };
}

/** What a mesh with an outside CA has. */
function writeStepCa({ data }: Place): void {
  writeFileSync(join(data, 'step-ca.json'), JSON.stringify(STEP_CA), { mode: 0o600 });
}

/** What a start makes of a folder with that file spoiled. */
async function startVerdict(place: Place, file: string): Promise<Verdict> {
  const path = join(place.data, file);
  const before = existsSync(path) ? readAll(place.data).get(file) : undefined;
  const { roots, anchor } = await identityOf(place).catch(() => ({ roots: '', anchor: '' }));
  try {
    const { server, look } = await start(place);
    const status = await look().finally(() => server.close());
    expectStillRevoked(status, file);
    const now = await identityOf(place);
    if (roots !== '') expect([now.roots, now.anchor]).toEqual([roots, anchor]);
    const texts = toTexts(status);
    if (file === MANIFEST && texts.some((text) => text.includes('was copied'))) return 'told';
    if (!texts.some((text) => text.includes(file))) return 'serves on';
    const after = readAll(place.data).get(file);
    const isSame = before !== undefined && after?.equals(before) === true;
    return isSame || STAND_FOR_THEMSELVES.test(file) ? 'told' : 'made again';
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    expect(error.message).toContain(path);
    return 'refused';
  }
}

describe('the folder matrix', () => {
  it('has a row for every file that belongs to a data folder, and the document shows it', () => {
    expect(Object.keys(EXPECTED)).toEqual(NAMES);
    const text = readFileSync(new URL('../../docs/data-folder.md', import.meta.url), 'utf8');
    for (const table of toMarkdown(EXPECTED)) expect(text).toContain(table);
  });

  it('server stopped: what a start makes of each', { timeout: 240_000 }, async () => {
    const place = newPlace();
    const [made, earlier] = [join(place.dir, 'made'), join(place.dir, 'earlier')];
    await fill(place, earlier);
    cpSync(place.data, made, { recursive: true });
    // Nothing that a server or a command writes is without a row.
    const written = [...readAll(made).keys()].map((file) => file.split('/')[0] ?? '');
    expect([...new Set(written)].filter((name) => !NAMES.includes(name))).toEqual([]);
    const found: Record<string, Verdict> = {};
    const expected: Record<string, Verdict> = {};
    for (const { name, form } of cases()) {
      rmSync(place.data, { recursive: true });
      cpSync(made, place.data, { recursive: true });
      if (name === 'step-ca.json') writeStepCa(place);
      await adopt(place);
      const file = toFile(place.data, name, { form, earlier }) ?? name;
      const isSpoiled =
        existsSync(join(place.data, file)) && spoil(place.data, file, { form, earlier });
      const key = `${name}, ${form}`;
      expected[key] = EXPECTED[name]?.[form][0] ?? '–';
      found[key] = isSpoiled ? await startVerdict(place, file) : '–';
    }
    expect(found).toEqual(expected);
  });
});

describe('the folder matrix, beside a running server', () => {
  it('server running: what it says of each, and takes nothing back', {
    timeout: 120_000,
  }, async () => {
    const place = newPlace();
    const [made, earlier] = [join(place.dir, 'made'), join(place.dir, 'earlier')];
    await fill(place, earlier);
    const { server, look } = await start(place);
    onTestFinished(() => server.close());
    expect(toTexts(await look())).toEqual([]);
    cpSync(place.data, made, { recursive: true });
    const found: Record<string, Verdict> = {};
    const expected: Record<string, Verdict> = {};
    for (const { name, form } of cases()) {
      const file = toFile(made, name, { form, earlier }) ?? name;
      const isThere = existsSync(join(made, file));
      // An order that was put back was carried out since.
      if (isThere) putBack(place.data, file, made);
      const isSpoiled = isThere && spoil(place.data, file, { form, earlier });
      const key = `${name}, ${form}`;
      expected[key] = EXPECTED[name]?.[form][1] ?? '–';
      found[key] = '–';
      if (!isSpoiled) continue;
      const status = await look();
      expectStillRevoked(status, key);
      found[key] = toTexts(status).some((text) => text.includes(file)) ? 'told' : 'serves on';
      putBack(place.data, file, made);
      // It ends with its cause.
      expect(toTexts(await look()), key).toEqual([]);
    }
    expect(found).toEqual(expected);
  });
});

describe('a damaged data folder', () => {
  it.each(Object.entries(DAMAGES))(
    'a leaf, %s: set aside, and made anew',
    async (_name, damage) => {
      const place = newPlace();
      await fill(place, join(place.dir, 'earlier'));
      const [file = ''] = [...readAll(place.data).keys()].filter((name) =>
        name.startsWith('leaves/'),
      );
      const path = join(place.data, file);
      const damaged = damage(readFileSync(path), readFileSync(join(place.data, 'token-keys.json')));
      writeFileSync(path, damaged);
      const dataDir = await openDataDir({ path: place.data, lock: false });
      const options = { dataDir, clock: systemClock, random: systemRandom };
      const { authority } = await loadOrCreateAuthority({
        ...options,
        trustDomain: 'shop.example',
      });
      const problems: unknown[] = [];
      const leaves = new LeafManager({
        ...options,
        authority,
        onProblem: ({ error }) => problems.push(error),
      });
      const leaf = await leaves.ensure('web~a', SETTINGS);
      await leaves.close();
      expect(authority.vouchesFor(leaf.chainPem)).toBe(true);
      expect(problems).toEqual([expect.objectContaining({ code: 'data-damaged' })]);
      const aside = [...readAll(place.data)].filter(([name]) =>
        name.startsWith(`${file}.damaged-`),
      );
      expect(aside.map(([, content]) => content)).toEqual([damaged]);
    },
  );
});
