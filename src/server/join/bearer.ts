/**
 * The token of an `authorization` header; the scheme may be left out (a bare token file has none).
 */
export function toToken(authorization: string | undefined): string | undefined {
  return authorization?.replace(/^Bearer +/i, '');
}
