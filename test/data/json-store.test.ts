import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createJsonStore } from '../../src/data/index.js';
import { diskFull, MemoryDataDir } from '../x509/tools.js';

function create() {
  const dataDir = new MemoryDataDir();
  const store = createJsonStore({ dataDir, name: 'numbers.json', schema: z.array(z.number()) });
  return { dataDir, store };
}

it('reads what it wrote, and nothing where nothing was written', async () => {
  const { store } = create();
  expect(await store.read()).toBeUndefined();
  await store.write([1, 2]);
  expect(await store.read()).toEqual([1, 2]);
});

it('of several writes at once the newest is what is stored', async () => {
  const { dataDir, store } = create();
  let writes = 0;
  dataDir.afterWrite = () => void writes++;
  await Promise.all([store.write([1]), store.write([2]), store.write([3])]);
  expect([await store.read(), writes]).toEqual([[3], 1]);
});

it('a failed write is told to its caller, and the next one is tried', async () => {
  const { dataDir, store } = create();
  dataDir.beforeWrite = () => {
    throw diskFull();
  };
  await expect(store.write([1])).rejects.toMatchObject({ code: 'data-unwritable' });
  dataDir.beforeWrite = () => undefined;
  await store.write([2]);
  expect(await store.read()).toEqual([2]);
});

it.each(['{', '{}', '["1"]', ''])('%j is damaged, and is left as it is', async (text) => {
  const { dataDir, store } = create();
  dataDir.files.set('numbers.json', text);
  await expect(store.read()).rejects.toMatchObject({ code: 'data-damaged' });
  expect(dataDir.files.get('numbers.json')).toBe(text);
});

describe('the version of what a file holds', () => {
  const open = (how: Partial<Parameters<typeof createJsonStore>[0]> = {}) => {
    const dataDir = new MemoryDataDir();
    const schema = z.strictObject({ n: z.number() });
    const store = createJsonStore({
      dataDir,
      name: 'n.json',
      schema,
      version: 2,
      ...(how as object),
    });
    return { store, put: (text: string) => dataDir.files.set('n.json', text), dataDir };
  };

  it('stands beside the value, and is no part of it', async () => {
    const { store, dataDir } = open();
    await store.write({ n: 1 });
    expect(dataDir.files.get('n.json')).toBe('{\n "version": 2,\n "n": 1\n}\n');
    expect(await store.read()).toEqual({ n: 1 });
  });

  it('may be an older one that the schema reads too', async () => {
    const { store, put } = open({ alsoReads: [1] });
    put('{"version":1,"n":1}');
    expect(await store.read()).toEqual({ n: 1 });
  });

  it.each([
    ['{"version":3,"n":1}', 'expected version 2 but got 3, of another version of countersign'],
    ['{"n":1}', 'expected version as it was stored but got another form'],
    ['[1]', 'expected version as it was stored but got another form'],
  ])('%s is damaged', async (text, message) => {
    const { store, put } = open();
    put(text);
    await expect(store.read()).rejects.toThrow(message);
  });

  it('another one counts as none where the store says so', async () => {
    const { store, put } = open({ others: 'none', versionField: 'format' });
    put('{"format":1,"n":"other"}');
    expect(await store.read()).toBeUndefined();
    put('{"n":1}');
    await expect(store.read()).rejects.toMatchObject({ code: 'data-damaged' });
  });
});

it('of several that make a document one does', async () => {
  const { store } = create();
  expect(await Promise.all([store.create([1]), store.create([2])])).toEqual([true, false]);
  expect(await store.read()).toEqual([1]);
});

it('is settled when no write is under way', async () => {
  const { store, dataDir } = create();
  void store.write([1]);
  await store.settled();
  expect(dataDir.files.get('numbers.json')).toBe('[\n 1\n]\n');
});
