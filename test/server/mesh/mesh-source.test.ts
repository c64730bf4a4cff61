import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { MeshFile } from '../../../src/policy/index.js';
import { MeshSource, type MeshState } from '../../../src/server/mesh/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';

const GOOD = '{ trustDomain: shop.example, services: { web: {} } }';
const BETTER = '{ trustDomain: shop.example, services: { web: {}, ledger: {} } }';
const BROKEN = '{ trustDomain: shop.example, services: { web: { prots: {} } } }';

function setUp(text: string | undefined, stored?: readonly MeshFile[]) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-mesh-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'mesh.yaml');
  const clock = new ManualClock();
  const store = new MemoryStore<readonly MeshFile[]>(stored);
  const changes: MeshState[] = [];
  const write = (next: string): void => writeFileSync(path, next);
  if (text !== undefined) write(text);
  const open = async (): Promise<MeshSource> => {
    const source = await MeshSource.open({ path, clock, store });
    source.onChange((state) => changes.push(state));
    return source;
  };
  return { path, clock, store, changes, write, open };
}

const servicesOf = ({ mesh }: MeshState): string[] => [...mesh.services.keys()];
const messagesOf = ({ problems }: MeshState): string[] => problems.map(({ message }) => message);

it('an edit is taken when it is looked at, and told once', async () => {
  const { write, open, changes, clock } = setUp(GOOD);
  const source = await open();
  clock.advance(5_000);
  write(BETTER);
  source.check();
  source.check();
  expect(changes).toHaveLength(0);
  clock.advance(2_000);
  source.check();
  expect(changes).toHaveLength(1);
  expect(servicesOf(source.state)).toEqual(['ledger', 'web']);
  expect(source.state.loadedAtMs).toBe(clock.now());
});

it('an edit is found by polling where the file system sends no notice', async () => {
  const { write, open, changes, clock } = setUp(GOOD);
  const source = await open();
  onTestFinished(() => source.stop());
  source.start();
  write(BETTER);
  clock.advance(5_000);
  expect(changes.map(servicesOf)).toEqual([['ledger', 'web']]);
  write(GOOD);
  clock.advance(5_000);
  expect(changes.map(servicesOf)).toEqual([['ledger', 'web'], ['web']]);
  source.stop();
  expect(clock.pending).toBe(0);
});

it('a broken edit changes nothing, is told, and is forgotten once it is mended', async () => {
  const { write, open, changes, clock } = setUp(GOOD);
  const source = await open();
  const { mesh } = source.state;
  write(BROKEN);
  source.check();
  clock.advance(2_000);
  expect(source.state.mesh).toBe(mesh);
  expect(messagesOf(source.state)).toEqual([expect.stringContaining('prots')]);
  write(GOOD);
  source.check();
  clock.advance(2_000);
  expect(messagesOf(source.state)).toEqual([]);
  expect(changes).toHaveLength(2);
});

it('a file that is gone leaves the last good mesh in force', async () => {
  const { path, open, clock } = setUp(GOOD);
  const source = await open();
  unlinkSync(path);
  source.check();
  clock.advance(2_000);
  expect(servicesOf(source.state)).toEqual(['web']);
  expect(messagesOf(source.state)).toHaveLength(1);
});

it('a first start from a broken file is refused with every problem', async () => {
  const { open } = setUp(BROKEN);
  await expect(open()).rejects.toMatchObject({
    code: 'mesh-invalid',
    problems: [expect.objectContaining({ path: 'services.web.prots' })],
  });
});

it('a first start without a file says so', async () => {
  const { open } = setUp(undefined);
  await expect(open()).rejects.toMatchObject({ code: 'mesh-invalid' });
});

it('a restart with a broken file goes on with the mesh that was in force', async () => {
  const stored = [{ path: 'mesh.yaml', text: BETTER }];
  const { open } = setUp(BROKEN, stored);
  const source = await open();
  expect(servicesOf(source.state)).toEqual(['ledger', 'web']);
  expect(messagesOf(source.state)).toEqual([expect.stringContaining('prots')]);
  expect(source.state.files).toEqual(stored);
});

it('a mesh is stored when it is wholly in force, and only if it is still the newest', async () => {
  const { path, write, open, store, clock } = setUp(GOOD);
  const source = await open();
  const first = source.state.mesh;
  expect([source.remembered, store.value]).toEqual([undefined, undefined]);
  write(BETTER);
  source.check();
  clock.advance(2_000);
  await source.remember(first);
  expect(store.value).toBeUndefined();
  await source.remember(source.state.mesh);
  expect(store.value).toEqual([{ path, text: BETTER }]);
  const again = await open();
  expect([...(again.remembered?.services.keys() ?? [])]).toEqual(['ledger', 'web']);
});

it('another CA is refused while the server runs', async () => {
  const SETTINGS = 'root: r, provisioner: p, key: k';
  const withCa = (url: string): string =>
    `${GOOD.slice(0, -2)}, authority: { stepCa: { ${SETTINGS}, url: "${url}" } } }`;
  const { write, open, changes, path, clock } = setUp(withCa('https://ca.example'));
  const source = await open();
  write(withCa('https://other.example'));
  source.check();
  clock.advance(2_000);
  write(GOOD);
  source.check();
  clock.advance(2_000);
  const message = 'changing the CA of a running mesh is not supported yet';
  const hint = 'restart the server: sidecars are then given certificates of the other CA';
  const at = { severity: 'error', message, hint };
  expect(changes.map(({ problems }) => problems)).toEqual([
    [{ ...at, source: { file: path, line: 1, column: 66 }, path: 'authority.stepCa.url' }],
    [{ ...at, source: { file: path, line: 1, column: 1 }, path: 'authority' }],
  ]);
  expect(source.state.mesh.authority?.url).toBe('https://ca.example');
});

it('a service of which nothing can be made is held, over a restart too', async () => {
  const { path, clock, store, write } = setUp(
    '{ trustDomain: shop.example, services: { web: { ports: { 80: http } } } }',
  );
  const fails = { web: false };
  const assertTranslatable = (_mesh: unknown, { name }: { readonly name: string }): void => {
    if (fails.web && name === 'web') throw new Error('a fault');
  };
  const open = () => MeshSource.open({ path, clock, store, assertTranslatable });
  const source = await open();
  await source.remember(source.state.mesh);
  fails.web = true;
  clock.advance(5_000);
  write('{ trustDomain: shop.example, services: { web: { ports: { 81: http } }, other: {} } }');
  source.check();
  clock.advance(2_000);
  const portsOf = ({ mesh }: MeshState) =>
    [...mesh.services.values()].flatMap(({ ports }) => ports.map(({ number }) => number));
  const isHeld = ({ state }: MeshSource) => {
    expect(servicesOf(state)).toEqual(['other', 'web']);
    expect(portsOf(state)).toEqual([80]);
    expect(messagesOf(state).join()).toContain('no configuration can be made of service "web"');
  };
  isHeld(source);
  await source.remember(source.state.mesh);
  isHeld(await open());
});
