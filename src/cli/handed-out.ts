// What `cert` has handed out: one file per certificate, `handed-out/<serial>.json` in the data
// folder, stored before its holder gets it. A revocation finds the serial here, and a root stays
// trusted until the last of these has ended.
import { z } from 'zod';
import { type DataDir, type Leaf, parseStored } from '../identity/index.js';

const FOLDER = 'handed-out';
const NAME = /^[0-9a-f]+\.json$/;
/** An ended certificate stays listed for this long. */
const KEEP_ENDED_MS = 24 * 3_600_000;

const schema = z.strictObject({
  version: z.literal(1),
  serialHex: z.string().regex(/^[0-9a-f]+$/),
  service: z.string(),
  spiffeId: z.string(),
  notBeforeMs: z.number(),
  notAfterMs: z.number(),
  issuedAtMs: z.number(),
});

/** Times in ms since the epoch. */
export type HandedOut = Omit<z.infer<typeof schema>, 'version'>;

/** Durable when the promise resolves. @throws MeshError data-unwritable */
export async function recordHandedOut(
  dataDir: DataDir,
  leaf: Leaf,
  service: string,
): Promise<void> {
  const { serialHex, spiffeId, notBeforeMs, notAfterMs, issuedAtMs } = leaf;
  const record: z.infer<typeof schema> = {
    ...{ version: 1, serialHex, service, spiffeId },
    ...{ notBeforeMs, notAfterMs, issuedAtMs },
  };
  await dataDir.write(toName(serialHex), `${JSON.stringify(record, undefined, 1)}\n`);
}

/** The newest first. @throws MeshError data-damaged, data-unreadable */
export async function listHandedOut(dataDir: DataDir): Promise<readonly HandedOut[]> {
  const records: HandedOut[] = [];
  for (const file of await dataDir.list(FOLDER)) {
    if (!NAME.test(file)) continue;
    const stored = await parseStored({ dataDir, name: `${FOLDER}/${file}`, schema });
    if (stored !== undefined) records.push(stored);
  }
  return records.sort((a, b) => b.issuedAtMs - a.issuedAtMs);
}

/** Forgets what ended a while ago, so that a client with a short lifetime doesn't fill the disk. */
export async function forgetEnded(dataDir: DataDir, nowMs: number): Promise<void> {
  for (const { serialHex, notAfterMs } of await listHandedOut(dataDir)) {
    if (notAfterMs + KEEP_ENDED_MS < nowMs) await dataDir.remove(toName(serialHex));
  }
}

function toName(serialHex: string): string {
  return `${FOLDER}/${serialHex}.json`;
}
