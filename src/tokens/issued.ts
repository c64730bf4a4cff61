// What tokens were made: `issued-tokens/<id>.<end>.json` for each that a command made, with its end
// in seconds since the epoch, so that the names alone say which are known and which have ended. The
// token itself is not in it. Who revokes a token by its id is told whether there is such a one.
import { z } from 'zod';
import { DAY_MS, SECOND_MS } from '../base/index.js';
import { createJsonStore, type DataDir, type DurableStore } from '../data/index.js';
import type { SignedToken, TokenRequest } from './token.js';
import { createTokenKeys, type TokenKeysOptions } from './token-keys.js';

const FOLDER = 'issued-tokens';
const NAME = /^([0-9a-f]+)\.(\d+)\.json$/;
const KEEP_ENDED_MS = DAY_MS;

const schema = z.strictObject({
  id: z.string(),
  keyId: z.string(),
  /** The service's name, or who administers. */
  subject: z.string(),
  instance: z.string().optional(),
  addresses: z.array(z.string()).optional(),
  issuedAtMs: z.number(),
  expiresAtMs: z.number(),
});

export type IssuedToken = z.infer<typeof schema>;

/** A new token, on record before anybody has it. @throws MeshError data-damaged, data-unwritable */
export async function issueToken(
  options: TokenKeysOptions,
  request: Omit<TokenRequest, 'nowMs' | 'id'>,
): Promise<SignedToken> {
  const { dataDir, clock } = options;
  const keys = await createTokenKeys(options);
  const signed = keys.sign(request);
  const { id, expiresAtMs } = signed;
  const { subject, instance, addresses } = request;
  const nowMs = clock.now();
  const record: IssuedToken = {
    ...{ id, keyId: keys.ids().signing, subject, issuedAtMs: nowMs, expiresAtMs },
    ...(instance === undefined ? {} : { instance }),
    ...(addresses === undefined ? {} : { addresses: [...addresses] }),
  };
  await openStore(dataDir, toName(record)).write(record);
  for (const { file, endsAtMs } of await list(dataDir)) {
    if (endsAtMs + KEEP_ENDED_MS < nowMs) await dataDir.remove(`${FOLDER}/${file}`);
  }
  return signed;
}

/** Whether a token of that id was made here; of those that ended long ago that isn't known. */
export async function isIssued(dataDir: DataDir, id: string): Promise<boolean> {
  return (await list(dataDir)).some((one) => one.id === id);
}

/** Those that have not ended by themselves. @throws MeshError data-damaged, data-unreadable */
export async function listIssued(dataDir: DataDir, nowMs: number): Promise<readonly IssuedToken[]> {
  const found: IssuedToken[] = [];
  for (const { file, endsAtMs } of await list(dataDir)) {
    const record =
      endsAtMs > nowMs ? await openStore(dataDir, `${FOLDER}/${file}`).read() : undefined;
    if (record !== undefined) found.push(record);
  }
  return found;
}

async function list(
  dataDir: DataDir,
): Promise<readonly { readonly file: string; readonly id: string; readonly endsAtMs: number }[]> {
  return (await dataDir.list(FOLDER)).flatMap((file) => {
    const [, id, seconds] = NAME.exec(file) ?? [];
    return id === undefined ? [] : [{ file, id, endsAtMs: Number(seconds) * SECOND_MS }];
  });
}

function openStore(dataDir: DataDir, name: string): DurableStore<IssuedToken> {
  return createJsonStore({ dataDir, name, schema, version: 1 });
}

function toName({ id, expiresAtMs }: IssuedToken): string {
  return `${FOLDER}/${id}.${Math.ceil(expiresAtMs / SECOND_MS)}.json`;
}
