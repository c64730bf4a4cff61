// One file per revocation, `revocations/<hash of kind and subject>.json`, made and removed whole:
// so commands that run at once, beside a server, lose nothing of each other's. A forgotten
// revocation is a breach: whatever in the folder makes no sense is an error, never skipped.
import { z } from 'zod';
import { inParts } from '../base/index.js';
import { createJsonStore, type DataDir, type DurableStore, damaged } from '../data/index.js';
import { sha256Hex } from '../x509/keys/index.js';
import {
  type Revocation,
  type RevocationSubject,
  type Revocations,
  toRevocationKey,
} from './revocation.js';

export const REVOCATIONS_FOLDER = 'revocations';
const NAME_LENGTH = 32;
const READ_AT_ONCE = 64;
const NAME = /^[0-9a-f]{32}\.json$/;

const schema = z.strictObject({
  kind: z.enum(['service', 'instance', 'serial', 'token']),
  subject: z.string().min(1),
  revokedAtMs: z.number().int().nonnegative(),
});

/** The files that there are, for noticing changes cheaply. @throws MeshError data-unreadable */
export function listRevocationFiles(dataDir: DataDir): Promise<readonly string[]> {
  return dataDir.list(REVOCATIONS_FOLDER);
}

/** All of them, oldest first. @throws MeshError data-damaged, data-unreadable */
export async function loadRevocations(dataDir: DataDir): Promise<Revocations> {
  const loaded = await inParts(await listRevocationFiles(dataDir), {
    atOnce: READ_AT_ONCE,
    work: (file) => loadFile(dataDir, file),
  });
  // What is undefined was removed since the folder was listed.
  const found = loaded.filter((one) => one !== undefined);
  found.sort(
    (a, b) => a.revokedAtMs - b.revokedAtMs || (toRevocationKey(a) < toRevocationKey(b) ? -1 : 1),
  );
  return new Map(found.map((one) => [toRevocationKey(one), one]));
}

async function loadFile(dataDir: DataDir, file: string): Promise<Revocation | undefined> {
  const name = `${REVOCATIONS_FOLDER}/${file}`;
  const revocation = NAME.test(file) ? await load(dataDir, name) : undefined;
  const isOther = revocation !== undefined && toName(revocation) !== name;
  if (NAME.test(file) && !isOther) return revocation;
  throw damaged({ dataDir, name, what: 'expected the revocation that its name says' });
}

/**
 * Makes a revocation durable. One that is there already stays as it is.
 * @returns Whether it is new. @throws MeshError data-unwritable
 */
export async function addRevocation(dataDir: DataDir, revocation: Revocation): Promise<boolean> {
  const { kind, subject, revokedAtMs } = revocation;
  return openStore(dataDir, toName(revocation)).create({ kind, subject, revokedAtMs });
}

/**
 * Takes a revocation back.
 * @returns It, or undefined where there was none. @throws MeshError data-damaged, data-unwritable
 */
export async function removeRevocation(
  dataDir: DataDir,
  subject: RevocationSubject,
): Promise<Revocation | undefined> {
  const name = toName(subject);
  const found = await load(dataDir, name);
  if (found !== undefined) await dataDir.remove(name);
  return found;
}

function load(dataDir: DataDir, name: string): Promise<Revocation | undefined> {
  return openStore(dataDir, name).read();
}

function openStore(dataDir: DataDir, name: string): DurableStore<Revocation> {
  return createJsonStore({ dataDir, name, schema, version: 1 });
}

function toName({ kind, subject }: RevocationSubject): string {
  const hash = sha256Hex(toRevocationKey({ kind, subject }));
  return `${REVOCATIONS_FOLDER}/${hash.slice(0, NAME_LENGTH)}.json`;
}
