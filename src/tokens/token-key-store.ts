// token-keys.json: the keys that sign tokens, the newest first, made on first use by whoever comes
// first (`countersign token` may run before `serve` or beside it). The newest signs; each older one
// verifies until its `verifyUntilMs`, absent for no end, so that a new key can be put in front
// while tokens of the old one live on. Changes are made under a lock of its own, which commands
// beside a running server take in turn: of two rotations at once neither is lost.
import assert from 'node:assert';
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../base/index.js';
import {
  createJsonStore,
  type DataDir,
  damaged,
  TOKEN_KEYS_FILE,
  TOKEN_KEYS_LOCK,
  waitForDataLock,
} from '../data/index.js';
import { assertNeverThere } from '../data/manifest/index.js';
import { generateKeys, type KeySource } from '../x509/keys/index.js';
import { type TokenKey, toTokenKey } from './token.js';

const schema = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        id: z.string(),
        createdAtMs: z.number(),
        verifyUntilMs: z.number().optional(),
        privateKeyPem: z.string(),
      }),
    )
    .min(1),
});

/** As stored. `privateKeyPem` is never logged. */
export type StoredTokenKey = z.infer<typeof schema>['keys'][number];

export interface TokenKeyStoreOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly keySource?: KeySource;
}

/**
 * The stored keys, the newest first; undefined where there are none yet.
 * @throws MeshError data-damaged, data-unreadable
 */
export async function loadTokenKeys(
  dataDir: DataDir,
): Promise<readonly StoredTokenKey[] | undefined> {
  const stored = await openStore(dataDir).read();
  for (const [i, { id, privateKeyPem }] of stored?.keys.entries() ?? []) {
    if (tryKeyId(privateKeyPem) === id) continue;
    throw damaged({ dataDir, name: TOKEN_KEYS_FILE, what: `expected keys.${i} as it was stored` });
  }
  return stored?.keys;
}

/**
 * The stored keys, made on first use.
 * @throws MeshError data-lost, data-damaged, data-unwritable
 */
export async function loadOrCreateTokenKeys(
  options: TokenKeyStoreOptions,
): Promise<readonly StoredTokenKey[]> {
  const { dataDir } = options;
  const found = await loadTokenKeys(dataDir);
  if (found !== undefined) return found;
  await assertNeverThere(dataDir, TOKEN_KEYS_FILE);
  // Where another process was first, its key is in the file and ours is forgotten.
  await openStore(dataDir).create({ keys: [await newTokenKey(options)] });
  const keys = await loadTokenKeys(dataDir);
  assert(keys !== undefined, 'the file was just made');
  return keys;
}

/**
 * Replaces the stored keys by what `change` makes of them; no other change comes between.
 * @throws MeshError what `change` throws; data-locked, data-damaged, data-unwritable
 */
export async function changeTokenKeys(
  options: TokenKeyStoreOptions,
  change: (keys: readonly StoredTokenKey[]) => Promise<readonly StoredTokenKey[]>,
): Promise<readonly StoredTokenKey[]> {
  const { dataDir, clock } = options;
  await loadOrCreateTokenKeys(options);
  const lock = await waitForDataLock(join(dataDir.path, TOKEN_KEYS_LOCK), clock);
  try {
    const changed = await change(await loadOrCreateTokenKeys(options));
    await openStore(dataDir).write({ keys: [...changed] });
    return changed;
  } finally {
    lock.release();
  }
}

export async function newTokenKey(
  options: Pick<TokenKeyStoreOptions, 'clock' | 'keySource'>,
): Promise<StoredTokenKey> {
  const { clock, keySource = generateKeys } = options;
  const { privateKeyPem } = await keySource('ecdsa-p256');
  return { id: toKeyId(privateKeyPem), createdAtMs: clock.now(), privateKeyPem };
}

export function openTokenKey({ id, privateKeyPem, verifyUntilMs }: StoredTokenKey): TokenKey {
  const key = toTokenKey(createPrivateKey(privateKeyPem), id);
  return verifyUntilMs === undefined ? key : { ...key, verifyUntilMs };
}

function openStore(dataDir: DataDir) {
  return createJsonStore({ dataDir, name: TOKEN_KEYS_FILE, schema, version: 1 });
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
