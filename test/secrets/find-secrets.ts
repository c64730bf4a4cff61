// What a private key or a token looks like in text that people see: a log, an answer, a golden.
// What is found is told by its kind and place, never by itself.

export interface Found {
  readonly kind: string;
  /** Offset in the text. */
  readonly at: number;
}

const BASE64 = 'A-Za-z0-9+/';
const PATTERNS: readonly { readonly kind: string; readonly pattern: RegExp }[] = [
  {
    // With content behind it, its line feeds as they are or as JSON has them.
    kind: 'a private key in PEM',
    pattern: new RegExp(
      `-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:\\s|\\\\n|\\\\r)*[${BASE64}]{16}`,
      'g',
    ),
  },
  // How PKCS #8 of P-256, P-384 and RSA begin, then SEC 1 of P-256 and PKCS #1.
  { kind: 'an EC key in base64', pattern: /MI[GH][A-Za-z0-9+/]{1,2}AgEAMB[AM]GByqGSM49AgEG/g },
  {
    kind: 'an RSA key in base64',
    pattern: /MII[A-Za-z0-9+/]{2}[A-Za-z0-9+/]IBADANBgkqhkiG9w0BAQEF/g,
  },
  { kind: 'an EC key in base64', pattern: /MHcCAQEEI[A-Za-z0-9+/]{20}/g },
  {
    kind: 'an RSA key in base64',
    pattern: /MII[A-Za-z0-9+/]{2}[A-Za-z0-9+/]IBAAKC[A-Za-z0-9+/]{20}/g,
  },
  { kind: 'a key in hex', pattern: /3081[0-9a-f]{2}0201003010?[0-9a-f]{0,2}06072a8648ce3d0201/gi },
  { kind: 'a key in hex', pattern: /020100300d06092a864886f70d0101010500/gi },
  { kind: 'a private key as a JWK', pattern: /"d"\s*:\s*"[A-Za-z0-9_-]{40,}"/g },
  { kind: 'a token', pattern: /eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{20,}/g },
];

/**
 * @param known Numbers of private keys, hex, that must not be there in any spelling; at least 32
 * bytes each.
 */
export function findSecrets(text: string, known: readonly string[] = []): readonly Found[] {
  const found = PATTERNS.flatMap(({ kind, pattern }) =>
    [...text.matchAll(pattern)].map(({ index }) => ({ kind, at: index })),
  );
  for (const hex of known) {
    for (const spelling of spellings(hex)) {
      const at = text.indexOf(spelling);
      if (at !== -1) found.push({ kind: 'the number of a private key', at });
    }
  }
  return found;
}

function spellings(hex: string): readonly string[] {
  const bytes = Buffer.from(hex, 'hex');
  // Within longer base64 the text depends on where it begins: three ways, without the ends.
  const inner = [0, 1, 2].map((skip) => bytes.subarray(skip).toString('base64').slice(0, 36));
  return [hex, hex.toUpperCase(), bytes.toString('base64url').slice(0, 40), ...inner];
}
