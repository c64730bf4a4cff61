/** The longest token of anybody: those of outside issuers carry claims of their own. */
const MAX_PEEKED_BYTES = 16_384;

/** What a JWT says of itself: whose it is, and which key signed it. */
export interface PeekedToken {
  readonly issuer: string;
  readonly keyId: string | undefined;
}

/** Undefined where the text is no JWT that names its issuer. Nothing is verified here. */
export function peekToken(token: string): PeekedToken | undefined {
  if (token.length > MAX_PEEKED_BYTES) return undefined;
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  const issuer = textOf(parts[1], 'iss');
  return issuer === undefined ? undefined : { issuer, keyId: textOf(parts[0], 'kid') };
}

function textOf(part: string | undefined, name: string): string | undefined {
  try {
    const fields: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'));
    if (typeof fields !== 'object' || fields === null || !Object.hasOwn(fields, name)) {
      return undefined;
    }
    const value: unknown = Reflect.get(fields, name);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
