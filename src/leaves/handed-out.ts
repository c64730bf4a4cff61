// What was handed out to holders of keys that are not sidecars': one file per certificate,
// `handed-out/<serial>.json` in the data folder, stored before its holder gets it. A revocation
// finds the serial here, and a root stays trusted until the last of these has ended.

import { z } from 'zod';
import { DAY_MS, inParts, MeshError, MINUTE_MS } from '../base/index.js';
import type { LeafCertificate } from '../ca/index.js';
import { createJsonStore, type DataDir, type DurableStore } from '../data/index.js';
import { isNodeId, type NodeId } from '../spiffe/index.js';
import { sha256Hex } from '../x509/keys/index.js';
import { splitPem } from '../x509/read/index.js';

const FOLDER = 'handed-out';
/** `lost`: in its place others were, of which nothing is known. */
const NAME = /^([0-9a-f]+|lost)\.json$/;
const LOST = `${FOLDER}/lost.json`;
/** An ended certificate stays listed for this long. */
const KEEP_ENDED_MS = DAY_MS;
const READ_AT_ONCE = 64;
/** No certificate of a service lives longer, also one of which nothing else is known. */
const LONGEST_LIFE_MS = 90 * DAY_MS;

const hex = z.string().regex(/^[0-9a-f]+$/);
const credential = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('token'), id: z.string() }),
  z.strictObject({ kind: z.literal('certificate'), serialHex: hex }),
  z.strictObject({ kind: z.literal('issuer-token'), issuer: z.string() }),
]);

const schema = z.strictObject({
  serialHex: hex,
  service: z.string(),
  spiffeId: z.string(),
  notBeforeMs: z.number(),
  notAfterMs: z.number(),
  issuedAtMs: z.number(),
  /** Of the leaf; absent in files of earlier versions. */
  fingerprintSha256: hex.optional(),
  /** Of the CA that issued it; absent in files of earlier versions. */
  issuerSha256: hex.optional(),
  /** `service~instance` where what its holder showed is bound to an instance. */
  node: z.string().refine(isNodeId).optional(),
  /** The only addresses that it is good for, where what its holder showed is bound to such. */
  addresses: z.array(z.string()).optional(),
  /** What its holder showed for it; absent where it was made on the data folder. */
  credential: credential.optional(),
  /** Where that was a certificate: what the first before it was had for, as far as is known. */
  origin: credential.optional(),
  /** The certificate whose files this one replaced, where it was made on the data folder. */
  replaces: hex.optional(),
});

/** Times in ms since the epoch. */
export type HandedOut = z.infer<typeof schema>;
export type HandedOutCredential = z.infer<typeof credential>;

export interface HandingOut {
  readonly certificate: LeafCertificate;
  readonly service: string;
  readonly node?: NodeId;
  readonly addresses?: string[];
  readonly credential?: HandedOutCredential;
  readonly origin?: HandedOutCredential;
  readonly replaces?: string;
}

/** Durable when the promise resolves. @throws MeshError data-unwritable */
export async function recordHandedOut(dataDir: DataDir, handingOut: HandingOut): Promise<void> {
  const { certificate, ...rest } = handingOut;
  const { serialHex, spiffeId, notBeforeMs, notAfterMs, issuedAtMs, chainPem } = certificate;
  const [leafDer = '', issuerDer] = splitPem(chainPem);
  const record: HandedOut = {
    ...{ serialHex, spiffeId, notBeforeMs, notAfterMs, issuedAtMs },
    ...{ fingerprintSha256: sha256Hex(leafDer), ...rest },
    ...(issuerDer === undefined ? {} : { issuerSha256: sha256Hex(issuerDer) }),
  };
  await openStore(dataDir, toName(serialHex)).write(record);
}

/** The files that there are, for noticing changes cheaply. @throws MeshError data-unreadable */
export function listHandedOutFiles(dataDir: DataDir): Promise<readonly string[]> {
  return dataDir.list(FOLDER);
}

/**
 * The records were lost: for as long as one of their certificates may live there is a record that
 * says nothing, and counts like a damaged one. @throws MeshError data-unwritable
 */
export function noteLostRecords(dataDir: DataDir): Promise<void> {
  return dataDir.write(LOST, '{"lost":"the records of before"}\n');
}

/**
 * The record of one serial, if it was handed out.
 * @throws MeshError data-damaged, data-unreadable
 */
export async function findHandedOut(
  dataDir: DataDir,
  serialHex: string,
): Promise<HandedOut | undefined> {
  return openStore(dataDir, toName(serialHex)).read();
}

/** The newest first; what can't be understood is left out: see `readHandedOut`. */
export async function listHandedOut(dataDir: DataDir): Promise<readonly HandedOut[]> {
  return (await readHandedOut(dataDir)).records;
}

export interface HandedOutRecords {
  /** The newest first. */
  readonly records: readonly HandedOut[];
  /** Files that are damaged or can't be read: their names have the serial, no more is known. */
  readonly damaged: readonly string[];
}

/** All records. @throws MeshError data-unreadable where the folder can't be listed */
export async function readHandedOut(dataDir: DataDir): Promise<HandedOutRecords> {
  const records: HandedOut[] = [];
  const damaged: string[] = [];
  const work = async (file: string): Promise<void> => {
    const name = `${FOLDER}/${file}`;
    try {
      const stored = await openStore(dataDir, name).read();
      if (stored !== undefined) records.push(stored);
    } catch (error) {
      if (!(error instanceof MeshError) || error.variant === 'replaced') throw error;
      damaged.push(name);
    }
  };
  const files = (await dataDir.list(FOLDER)).filter((file) => NAME.test(file));
  await inParts(files, { atOnce: READ_AT_ONCE, work });
  records.sort((a, b) => b.issuedAtMs - a.issuedAtMs || (a.serialHex < b.serialHex ? -1 : 1));
  return { records, damaged: damaged.sort() };
}

/** A command may have read the authority just before it changed. */
const ISSUING_MARGIN_MS = MINUTE_MS;

export interface OlderThan {
  readonly beforeMs: number;
  /** SHA-256 of CAs: what they issued is none of the older ones, whenever that was. */
  readonly exceptBy: readonly string[];
}

function isOlder(
  { issuedAtMs, issuerSha256 }: HandedOut,
  { beforeMs, exceptBy }: OlderThan,
): boolean {
  return issuedAtMs < beforeMs + ISSUING_MARGIN_MS && !exceptBy.includes(issuerSha256 ?? '');
}

/**
 * When the last of those ends that were issued before a time, ms since the epoch; undefined where
 * there are none. Of a damaged record the latest that it can be is taken.
 * @throws MeshError data-unreadable
 */
export async function lastHandedOutEndMs(
  dataDir: DataDir,
  than: OlderThan,
): Promise<number | undefined> {
  const { records, damaged } = await readHandedOut(dataDir);
  const older = records.filter((one) => isOlder(one, than));
  const ends = older.map(({ notAfterMs }) => notAfterMs);
  for (const name of damaged) ends.push(await latestEndMs(dataDir, name));
  return ends.length === 0 ? undefined : ends.reduce((a, b) => Math.max(a, b));
}

/**
 * What was issued before a time, has not ended, and was replaced by no later one: who has no other
 * certificate. @throws MeshError data-damaged, data-unreadable
 */
export async function listUnreplaced(
  dataDir: DataDir,
  { nowMs, ...than }: OlderThan & { readonly nowMs: number },
): Promise<readonly HandedOut[]> {
  const all = await listHandedOut(dataDir);
  const replaced = new Set(
    all.map(({ credential: by, replaces }) =>
      by?.kind === 'certificate' ? by.serialHex : replaces,
    ),
  );
  return all.filter((one) => {
    return isOlder(one, than) && one.notAfterMs > nowMs && !replaced.has(one.serialHex);
  });
}

/**
 * Forgets what ended a while ago, so that a client with a short lifetime doesn't fill the disk.
 * @returns Damaged records that may not have ended.
 */
export async function forgetEnded(dataDir: DataDir, nowMs: number): Promise<readonly string[]> {
  const { records, damaged } = await readHandedOut(dataDir);
  for (const { serialHex, notAfterMs } of records) {
    if (notAfterMs + KEEP_ENDED_MS < nowMs) await dataDir.remove(toName(serialHex));
  }
  const left: string[] = [];
  for (const name of damaged) {
    const endMs = await latestEndMs(dataDir, name);
    if (endMs + KEEP_ENDED_MS < nowMs) await dataDir.remove(name);
    else left.push(name);
  }
  return left;
}

/** When the certificate of a damaged record has ended at the latest. */
async function latestEndMs(dataDir: DataDir, name: string): Promise<number> {
  const facts = await dataDir.facts(name);
  return (facts?.modifiedAtMs ?? 0) + LONGEST_LIFE_MS;
}

function openStore(dataDir: DataDir, name: string): DurableStore<HandedOut> {
  return createJsonStore({ dataDir, name, schema, version: 1 });
}

function toName(serialHex: string): string {
  return `${FOLDER}/${serialHex}.json`;
}
