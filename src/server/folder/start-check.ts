// Before anything is made at a start: what belongs to the folder and isn't there. A folder of an
// earlier version has no manifest; but that a mesh was in force by a server with a certificate for
// its port shows that it had its keys.
import { MeshError } from '../../base/index.js';
import { type DataDir, TOKEN_KEYS_FILE } from '../../data/index.js';
import {
  lost,
  MANIFEST_FILE,
  type Manifest,
  readManifest,
  writeManifest,
} from '../../data/manifest/index.js';
import { REVOCATION_MARKS_FILE, REVOCATIONS_FOLDER } from '../../revocation/index.js';
import { DATA_FILES } from './data-files.js';
import { isOfFile, type Losses } from './take-up.js';

/** What others hold on to, which is made anew by the operator's word alone. */
export const RENEWABLE = {
  authority: 'authority.json',
  tokenKeys: TOKEN_KEYS_FILE,
  xdsAnchor: 'xds-anchor.json',
  revocations: REVOCATIONS_FOLDER,
} as const;

export type Renewable = keyof typeof RENEWABLE;

export interface StartCheck {
  readonly dataDir: DataDir;
  readonly losses: Losses;
  /** The operator goes on without these. */
  readonly anew: ReadonlySet<Renewable>;
  /** Reads the file of one: what is wrong with it is thrown. */
  readonly load: (one: Renewable) => Promise<unknown>;
  /** The mesh has a CA of its own. */
  readonly hasOwnCa: boolean;
}

export interface Checked {
  /** The folder was copied or put back since its server last wrote to it. */
  readonly isCopy: boolean;
}

/** @throws MeshError data-lost naming all that is lost and can't be made again */
export async function checkAtStart(check: StartCheck): Promise<Checked> {
  const { dataDir, losses, anew, load } = check;
  for (const one of anew) await makeRoom(RENEWABLE[one], { dataDir, load: () => load(one) });
  const manifest = await losses.takeUp(MANIFEST_FILE, () => readManifest(dataDir));
  const expected = manifest?.files ?? (await guessFiles(dataDir));
  const gone = await findGone(dataDir, expected);
  const given = new Set<string>([...anew].map((one) => RENEWABLE[one]));
  const refused: string[] = [];
  for (const name of gone) {
    if (!(await isNeeded(name, check)) || given.has(name)) continue;
    refused.push(name);
  }
  if (refused.length > 0) throw lost(dataDir, refused);
  for (const name of gone) {
    if (!given.has(name) && isNoticed(name, check)) losses.noteGone(name);
  }
  // Only what is no longer expected may be made: see `assertNeverThere`. The others stay named
  // until the start has got through: a second one is to know of them too.
  const anewNames = gone.filter((name) => given.has(name));
  if (manifest !== undefined && anewNames.length > 0) {
    await writeManifest(dataDir, without(manifest, anewNames));
  }
  return { isCopy: manifest?.isCopy === true };
}

function without({ files }: Manifest, gone: readonly string[]): readonly string[] {
  return files.filter((name) => !gone.includes(name));
}

async function findGone(dataDir: DataDir, names: readonly string[]): Promise<readonly string[]> {
  const gone: string[] = [];
  for (const name of names) {
    if ((await dataDir.facts(name)) === undefined) gone.push(name);
  }
  return gone;
}

async function isNeeded(name: string, { dataDir, hasOwnCa }: StartCheck): Promise<boolean> {
  if (name === RENEWABLE.authority) return hasOwnCa;
  // Without the marks, nobody knows what was in the folder.
  if (name === REVOCATIONS_FOLDER) return !(await isReadable(dataDir, REVOCATION_MARKS_FILE));
  return DATA_FILES.some((one) => one.name === name && one.remedy === 'refused');
}

/** An outside CA's record goes when the mesh has its own CA again. */
function isNoticed(name: string, { hasOwnCa }: StartCheck): boolean {
  return name === 'step-ca.json' ? !hasOwnCa : true;
}

async function isReadable(dataDir: DataDir, name: string): Promise<boolean> {
  try {
    const content = await dataDir.read(name);
    return content !== undefined && typeof JSON.parse(content.toString('utf8')) === 'object';
  } catch {
    return false;
  }
}

/** What the folder of an earlier version must have. */
async function guessFiles(dataDir: DataDir): Promise<readonly string[]> {
  const marks = await findGone(dataDir, ['mesh.json', 'xds-server.json']);
  if (marks.length > 0) return [];
  const hasOutsideCa = (await dataDir.facts('step-ca.json')) !== undefined;
  const keys = [RENEWABLE.tokenKeys, RENEWABLE.xdsAnchor];
  return hasOutsideCa ? keys : [RENEWABLE.authority, ...keys];
}

/**
 * Sets a damaged file aside without which the operator goes on; one that is whole stays, and the
 * start is refused.
 */
async function makeRoom(
  name: string,
  { dataDir, load }: { readonly dataDir: DataDir; readonly load: () => Promise<unknown> },
): Promise<void> {
  try {
    if ((await dataDir.facts(name)) === undefined) return;
    await load();
  } catch (error) {
    if (!isOfFile(error)) throw error;
    await dataDir.setAside(name);
    return;
  }
  const message = `expected ${dataDir.path}/${name} to be lost or damaged but it is whole`;
  throw new MeshError('usage', message, { variant: 'whole' });
}
