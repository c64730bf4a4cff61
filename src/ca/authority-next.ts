// How a command asks the server for another authority: by a file in the data folder, since only the
// server may change the authority's own file while it runs. `authority-next.json` holds the CA
// chain to change to; it appears whole and once, and goes when it has been taken into
// `authority.json`.
// `authority-finish.json` is the operator's word that an old root may go.
import { z } from 'zod';
import { MeshError } from '../base/index.js';
import { type DataDir, damaged, parseStored } from '../data/index.js';
import { caChainSchema, serializeCaChain, toCaChain } from './authority-file.js';
import { type CaChain, caChainProblems } from './authority-material.js';

const NEXT = 'authority-next.json';
const FINISH = 'authority-finish.json';
/** Somebody may hold a bundle that no certificate of ours came with. */
const BUNDLES = 'bundles-handed-out.json';
const finishSchema = z.strictObject({ version: z.literal(1), oldRootSha256: z.string() });
const bundlesSchema = z.strictObject({ version: z.literal(1), atMs: z.number() });

/** @throws MeshError request-invalid where another waits already; data-unwritable */
export async function offerLine(
  dataDir: DataDir,
  chain: CaChain,
  passphrase?: string,
): Promise<void> {
  if (await dataDir.create(NEXT, serializeCaChain(chain, passphrase))) return;
  const message = `expected no change of CA to wait in ${dataDir.path} but there is one`;
  throw new MeshError('request-invalid', message, {
    hint: `the server takes it over when it runs; remove ${NEXT} to withdraw it`,
  });
}

/**
 * The chain that waits, checked.
 * @throws MeshError data-damaged, passphrase-missing, passphrase-wrong
 */
export async function loadOffer(
  dataDir: DataDir,
  options: {
    readonly passphrase: string | undefined;
    readonly trustDomain: string;
    readonly nowMs: number;
  },
): Promise<CaChain | undefined> {
  const stored = await parseStored({ dataDir, name: NEXT, schema: caChainSchema });
  if (stored === undefined) return undefined;
  const chain = toCaChain(stored, options.passphrase);
  const problems = caChainProblems(chain, options);
  if (problems.length === 0) return chain;
  throw damaged({ dataDir, name: NEXT, what: problems.join('; ') });
}

/** It was taken over, or is refused. @throws MeshError data-unwritable */
export async function removeOffer(dataDir: DataDir): Promise<void> {
  await dataDir.remove(NEXT);
}

/** The operator's word that this root may go. @throws MeshError data-unwritable */
export async function writeFinish(dataDir: DataDir, oldRootSha256: string): Promise<void> {
  await dataDir.write(FINISH, `${JSON.stringify({ version: 1, oldRootSha256 })}\n`);
}

/** Whether the operator has said that this root may go. */
export async function isFinishAsked(dataDir: DataDir, oldRootSha256: string): Promise<boolean> {
  const stored = await parseStored({ dataDir, name: FINISH, schema: finishSchema });
  return stored?.oldRootSha256 === oldRootSha256;
}

export async function removeFinish(dataDir: DataDir): Promise<void> {
  await dataDir.remove(FINISH);
}

/** Somebody was given the trust anchors alone. @throws MeshError data-unwritable */
export async function noteBundle(dataDir: DataDir, atMs: number): Promise<void> {
  await dataDir.write(BUNDLES, `${JSON.stringify({ version: 1, atMs })}\n`);
}

/** When the trust anchors alone were last given to somebody, ms since the epoch. */
export async function bundleNotedAtMs(dataDir: DataDir): Promise<number | undefined> {
  return (await parseStored({ dataDir, name: BUNDLES, schema: bundlesSchema }))?.atMs;
}
