// kill -9 at each step of a server that carries out what a command has left, and of a restore.
// Afterwards the state is the one before or the one after (of a change of root: one of its stages),
// and the next start gets to the end.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { offerCaChain, STEER_CA } from '../../src/ca/change/index.js';
import { createCaChain, loadAuthority } from '../../src/ca/index.js';
import { openDataDir } from '../../src/data/index.js';
import { createOrderStore, giveOrder } from '../../src/data/orders/index.js';
import { loadRevocations } from '../../src/revocation/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { FREE_PORTS, READY } from '../harness/process.js';
import { type CommandOptions, type Ended, runHere, startCommand } from './command.js';
import { type EveryStep, everyStep, type Place, readAll, type Step } from './every-step.js';
import { identityOf, restart, useOnce } from './restart.js';

const TIMEOUT_MS = 300_000;
const TOOLS = { clock: systemClock, random: systemRandom, keySource: generateKeys };
const PHRASE = 'correct horse battery staple';

const open = ({ data }: Place) => openDataDir({ path: data, lock: false, create: false });
const read = (place: Place, name: string): string => readFileSync(join(place.dir, name), 'utf8');

/** Every file is whole. */
function expectWhole({ left }: Step): void {
  for (const content of left.values()) JSON.parse(content.toString('utf8'));
}

/** A server that is stopped when `isDone`, or has been given long enough to get there. */
async function runUntil(
  options: CommandOptions,
  isDone: (root: string) => boolean,
): Promise<Ended> {
  const { child, ended, printed } = await startCommand(options);
  if (await printed(READY)) {
    const isOver = ended.then(() => true);
    for (let left = 3_000; left > 0 && !isDone(options.root); left -= 20) {
      if (await Promise.race([isOver, sleep(20, false)])) break;
    }
    child.signal('SIGTERM');
  }
  return ended;
}

const serve = ({ mesh, data }: Place): readonly string[] => [
  ...['serve', '--mesh', mesh, '--data', data, '--log-level', 'silent'],
  ...FREE_PORTS,
];

/** An order that has not been carried out. */
const hasOffer = (root: string): boolean => {
  const folder = join(root, 'data', 'orders');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.some((name) => /^[0-9a-f]+\.json$/.test(name));
};
const isChanging = (root: string): boolean =>
  readFileSync(join(root, 'data', 'authority.json'), 'utf8').includes('"change"');

async function rootsOf(place: Place): Promise<string> {
  return (await identityOf(place)).roots;
}

/** Another start takes what waits to its end; what it served on the way was one of the stages. */
async function expectTakenOver(step: Step): Promise<void> {
  const { place } = step;
  expectWhole(step);
  const { roots, change } = await identityOf(place);
  const [oldRoot, newRoot] = ['old.pem', 'new.pem'].map((name) => read(place, name));
  const stages = [oldRoot, `${oldRoot}${newRoot}`, `${newRoot}${oldRoot}`, newRoot];
  expect(stages).toContain(roots);
  expect(change === undefined).toBe(roots === oldRoot || roots === newRoot);
  const ended = await runUntil(
    { argv: serve(place), root: place.dir },
    (root) => !hasOffer(root) && !isChanging(root),
  );
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
  expect(await rootsOf(place)).toBe(newRoot);
  const authority = await loadAuthority({ dataDir: await open(place), ...TOOLS });
  expect(authority.describe()).toHaveLength(2);
}

async function withOffer(place: Place): Promise<void> {
  await useOnce(place);
  const line = await createCaChain('shop.example', TOOLS);
  writeFileSync(join(place.dir, 'old.pem'), await rootsOf(place));
  writeFileSync(join(place.dir, 'new.pem'), line.root.pem);
  await offerCaChain(createOrderStore(await open(place)), line, TOOLS);
}

/** A root that signs already, and the operator's word on it. */
const withStep =
  (step: 'taint' | 'abort') =>
  async (place: Place): Promise<void> => {
    await useOnce(place);
    writeFileSync(join(place.dir, 'old.pem'), await rootsOf(place));
    const line = await createCaChain('shop.example', TOOLS);
    writeFileSync(join(place.dir, 'new.pem'), line.root.pem);
    const dataDir = await open(place);
    const authority = await loadAuthority({ dataDir, ...TOOLS });
    await authority.beginChange(line, 'sign');
    await authority.signByNew();
    const payload = { rootSha256: authority.change?.newRootSha256 ?? '', step };
    await giveOrder(STEER_CA, { payload }, { store: createOrderStore(dataDir), ...TOOLS });
  };

/** Another start carries the operator's word out, whatever was done of it. */
const expectSteered =
  (left: 'old.pem' | 'new.pem') =>
  async (step: Step): Promise<void> => {
    const { place } = step;
    expectWhole(step);
    const ended = await runUntil(
      { argv: serve(place), root: place.dir },
      (root) => !hasOffer(root) && !isChanging(root),
    );
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
    expect(await rootsOf(place)).toBe(read(place, left));
  };

const revocations = async (place: Place): Promise<string[]> => [
  ...(await loadRevocations(await open(place))).keys(),
];

interface Row extends EveryStep {
  readonly name: string;
}

const ROWS: readonly Row[] = [
  {
    name: 'a server that takes over another CA',
    kind: 'kill',
    prepare: withOffer,
    argv: serve,
    run: (options) => runUntil(options, (root) => !hasOffer(root) && !isChanging(root)),
    // Each is a server of its own, and there are many: a third of them is enough in every run.
    stride: 3,
    atLeast: 20,
    check: expectTakenOver,
  },
  ...(
    [
      ['abort', 'old.pem'],
      ['taint', 'new.pem'],
    ] as const
  ).map(
    ([step, left]): Row => ({
      name: `a server that is told to ${step} a change of root`,
      kind: 'kill',
      prepare: withStep(step),
      argv: serve,
      run: (options) => runUntil(options, (root) => !hasOffer(root) && !isChanging(root)),
      stride: 8,
      atLeast: 5,
      check: expectSteered(left),
    }),
  ),
  {
    name: 'a server that puts a revocation in force',
    kind: 'kill',
    async prepare(place) {
      await useOnce(place);
      await runHere('cert', 'web', '--out', join(place.dir, 'tls'), '--data', place.data);
      await runHere('revoke', 'web', '--data', place.data, '--server', '127.0.0.1:9');
    },
    argv: serve,
    run: (options) =>
      runUntil(options, (root) => existsSync(join(root, 'data', 'revocation-marks.json'))),
    atLeast: 5,
    async check(step) {
      expectWhole(step);
      const { place } = step;
      expect(await revocations(place)).toHaveLength(1);
      const { problems } = await restart(place);
      expect(problems).toEqual([]);
      expect(existsSync(join(place.data, 'crls.json'))).toBe(true);
    },
  },
  {
    name: 'restore',
    kind: 'kill',
    async prepare(place) {
      await useOnce(place);
      const phrase = join(place.dir, 'phrase');
      writeFileSync(phrase, PHRASE);
      const file = join(place.dir, 'mesh.backup');
      await runHere('backup', file, '--passphrase-file', phrase, '--data', place.data);
    },
    argv: ({ dir }) => restoreArgv(dir),
    // Each of the folder's files is written the same way.
    stride: 7,
    atLeast: 20,
    async check({ place, ended }) {
      const restored = readAll(join(place.dir, 'again'));
      const original = readAll(place.data);
      if (restored.size === 0) {
        expect(ended.stdout).toBe('');
        await runHere(...restoreArgv(place.dir));
      } else {
        expect([...restored.keys()].sort()).toEqual([...original.keys()].sort());
      }
      expect(contentOf(readAll(join(place.dir, 'again')))).toEqual(contentOf(original));
    },
  },
];

/** Of a folder's files; but the manifest knows its own place, by which a copy is told apart. */
function contentOf(files: ReadonlyMap<string, Buffer>): ReadonlyMap<string, unknown> {
  return new Map(
    [...files].map(([name, bytes]) =>
      name === 'data-manifest.json'
        ? [name, (JSON.parse(bytes.toString()) as { files: unknown }).files]
        : [name, bytes],
    ),
  );
}

function restoreArgv(dir: string): readonly string[] {
  const phrase = ['--passphrase-file', join(dir, 'phrase')];
  return ['restore', join(dir, 'mesh.backup'), ...phrase, '--data', join(dir, 'again')];
}

describe('killed at any step', () => {
  beforeAll(() => expect(ROWS.length).toBeGreaterThan(0));

  it.each(ROWS)('$name', { timeout: TIMEOUT_MS }, async (row) => {
    await everyStep(row);
  });
});
