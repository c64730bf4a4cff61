// The public keys of one outside issuer, as they are now: of a file, which is looked at again
// whenever it may have changed, or of a URL, which is fetched again when it is old, or when a token
// names a key that isn't there. What is broken or unreachable leaves the last good keys in force;
// those of a URL for a day.
import { readFile, stat } from 'node:fs/promises';
import { type Clock, DAY_MS, systemErrorCode } from '../../../base/index.js';
import {
  jwksProblem,
  MAX_JWKS_BYTES,
  type NodeIssuerKeys,
  readJwks,
} from '../../../policy/index.js';
import { type FetchTools, fetchText, unreachable } from './fetch-json.js';

export type JwkKeys = readonly Readonly<Record<string, unknown>>[];

export interface KeySource {
  /** @throws MeshError issuer-unreachable where there are none. */
  current(): Promise<JwkKeys>;
  /** Looks again, for a key that isn't there; undefined where that was done a moment ago. */
  again(): Promise<JwkKeys | undefined>;
  /** Looks again where that costs nothing. @throws MeshError issuer-unreachable */
  check(): Promise<void>;
}

export interface KeySourceTools extends FetchTools {
  readonly clock: Clock;
  /** Fetching failed, and the last good keys stay. Must not throw. */
  readonly onProblem: (error: unknown) => void;
}

/** Fetched keys are fetched anew after this. */
export const MAX_AGE_MS = 600_000;
/** Between two fetches, whatever tokens name and whether or not the last one failed. */
export const COOLDOWN_MS = 30_000;
/** The last good keys outlive for this long an issuer that can't be reached. */
export const LONGEST_STALE_MS = DAY_MS;
const DISCOVERY = '/.well-known/openid-configuration';

export function createKeySource(keys: NodeIssuerKeys, tools: KeySourceTools): KeySource {
  switch (keys.kind) {
    case 'file':
      return new FileKeys(keys.path);
    case 'url':
      return new RemoteKeys(() => fetchKeys(keys.url, tools), tools);
    case 'discovery':
      return new RemoteKeys(
        async () => fetchKeys(await discover(keys.issuer, tools), tools),
        tools,
      );
  }
}

class FileKeys implements KeySource {
  readonly #path: string;
  #keys: JwkKeys | undefined;
  /** Of the file that was looked at last, good or not. */
  #seen: string | undefined;
  #running: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async current(): Promise<JwkKeys> {
    if (this.#keys === undefined) {
      this.#seen = undefined;
      await this.check();
    }
    if (this.#keys === undefined) throw unreachable('a file that is no good');
    return this.#keys;
  }

  async again(): Promise<JwkKeys | undefined> {
    const before = this.#keys;
    await this.check().catch(() => undefined);
    return this.#keys === before ? undefined : this.#keys;
  }

  /** One look at a time, for all who wait: a second one would find it seen and not read yet. */
  check(): Promise<void> {
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #look(): Promise<void> {
    const found = await stat(this.#path).catch((error: unknown) => systemErrorCode(error) ?? '?');
    const seen = typeof found === 'string' ? found : `${found.ino} ${found.size} ${found.mtimeMs}`;
    if (seen === this.#seen) return;
    this.#seen = seen;
    // Where it is stays in the cause, for the log: peers see the message.
    const isGood = typeof found !== 'string' && found.isFile() && found.size <= MAX_JWKS_BYTES;
    const text = isGood ? await readFile(this.#path, 'utf8') : '';
    const problem = isGood ? jwksProblem(text) : `expected a file of keys but got ${seen}`;
    if (problem !== undefined) {
      throw unreachable('a file that is no good', new Error(`${this.#path}: ${problem}`));
    }
    this.#keys = readJwks(text)?.keys;
  }
}

class RemoteKeys implements KeySource {
  readonly #fetch: () => Promise<JwkKeys>;
  readonly #tools: KeySourceTools;
  #found: { readonly keys: JwkKeys; readonly atMs: number } | undefined;
  #triedAtMs: number | undefined;
  #error: unknown;
  #running: Promise<void> | undefined;

  constructor(fetch: () => Promise<JwkKeys>, tools: KeySourceTools) {
    this.#fetch = fetch;
    this.#tools = tools;
  }

  async current(): Promise<JwkKeys> {
    if (this.#ageMs >= MAX_AGE_MS) await this.#tryFetch();
    if (this.#found !== undefined && this.#ageMs < LONGEST_STALE_MS) return this.#found.keys;
    throw this.#error ?? unreachable('none');
  }

  async again(): Promise<JwkKeys | undefined> {
    const before = this.#found;
    await this.#tryFetch();
    return this.#found === before ? undefined : this.#found?.keys;
  }

  async check(): Promise<void> {}

  get #ageMs(): number {
    if (this.#found === undefined) return Number.POSITIVE_INFINITY;
    return Math.abs(this.#tools.clock.now() - this.#found.atMs);
  }

  /** One at a time, for all who wait. */
  async #tryFetch(): Promise<void> {
    this.#running ??= this.#fetchUnlessTried().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #fetchUnlessTried(): Promise<void> {
    const { clock, onProblem } = this.#tools;
    const nowMs = clock.now();
    if (this.#triedAtMs !== undefined && Math.abs(nowMs - this.#triedAtMs) < COOLDOWN_MS) return;
    this.#triedAtMs = nowMs;
    try {
      this.#found = { keys: await this.#fetch(), atMs: nowMs };
      this.#error = undefined;
    } catch (error) {
      this.#error = error;
      onProblem(error);
    }
  }
}

async function fetchKeys(url: string, tools: FetchTools): Promise<JwkKeys> {
  const keys = readJwks(await fetchText(url, tools))?.keys ?? [];
  if (keys.length === 0) throw unreachable('a document without public keys');
  return keys;
}

/** OpenID Connect Discovery 1.0 section 4: the document must name the very issuer. */
async function discover(issuer: string, tools: FetchTools): Promise<string> {
  const text = await fetchText(`${issuer.replace(/\/$/, '')}${DISCOVERY}`, tools);
  const found = tryJson(text);
  const fields = typeof found === 'object' && found !== null ? found : {};
  const { issuer: named, jwks_uri: url } = fields as Partial<Record<string, unknown>>;
  if (named !== issuer) throw unreachable('a discovery document of another issuer');
  if (typeof url !== 'string' || !URL.canParse(url) || new URL(url).protocol !== 'https:') {
    throw unreachable('a discovery document without an https jwks_uri');
  }
  return url;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
