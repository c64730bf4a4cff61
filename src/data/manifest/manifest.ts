// What belongs to a data folder, `data-manifest.json`: the names of the files and sub-folders that
// its server has found in it. A file that it names and that isn't there is lost; one that it
// doesn't name was never there, and may be made. A name is added when its file is on the disk, and
// taken away before its file goes: a crash at any step makes no loss of what isn't one. Only the
// server that holds the folder's lock writes it.
// It says which file it is itself, too: a folder that was copied or put back has another, and may
// lack what came after the copy. Decision 032.
import { join } from 'node:path';
import { z } from 'zod';
import { MeshError } from '../../base/index.js';
import { type DataDir, damaged, isDataName } from '../index.js';

export const MANIFEST_FILE = 'data-manifest.json';

const VERSION = 1;
const schema = z.strictObject({
  version: z.literal(VERSION),
  files: z.array(z.string().refine(isDataName)),
  self: z.strictObject({ inode: z.string(), bornNs: z.string().optional() }),
});

export interface Manifest {
  /** Sorted. */
  readonly files: readonly string[];
  /** It isn't the file that was written: the folder was copied, restored or put back. */
  readonly isCopy: boolean;
}

/** Undefined where there is none: an earlier version made the folder, or a command did. */
export async function readManifest(dataDir: DataDir): Promise<Manifest | undefined> {
  const name = MANIFEST_FILE;
  const content = await dataDir.read(name);
  if (content === undefined) return undefined;
  const parsed = schema.safeParse(tryJson(content));
  if (!parsed.success) throw damaged({ dataDir, name, what: 'expected the list of its files' });
  const { files, self } = parsed.data;
  const facts = await dataDir.facts(name);
  return { files, isCopy: facts !== undefined && !isSelf(self, facts) };
}

/** Durable when the promise resolves. @throws MeshError data-unwritable */
export async function writeManifest(dataDir: DataDir, files: Iterable<string>): Promise<void> {
  const sorted = [...new Set(files)].sort();
  await dataDir.write(MANIFEST_FILE, (self) => {
    const manifest = { version: VERSION, files: sorted, self } satisfies z.infer<typeof schema>;
    return `${JSON.stringify(manifest, undefined, 1)}\n`;
  });
}

/**
 * Before a file is made that others hold on to: where it was there before, another in its place
 * helps nobody.
 * @throws MeshError data-lost; data-damaged, data-unreadable
 */
export async function assertNeverThere(dataDir: DataDir, name: string): Promise<void> {
  const manifest = await readManifest(dataDir);
  if (manifest?.files.includes(name) === true) throw lost(dataDir, [name]);
}

const KEYS: readonly string[] = ['authority.json', 'token-keys.json', 'xds-anchor.json'];

/**
 * Whether the folder is worth keeping as it is: without its keys it is none.
 * @returns Names of other files that are lost. @throws MeshError data-lost, data-damaged
 */
export async function findLost(dataDir: DataDir): Promise<readonly string[]> {
  const gone: string[] = [];
  for (const name of (await readManifest(dataDir))?.files ?? []) {
    if ((await dataDir.facts(name)) === undefined) gone.push(name);
  }
  const keys = gone.filter((name) => KEYS.includes(name));
  if (keys.length > 0) throw lost(dataDir, keys);
  return gone;
}

/** The error for files that are gone; the first one's remedy is its hint. */
export function lost({ path }: Pick<DataDir, 'path'>, names: readonly string[]): MeshError {
  const which = names.map((name) => join(path, name)).join(', ');
  const isOne = names.length === 1;
  const belongs = isOne ? 'which belongs' : 'which belong';
  const areGone = isOne ? 'it is gone' : 'they are gone';
  const message = `expected ${which}, ${belongs} to this data folder, but ${areGone}`;
  return new MeshError('data-lost', message, {
    variant:
      ['authority.json', 'token-keys.json', 'xds-anchor.json', 'revocations'].find(
        (one) => one === names[0],
      ) ?? 'file',
  });
}

type Facts = NonNullable<Awaited<ReturnType<DataDir['facts']>>>;

function isSelf(self: z.infer<typeof schema>['self'], facts: Facts): boolean {
  if (self.inode !== facts.inode) return false;
  return self.bornNs === undefined || self.bornNs === facts.bornNs;
}

function tryJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    return undefined;
  }
}
