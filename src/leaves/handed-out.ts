// What was handed out to holders of keys that are not sidecars': one file per certificate,
// `handed-out/<serial>.json` in the data folder, stored before its holder gets it. A revocation
// finds the serial here, and a root stays trusted until the last of these has ended.

import { z } from 'zod';
import { DAY_MS, MINUTE_MS } from '../base/index.js';
import type { LeafCertificate } from '../ca/index.js';
import { createJsonStore, type DataDir, type DurableStore } from '../data/index.js';
import { isNodeId, type NodeId } from '../spiffe/index.js';
import { sha256Hex } from '../x509/keys/index.js';
import { splitPem } from '../x509/read/index.js';

const FOLDER = 'handed-out';
const NAME = /^[0-9a-f]+\.json$/;
/** An ended certificate stays listed for this long. */
const KEEP_ENDED_MS = DAY_MS;

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
 * The record of one serial, if it was handed out.
 * @throws MeshError data-damaged, data-unreadable
 */
export async function findHandedOut(
  dataDir: DataDir,
  serialHex: string,
): Promise<HandedOut | undefined> {
  return openStore(dataDir, toName(serialHex)).read();
}

/** The newest first. @throws MeshError data-damaged, data-unreadable */
export async function listHandedOut(dataDir: DataDir): Promise<readonly HandedOut[]> {
  const records: HandedOut[] = [];
  for (const file of await dataDir.list(FOLDER)) {
    if (!NAME.test(file)) continue;
    const stored = await openStore(dataDir, `${FOLDER}/${file}`).read();
    if (stored !== undefined) records.push(stored);
  }
  return records.sort((a, b) => b.issuedAtMs - a.issuedAtMs);
}

/** A command may have read the authority just before it changed. */
const ISSUING_MARGIN_MS = MINUTE_MS;

/**
 * When the last of those ends that were issued before a time, ms since the epoch; undefined where
 * there are none. @throws MeshError data-damaged, data-unreadable
 */
export async function lastHandedOutEndMs(
  dataDir: DataDir,
  beforeMs: number,
): Promise<number | undefined> {
  const older = (await listHandedOut(dataDir)).filter(
    ({ issuedAtMs }) => issuedAtMs < beforeMs + ISSUING_MARGIN_MS,
  );
  return older.length === 0 ? undefined : Math.max(...older.map(({ notAfterMs }) => notAfterMs));
}

export interface UnreplacedOptions {
  /** SHA-256 of the CA that issues now: what it issued is no older one, whenever that was. */
  readonly issuerSha256: string | undefined;
  readonly beforeMs: number;
  readonly nowMs: number;
}

/**
 * What was issued before a time, has not ended, and was replaced by no later one: who has no other
 * certificate. @throws MeshError data-damaged, data-unreadable
 */
export async function listUnreplaced(
  dataDir: DataDir,
  { issuerSha256: issuer, beforeMs, nowMs }: UnreplacedOptions,
): Promise<readonly HandedOut[]> {
  const all = await listHandedOut(dataDir);
  const replaced = new Set(
    all.map(({ credential: by, replaces }) =>
      by?.kind === 'certificate' ? by.serialHex : replaces,
    ),
  );
  return all.filter(({ serialHex, issuedAtMs, notAfterMs, issuerSha256 }) => {
    const isOlder = issuedAtMs < beforeMs + ISSUING_MARGIN_MS && issuerSha256 !== (issuer ?? '');
    return isOlder && notAfterMs > nowMs && !replaced.has(serialHex);
  });
}

/** Forgets what ended a while ago, so that a client with a short lifetime doesn't fill the disk. */
export async function forgetEnded(dataDir: DataDir, nowMs: number): Promise<void> {
  for (const { serialHex, notAfterMs } of await listHandedOut(dataDir)) {
    if (notAfterMs + KEEP_ENDED_MS < nowMs) await dataDir.remove(toName(serialHex));
  }
}

function openStore(dataDir: DataDir, name: string): DurableStore<HandedOut> {
  return createJsonStore({ dataDir, name, schema, version: 1 });
}

function toName(serialHex: string): string {
  return `${FOLDER}/${serialHex}.json`;
}
