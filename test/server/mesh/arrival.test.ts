import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/base/index.js';
import { WrittenNames } from '../../../src/server/mesh/arrival.js';
import { MeshSource, type MeshState } from '../../../src/server/mesh/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';

const HEAD = `trustDomain: shop.example
services:
  web: {}
  ledger:
    ports:
      8080:
        protocol: http
`;
const STRICT = `${HEAD}        mtls: strict\n`;
const PERMISSIVE = `${HEAD}        mtls: permissive\n`;
const DISABLE = `${HEAD}        mtls: disable\n`;

async function setUp(text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-arrival-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'mesh.yaml');
  writeFileSync(path, text);
  const clock = new ManualClock();
  const source = await MeshSource.open({ path, clock, store: new MemoryStore() });
  const taken: MeshState[] = [];
  source.onChange((state) => taken.push(state));
  const modes = () => taken.map(({ mesh }) => mesh.services.get('ledger' as never)?.ports[0]?.mode);
  return { folder, path, clock, source, taken, modes };
}

/** Under another name, finished, and renamed. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  // The file system's clock is coarse: the write was well before the rename.
  utimesSync(`${path}.new`, 1_000, 1_000);
  renameSync(`${path}.new`, path);
}

describe('a file that is written in place', () => {
  it('is not put in force while its last line, mtls: strict, is missing', async () => {
    const { path, clock, source, taken, modes } = await setUp(STRICT);
    writeFileSync(path, HEAD);
    source.check();
    clock.advance(1_500);
    expect(taken).toEqual([]);
    appendFileSync(path, '        mtls: strict\n');
    source.check();
    clock.advance(10_000);
    expect([taken, source.state.pendingEdit]).toEqual([[], undefined]);
    expect(modes()).toEqual([]);
  });

  it('is waited for anew with each write, noticed or not', async () => {
    const { path, clock, source, modes } = await setUp(STRICT);
    writeFileSync(path, PERMISSIVE);
    source.check();
    clock.advance(1_900);
    writeFileSync(path, DISABLE);
    clock.advance(1_900);
    expect(modes()).toEqual([]);
    clock.advance(200);
    expect(modes()).toEqual(['disable']);
  });

  it('waits less where it only tightens', async () => {
    const { path, clock, source, modes } = await setUp(PERMISSIVE);
    writeFileSync(path, STRICT);
    source.check();
    expect(source.state.pendingEdit).toEqual({ sinceMs: clock.now(), stillMs: 500 });
    clock.advance(500);
    expect(modes()).toEqual(['strict']);
  });

  it('waits longest where its text stops in the middle', async () => {
    const { path, clock, source, taken } = await setUp(PERMISSIVE);
    writeFileSync(path, PERMISSIVE.slice(0, -'        mtls: permissive\n'.length).trimEnd());
    source.check();
    clock.advance(4_900);
    expect(taken).toEqual([]);
    clock.advance(100);
    expect(taken).toHaveLength(1);
  });

  it('is taken back before it was taken: nothing happened', async () => {
    const { path, clock, source, taken } = await setUp(STRICT);
    let changes = 0;
    source.pendingChanges.add(() => changes++);
    writeFileSync(path, DISABLE);
    source.check();
    writeFileSync(path, STRICT);
    source.check();
    clock.advance(20_000);
    expect([taken, changes, clock.pending]).toEqual([[], 2, 0]);
  });
});

it('a file that is renamed into its place is taken at once', async () => {
  const { path, clock, source, modes } = await setUp(STRICT);
  replace(path, DISABLE);
  source.check();
  clock.advance(50);
  expect(modes()).toEqual(['disable']);
});

it('a file that was renamed into its place and is then written to is waited for', async () => {
  const { path, clock, source, modes } = await setUp(STRICT);
  replace(path, PERMISSIVE);
  writeFileSync(path, DISABLE);
  source.check();
  clock.advance(1_900);
  expect(modes()).toEqual([]);
  clock.advance(100);
  expect(modes()).toEqual(['disable']);
});

describe('a start beside somebody who writes', () => {
  it('waits until the file has stood still', async () => {
    const { path, source, folder } = await setUp(STRICT);
    const store = new MemoryStore(source.state.files);
    writeFileSync(path, HEAD);
    const clock = new ManualClock(systemClock.now());
    let opened: MeshSource | undefined;
    const opening = MeshSource.open({ path, clock, store }).then((value) => {
      opened = value;
    });
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    expect(clock.pending).toBe(1);
    writeFileSync(path, STRICT);
    clock.advance(2_000);
    await opening;
    expect(opened?.state.mesh.version).toBe(source.state.mesh.version);
    expect(folder).not.toBe('');
  });
});

describe('what the notices say', () => {
  it.each([
    ['renamed', ['rename'], true],
    ['created and written', ['rename', 'change'], false],
    ['written', ['change'], false],
    ['written, then renamed over', ['change', 'rename'], true],
  ] as const)('%s', (_, events, whole) => {
    const names = new WrittenNames();
    for (const event of events) names.add(event, 'mesh.yaml');
    expect(names.cameWhole('mesh.yaml')).toBe(whole);
  });
});

it.each([
  ['a whole file', PERMISSIVE, 2_000],
  ['no end of its last line', PERMISSIVE.trimEnd(), 5_000],
  ['a key whose value is missing', `${HEAD.trimEnd()}\n`.replace(/ http\n$/, '\n'), 5_000],
  ['such a key and a comment', `${HEAD}  more: # later\n`, 5_000],
  ['a comment that ends like one', `${PERMISSIVE}# the end:\n`, 2_000],
  [
    'braces without the end of a line',
    '{ trustDomain: shop.example, services: { web: {} } }',
    2_000,
  ],
  ['half of braces', '{ trustDomain: shop.example, services: {', 2_000],
  ['nothing', '', 5_000],
])('%s is waited for', async (_, text, stillMs) => {
  const { path, source } = await setUp(STRICT);
  writeFileSync(path, text);
  source.check();
  expect(source.state.pendingEdit?.stillMs).toBe(stillMs);
});
