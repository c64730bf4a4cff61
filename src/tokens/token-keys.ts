// The keys that sign tokens, in use: signing by the newest, verifying by all that are in force. The
// file may change beside a running server (a rotation); `reload` takes it over.
import assert from 'node:assert';
import { type Clock, MeshError, type Random, timesOf } from '../base/index.js';
import { type DataDir, damaged, TOKEN_KEYS_FILE } from '../data/index.js';
import type { KeySource } from '../x509/keys/index.js';
import {
  type SignedToken,
  signToken,
  type TokenKey,
  type TokenRequest,
  type VerifiedToken,
  type VerifyTokenOptions,
  verifyToken,
} from './token.js';
import {
  loadOrCreateTokenKeys,
  loadTokenKeys,
  openTokenKey,
  type StoredTokenKey,
} from './token-key-store.js';

/** `nowMs`: by default, now. */
export type TokenCheck = Pick<VerifyTokenOptions, 'audience' | 'onSigned'> & {
  readonly nowMs?: number;
};

export interface TokenKeys {
  /** A new token, under an id of its own. */
  sign(request: Omit<TokenRequest, 'nowMs' | 'id'>): SignedToken;
  /**
   * What a token proves now.
   * @throws MeshError token-missing, token-invalid, token-key-unknown, token-expired
   */
  verify(token: string | undefined, options: TokenCheck): VerifiedToken;
  /** When a key's tokens are refused, where that is decided; ms since the epoch. */
  endOf(keyId: string): number | undefined;
  /**
   * Reads the file again; true where other keys are in force now. What is wrong with the file is
   * thrown once, and the keys stay as they are.
   * @throws MeshError data-damaged, data-unreadable
   */
  reload(): Promise<boolean>;
  /** The ids of the keys in force: the one that signs, and others whose tokens are good. */
  ids(): { readonly signing: string; readonly verifying: readonly string[] };
}

export interface TokenKeysOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly random: Random;
  readonly keySource?: KeySource;
}

const TOKEN_ID_BYTES = 12;

/**
 * The token keys of the data folder, made on first use.
 * @throws MeshError data-damaged, data-unreadable, data-unwritable
 */
export async function createTokenKeys(options: TokenKeysOptions): Promise<TokenKeys> {
  return new FileTokenKeys(options, await loadOrCreateTokenKeys(options));
}

class FileTokenKeys implements TokenKeys {
  readonly #options: TokenKeysOptions;
  #stored: string;
  #signing: TokenKey;
  #byId: ReadonlyMap<string, TokenKey>;
  /** What was wrong with the file when it was last looked at. */
  #problem: string | undefined;

  constructor(options: TokenKeysOptions, stored: readonly StoredTokenKey[]) {
    this.#options = options;
    const { signing, byId } = open(stored);
    this.#stored = JSON.stringify(stored);
    this.#signing = signing;
    this.#byId = byId;
  }

  sign(request: Omit<TokenRequest, 'nowMs' | 'id'>): SignedToken {
    const { clock, random } = this.#options;
    const id = random.bytes(TOKEN_ID_BYTES).toString('hex');
    return signToken({ ...request, id, nowMs: clock.now() }, this.#signing);
  }

  verify(token: string | undefined, options: TokenCheck): VerifiedToken {
    // What has ended at a time that it may be lets nobody in.
    const { nowMs = timesOf(this.#options.clock).latestMs, ...check } = options;
    return verifyToken(token, { ...check, nowMs, keys: this.#byId });
  }

  endOf(keyId: string): number | undefined {
    return this.#byId.get(keyId)?.verifyUntilMs;
  }

  async reload(): Promise<boolean> {
    const stored = await this.#tryRead();
    const text = JSON.stringify(stored);
    if (stored === undefined || text === this.#stored) return false;
    const { signing, byId } = open(stored);
    this.#stored = text;
    this.#signing = signing;
    this.#byId = byId;
    return true;
  }

  ids(): { readonly signing: string; readonly verifying: readonly string[] } {
    const nowMs = this.#options.clock.now();
    const good = [...this.#byId.values()].filter(
      ({ id, verifyUntilMs = Number.POSITIVE_INFINITY }) =>
        id !== this.#signing.id && verifyUntilMs > nowMs,
    );
    return { signing: this.#signing.id, verifying: good.map(({ id }) => id) };
  }

  async #tryRead(): Promise<readonly StoredTokenKey[] | undefined> {
    const { dataDir } = this.#options;
    try {
      const stored = await loadTokenKeys(dataDir);
      if (stored === undefined) {
        throw damaged({ dataDir, name: TOKEN_KEYS_FILE, what: 'expected a file but it is gone' });
      }
      this.#problem = undefined;
      return stored;
    } catch (error) {
      if (error instanceof MeshError && error.message === this.#problem) return undefined;
      this.#problem = error instanceof MeshError ? error.message : undefined;
      throw error;
    }
  }
}

function open(stored: readonly StoredTokenKey[]) {
  const keys = stored.map(openTokenKey);
  const [signing] = keys;
  assert(signing !== undefined, 'the schema asks for a key');
  return { signing, byId: new Map(keys.map((key) => [key.id, key])) };
}
