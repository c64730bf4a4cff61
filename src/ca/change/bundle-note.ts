// Which trust anchors were given to somebody alone, and when: they may hold a bundle that no
// certificate of ours came with, and keep an old root that nobody else needs. A bundle that has the
// root which stays too holds nothing up; so each set of roots is remembered by itself.
import { z } from 'zod';
import { createJsonStore, type DataDir } from '../../data/index.js';
import { sha256Hex } from '../../x509/keys/index.js';
import { splitPem } from '../../x509/read/index.js';
import type { RootChange } from '../index.js';

const schema = z.strictObject({
  /** When a bundle was last given of which no more is known, ms since the epoch. */
  atMs: z.number().optional(),
  bundles: z
    .array(
      z.strictObject({
        /** SHA-256 of the certificates, hex, sorted. */
        roots: z.array(z.string()),
        /** When it was last given. */
        atMs: z.number(),
      }),
    )
    .optional(),
});

/** A root changes every few years: those given last are kept. */
const MAX_BUNDLES = 32;

/** Somebody was given these trust anchors alone. @throws MeshError data-unwritable, data-damaged */
export async function noteBundle(
  dataDir: DataDir,
  { anchorsPem, atMs }: { readonly anchorsPem: string; readonly atMs: number },
): Promise<void> {
  const store = openStore(dataDir);
  const before = await store.read();
  const roots = splitPem(anchorsPem)
    .map((der) => sha256Hex(der))
    .sort();
  const others = (before?.bundles ?? []).filter((one) => one.roots.join() !== roots.join());
  const bundles = [...others, { roots, atMs }].slice(-MAX_BUNDLES);
  await store.write({ ...before, bundles });
}

/** What was known of bundles is lost. @throws MeshError data-unwritable */
export async function noteLostBundles(dataDir: DataDir, atMs: number): Promise<void> {
  await openStore(dataDir).write({ atMs });
}

/** Whether it can be read. @throws MeshError data-damaged, data-unreadable */
export async function readBundleNote(dataDir: DataDir): Promise<unknown> {
  return openStore(dataDir).read();
}

type Change = Pick<
  RootChange,
  'oldRootSha256' | 'newRootSha256' | 'goingRootSha256' | 'beganAtMs' | 'isBack'
>;

/**
 * When somebody was last given a bundle that has the root which goes and not the one which stays,
 * ms since the epoch. @throws MeshError data-damaged, data-unreadable
 */
export async function staleBundleAtMs(
  dataDir: DataDir,
  change: Change,
): Promise<number | undefined> {
  const { atMs, bundles = [] } = (await openStore(dataDir).read()) ?? {};
  const { oldRootSha256, newRootSha256, goingRootSha256: going, beganAtMs, isBack } = change;
  const staying = going === oldRootSha256 ? newRootSha256 : oldRootSha256;
  const stale = bundles
    .filter(({ roots }) => roots.includes(going) && !roots.includes(staying))
    .map((one) => one.atMs);
  // Before the change a bundle had the old root alone, since then both.
  if (atMs !== undefined && atMs < beganAtMs && !isBack) stale.push(atMs);
  return stale.length === 0 ? undefined : Math.max(...stale);
}

function openStore(dataDir: DataDir) {
  const name = 'bundles-handed-out.json';
  return createJsonStore({ dataDir, name, schema, version: 2, alsoReads: [1] });
}
