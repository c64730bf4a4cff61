// When somebody was last given the trust anchors alone: they may hold a bundle that no certificate
// of ours came with, and keep an old root that nobody else needs.
import { z } from 'zod';
import { createJsonStore, type DataDir } from '../data/index.js';

const schema = z.strictObject({ atMs: z.number() });

/** Somebody was given the trust anchors alone. @throws MeshError data-unwritable */
export async function noteBundle(dataDir: DataDir, atMs: number): Promise<void> {
  await openStore(dataDir).write({ atMs });
}

/** When the trust anchors alone were last given to somebody, ms since the epoch. */
export async function bundleNotedAtMs(dataDir: DataDir): Promise<number | undefined> {
  return (await openStore(dataDir).read())?.atMs;
}

function openStore(dataDir: DataDir) {
  return createJsonStore({ dataDir, name: 'bundles-handed-out.json', schema, version: 1 });
}
