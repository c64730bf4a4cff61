// The keys of an issuer as a JWK set (RFC 7517 section 5), as far as it can be checked without
// cryptography: its form, and that it holds nothing secret.

export interface ReadJwks {
  /** Public keys of the kinds that we verify by. */
  readonly keys: readonly Readonly<Record<string, unknown>>[];
  /** How many keys were left out because they are secret: whoever reads the set has them. */
  readonly secret: number;
}

/** More is no key set of an issuer. */
export const MAX_JWKS_BYTES = 262_144;
const PUBLIC_KINDS: readonly unknown[] = ['RSA', 'EC', 'OKP'];

/** Undefined where the text is no JWK set. Keys of an unknown kind are left out (RFC 7517 5). */
export function readJwks(text: string): ReadJwks | undefined {
  const set = tryJson(text);
  const entries = isMap(set) ? set['keys'] : undefined;
  if (!Array.isArray(entries) || !entries.every(isMap)) return undefined;
  const isSecret = (key: Readonly<Record<string, unknown>>): boolean =>
    key['kty'] === 'oct' || Object.hasOwn(key, 'd') || Object.hasOwn(key, 'k');
  return {
    keys: entries.filter((key) => PUBLIC_KINDS.includes(key['kty']) && !isSecret(key)),
    secret: entries.filter(isSecret).length,
  };
}

/** What is wrong with a key set that a user gives; undefined where nothing is. */
export function jwksProblem(text: string): string | undefined {
  const read = readJwks(text);
  if (read === undefined) return 'expected a JWK set (JSON with a list "keys") but got other text';
  if (read.secret > 0) {
    return 'expected public keys only but got a secret one: whoever reads it can sign tokens';
  }
  return read.keys.length === 0 ? 'expected a public key but got none' : undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
