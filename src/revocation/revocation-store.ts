// One file per revocation, `revocations/<hash of kind and subject>.json`, made and removed whole:
// so commands that run at once, beside a server, lose nothing of each other's. A file that is gone
// takes nothing back: who takes a revocation back leaves `<hash>.undone.json`, which says which one
// that was, and the server removes it when it has heard. A forgotten revocation is a breach:
// whatever in the folder makes no sense is named, never skipped.
import { z } from 'zod';
import { inParts, MeshError } from '../base/index.js';
import { createJsonStore, type DataDir, type DurableStore, damaged } from '../data/index.js';
import { sha256Hex } from '../x509/keys/index.js';
import {
  parseRevocationId,
  type Revocation,
  type RevocationSubject,
  type Revocations,
  toRevocationKey,
} from './revocation.js';

export const REVOCATIONS_FOLDER = 'revocations';
/** Which revocations a server last had in force, and which connections they ended. */
export const REVOCATION_MARKS_FILE = 'revocation-marks.json';
const NAME_LENGTH = 32;
const READ_AT_ONCE = 64;
const NAME = /^[0-9a-f]{32}\.json$/;
const UNDONE = /^[0-9a-f]{32}\.undone\.json$/;
const SET_ASIDE = /\.json\.damaged-/;

const schema = z.strictObject({
  kind: z.enum(['service', 'instance', 'serial', 'token']),
  subject: z.string().min(1),
  revokedAtMs: z.number().int().nonnegative(),
});

/** What the folder says. */
export interface StoredRevocations {
  /** Oldest first. */
  readonly list: Revocations;
  /** Taken back, each as it was; by key. */
  readonly undone: Revocations;
  /** Names of files that can't be understood or read, each with why. */
  readonly damaged: ReadonlyMap<string, MeshError>;
}

/** The files that there are, for noticing changes cheaply. @throws MeshError data-unreadable */
export function listRevocationFiles(dataDir: DataDir): Promise<readonly string[]> {
  return dataDir.list(REVOCATIONS_FOLDER);
}

/** All that is there. @throws MeshError data-unreadable where the folder can't be listed */
export async function readRevocations(dataDir: DataDir): Promise<StoredRevocations> {
  const bad = new Map<string, MeshError>();
  const read = async (file: string): Promise<Revocation | undefined> => {
    try {
      return await loadFile(dataDir, file);
    } catch (error) {
      if (!(error instanceof MeshError) || error.variant === 'replaced') throw error;
      bad.set(`${REVOCATIONS_FOLDER}/${file}`, error);
      return undefined;
    }
  };
  const readAll = async (isWanted: (file: string) => boolean): Promise<readonly Revocation[]> => {
    const files = (await listRevocationFiles(dataDir)).filter(isWanted);
    const loaded = await inParts(files, { atOnce: READ_AT_ONCE, work: read });
    return loaded.filter((one) => one !== undefined);
  };
  const found = await readAll((file) => !UNDONE.test(file) && !SET_ASIDE.test(file));
  // Listed again, after: who takes one back writes that before the file goes.
  const undone = toRevocations(await readAll((file) => UNDONE.test(file)));
  const inForce = found.filter((one) => !isUndone(one, undone));
  return { list: toRevocations(inForce), undone, damaged: bad };
}

/** All in force by their files, oldest first. @throws MeshError data-damaged, data-unreadable */
export async function loadRevocations(dataDir: DataDir): Promise<Revocations> {
  const stored = await readRevocations(dataDir);
  for (const error of stored.damaged.values()) throw error;
  return stored.list;
}

/** Whether it was taken back. One that was made anew since is another. */
export function isUndone(revocation: Revocation, undone: Revocations): boolean {
  return isOver(revocation, undone.get(toRevocationKey(revocation)));
}

function isOver(revocation: Revocation, taken: Revocation | undefined): boolean {
  return taken !== undefined && taken.revokedAtMs >= revocation.revokedAtMs;
}

async function loadFile(dataDir: DataDir, file: string): Promise<Revocation | undefined> {
  const name = `${REVOCATIONS_FOLDER}/${file}`;
  const isKnown = NAME.test(file) || UNDONE.test(file);
  const revocation = isKnown ? await load(dataDir, name) : undefined;
  const names =
    revocation === undefined ? [] : [toRevocationFile(revocation), toUndone(revocation)];
  if (isKnown && (revocation === undefined || names.includes(name))) return revocation;
  throw damaged({ dataDir, name, what: 'expected the revocation that its name says' });
}

/**
 * Makes a revocation durable. One that is there already stays as it is; a damaged file of it is set
 * aside.
 * @returns Whether it is new. @throws MeshError data-unwritable
 */
export async function addRevocation(dataDir: DataDir, revocation: Revocation): Promise<boolean> {
  const { kind, subject } = revocation;
  const name = toRevocationFile(revocation);
  const taken = await tryLoad(dataDir, toUndone(revocation));
  // Also where the clock was set back: what was taken back was an earlier one.
  const revokedAtMs = Math.max(revocation.revokedAtMs, (taken?.revokedAtMs ?? -1) + 1);
  const store = openStore(dataDir, name);
  if (await store.create({ kind, subject, revokedAtMs })) return true;
  const before = await tryLoad(dataDir, name);
  if (before !== undefined && !isOver(before, taken)) return false;
  // Damaged: it can be examined, and says nothing that this one doesn't.
  if (before === undefined) await dataDir.setAside(name);
  await store.write({ kind, subject, revokedAtMs });
  return true;
}

/**
 * Takes a revocation back: one that has a file, or whose file was lost and that a server has in
 * force.
 * @returns It, or undefined where there was none. @throws MeshError data-damaged, data-unwritable
 */
export async function removeRevocation(
  dataDir: DataDir,
  subject: RevocationSubject,
): Promise<Revocation | undefined> {
  const name = toRevocationFile(subject);
  const taken = await tryLoad(dataDir, toUndone(subject));
  const stored = await tryLoad(dataDir, name);
  const key = toRevocationKey(subject);
  const known = stored ?? (await readLastInForce(dataDir)).get(key);
  if (known === undefined || isOver(known, taken)) return undefined;
  await openStore(dataDir, toUndone(subject)).write(known);
  await dataDir.remove(name);
  return known;
}

/**
 * The server has heard that they were taken back. Where the command was killed before the file
 * went, what takes it back stays with it. @throws MeshError data-unwritable
 */
export async function forgetUndone(dataDir: DataDir, undone: Revocations): Promise<void> {
  for (const one of undone.values()) {
    if ((await dataDir.facts(toRevocationFile(one))) !== undefined) continue;
    await dataDir.remove(toUndone(one));
  }
}

const seenSchema = z.looseObject({ seen: z.array(z.string()) });

/**
 * What a server last had in force: what lost files said. None where that isn't known.
 * @throws MeshError data-unreadable
 */
export async function readLastInForce(dataDir: DataDir): Promise<Revocations> {
  const store = createJsonStore({ dataDir, name: REVOCATION_MARKS_FILE, schema: seenSchema });
  try {
    const seen = (await store.read())?.seen ?? [];
    return toRevocations(seen.map(parseRevocationId).filter((one) => one !== undefined));
  } catch (error) {
    if (error instanceof MeshError && error.variant !== 'replaced') return new Map();
    throw error;
  }
}

/** The file that a revocation has. */
export function toRevocationFile({ kind, subject }: RevocationSubject): string {
  const hash = sha256Hex(toRevocationKey({ kind, subject }));
  return `${REVOCATIONS_FOLDER}/${hash.slice(0, NAME_LENGTH)}.json`;
}

function toUndone(subject: RevocationSubject): string {
  return toRevocationFile(subject).replace(/\.json$/, '.undone.json');
}

/** Undefined where there is none, or a damaged one. @throws MeshError data-unreadable */
async function tryLoad(dataDir: DataDir, name: string): Promise<Revocation | undefined> {
  try {
    return await load(dataDir, name);
  } catch (error) {
    if (error instanceof MeshError && error.code === 'data-damaged') return undefined;
    throw error;
  }
}

function load(dataDir: DataDir, name: string): Promise<Revocation | undefined> {
  return openStore(dataDir, name).read();
}

function openStore(dataDir: DataDir, name: string): DurableStore<Revocation> {
  return createJsonStore({ dataDir, name, schema, version: 1 });
}

/** By key, oldest first. */
export function toRevocations(revocations: readonly Revocation[]): Revocations {
  const sorted = [...revocations].sort(
    (a, b) => a.revokedAtMs - b.revokedAtMs || (toRevocationKey(a) < toRevocationKey(b) ? -1 : 1),
  );
  return new Map(sorted.map((one) => [toRevocationKey(one), one]));
}
