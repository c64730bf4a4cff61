import { expect, it } from 'vitest';
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

it('is settled when no write is under way', async () => {
  const { store, dataDir } = create();
  void store.write([1]);
  await store.settled();
  expect(dataDir.files.get('numbers.json')).toBe('[\n 1\n]\n');
});
