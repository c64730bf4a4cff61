// Replacing the key that signs tokens: a new one is put in front, and the older ones verify for an
// overlap in which every sidecar gets a new token. No end is ever put off: a key that was to be
// good until Friday stays good until Friday, however often another rotation follows.
import { DAY_MS, MeshError } from '../base/index.js';
import {
  changeTokenKeys,
  loadTokenKeys,
  newTokenKey,
  type StoredTokenKey,
  type TokenKeyStoreOptions,
} from './token-key-store.js';

/** A key as people see it; times in ms since the epoch. */
export interface TokenKeyInfo {
  readonly id: string;
  readonly state: 'signing' | 'verifying' | 'ended';
  readonly createdAtMs: number;
  /** Its tokens are refused from then on; undefined: they end by themselves. */
  readonly verifyUntilMs: number | undefined;
}

/** An ended key is kept this long, so that its tokens can be told from those of another server. */
const KEEP_ENDED_MS = 400 * DAY_MS;

/**
 * Puts a new key in front; all keys then, the new one first.
 * @throws MeshError data-locked, data-damaged, data-unwritable
 */
export async function rotateTokenKey(
  options: TokenKeyStoreOptions & { readonly overlapMs: number },
): Promise<readonly TokenKeyInfo[]> {
  const { clock, overlapMs } = options;
  const changed = await changeTokenKeys(options, async (keys) => {
    const nowMs = clock.now();
    const kept = keys.filter(({ verifyUntilMs = nowMs }) => verifyUntilMs + KEEP_ENDED_MS > nowMs);
    const older = kept.map((key) => endBy(key, nowMs + overlapMs));
    return [await newTokenKey(options), ...older];
  });
  return toInfos(changed, clock.now());
}

/**
 * Ends a key now; all keys then.
 * @throws MeshError usage where it signs or is unknown; data-locked, data-damaged, data-unwritable
 */
export async function retireTokenKey(
  options: TokenKeyStoreOptions & { readonly id: string },
): Promise<readonly TokenKeyInfo[]> {
  const { clock, id } = options;
  const changed = await changeTokenKeys(options, async (keys) => {
    refuseToRetire(keys, id);
    return keys.map((key) => (key.id === id ? endBy(key, clock.now()) : key));
  });
  return toInfos(changed, clock.now());
}

/** The newest first; none before the first. @throws MeshError data-damaged, data-unreadable */
export async function listTokenKeys(
  options: TokenKeyStoreOptions,
): Promise<readonly TokenKeyInfo[]> {
  return toInfos((await loadTokenKeys(options.dataDir)) ?? [], options.clock.now());
}

function refuseToRetire(keys: readonly StoredTokenKey[], id: string): void {
  const index = keys.findIndex((key) => key.id === id);
  if (index > 0) return;
  const got = index === 0 ? 'the one that signs' : 'another id';
  const message = `expected the id of an older token key but got ${got}`;
  throw new MeshError('usage', message, { variant: index === 0 ? 'signing-key' : 'token-key' });
}

/** Never later than it was. */
function endBy(key: StoredTokenKey, endMs: number): StoredTokenKey {
  return { ...key, verifyUntilMs: Math.min(key.verifyUntilMs ?? endMs, endMs) };
}

function toInfos(keys: readonly StoredTokenKey[], nowMs: number): readonly TokenKeyInfo[] {
  return keys.map(({ id, createdAtMs, verifyUntilMs }, i) => {
    const ended = verifyUntilMs !== undefined && verifyUntilMs <= nowMs;
    const state = i === 0 ? 'signing' : ended ? 'ended' : 'verifying';
    return { id, state, createdAtMs, verifyUntilMs };
  });
}
