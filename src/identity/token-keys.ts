// The keys that sign tokens: a list in one file of the data folder, newest first, made on first use
// by whoever comes first (`countersign token` may run before `serve` or beside it). The newest
// signs; all verify, so that a new key can be put in front while tokens of the old one live on.

import assert from 'node:assert';
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { z } from 'zod';
import type { Clock, Random } from '../base/index.js';
import { type DataDir, damaged } from './data-dir.js';
import { generateKeys, type KeySource } from './keys.js';
import { parseStored } from './stored-json.js';
import {
  type SignedToken,
  signToken,
  type TokenAudience,
  type TokenKey,
  type TokenRequest,
  toTokenKey,
  type VerifiedToken,
  verifyToken,
} from './token.js';

export interface TokenKeys {
  /** A new token, under an id of its own. */
  sign(request: Omit<TokenRequest, 'nowMs' | 'id'>): SignedToken;
  /** What a token proves now. @throws MeshError token-missing, token-invalid, token-expired */
  verify(
    token: string | undefined,
    options: { readonly audience: TokenAudience; readonly nowMs?: number },
  ): VerifiedToken;
}

export interface TokenKeysOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly random: Random;
  readonly keySource?: KeySource;
}

const FILE = 'token-keys.json';
const TOKEN_ID_BYTES = 12;
const schema = z.strictObject({
  version: z.literal(1),
  keys: z
    .array(z.strictObject({ id: z.string(), createdAtMs: z.number(), privateKeyPem: z.string() }))
    .min(1),
});

/**
 * The token keys of the data folder, made on first use.
 * @throws MeshError data-damaged, data-unreadable, data-unwritable
 */
export async function createTokenKeys(options: TokenKeysOptions): Promise<TokenKeys> {
  const { clock, random } = options;
  const keys = await loadOrCreate(options);
  const [signing] = keys;
  assert(signing !== undefined, 'the schema asks for a key');
  const byId = new Map(keys.map((key) => [key.id, key]));
  return {
    sign(request) {
      const id = random.bytes(TOKEN_ID_BYTES).toString('hex');
      return signToken({ ...request, id, nowMs: clock.now() }, signing);
    },
    verify(token, { audience, nowMs = clock.now() }) {
      return verifyToken(token, { audience, nowMs, keys: byId });
    },
  };
}

async function loadOrCreate(options: TokenKeysOptions): Promise<readonly TokenKey[]> {
  const { dataDir, clock, keySource = generateKeys } = options;
  const found = await load(dataDir);
  if (found !== undefined) return found;
  const { privateKeyPem } = await keySource('ecdsa-p256');
  const stored: z.infer<typeof schema> = {
    version: 1,
    keys: [{ id: toKeyId(privateKeyPem), createdAtMs: clock.now(), privateKeyPem }],
  };
  // Where another process was first, its key is in the file and ours is forgotten.
  await dataDir.create(FILE, `${JSON.stringify(stored, undefined, 1)}\n`);
  const keys = await load(dataDir);
  assert(keys !== undefined, 'the file was just made');
  return keys;
}

async function load(dataDir: DataDir): Promise<readonly TokenKey[] | undefined> {
  const stored = await parseStored({ dataDir, name: FILE, schema });
  return stored?.keys.map(({ id, privateKeyPem }, i) => {
    if (tryKeyId(privateKeyPem) === id) return toTokenKey(createPrivateKey(privateKeyPem), id);
    throw damaged({ dataDir, name: FILE, what: `expected keys.${i} as it was stored` });
  });
}

function tryKeyId(privateKeyPem: string): string | undefined {
  try {
    return toKeyId(privateKeyPem);
  } catch {
    return undefined;
  }
}

/** RFC 7638: SHA-256 of the required members of the public JWK, in order. */
function toKeyId(privateKeyPem: string): string {
  const { crv, kty, x, y } = createPublicKey(privateKeyPem).export({ format: 'jwk' });
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}
