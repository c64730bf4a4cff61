// `nodeIssuers`: whose JWTs sidecars may show instead of our own tokens, and which service each
// token is.
import { z } from 'zod';
import { tryClaimPattern } from './claim-pattern.js';
import type { NodeIssuerKeys, TokenAlgorithm } from './model.js';
import { tryNameParts } from './names.js';
import { expected, type Parsed, parsed } from './parsed.js';
import { list, oneOf, text } from './schema-parts.js';

/** Signatures by public keys (RFC 7518 3.1, RFC 8037). HMAC would make each verifier an issuer. */
export const TOKEN_ALGORITHMS: readonly TokenAlgorithm[] = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
];
export const DEFAULT_ALGORITHMS: readonly TokenAlgorithm[] = [
  ...(['RS256', 'ES256', 'ES384', 'PS256', 'EdDSA'] as const),
];

/** The `iss` of our own tokens. */
const OURS = 'countersign';
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const KEYS = 'a file or an https URL';

function tryIssuer(input: string): Parsed<string> {
  if (input === OURS) return expected('an issuer other than countersign, which needs no entry');
  return input === '' ? expected('an issuer') : parsed(input);
}

function tryKeys(input: string): Parsed<NodeIssuerKeys> {
  if (input === '') return expected(KEYS);
  if (!SCHEME.test(input)) return parsed({ kind: 'file', path: input });
  return isHttps(input) ? parsed({ kind: 'url', url: input }) : expected(KEYS);
}

/** An https URL without a password in it, which messages would show. */
export function isHttps(input: string): boolean {
  if (!URL.canParse(input)) return false;
  const { protocol, username, password, hash } = new URL(input);
  return protocol === 'https:' && username === '' && password === '' && hash === '';
}

function named(what: string) {
  return text(what, (input) => (input === '' ? expected(what) : parsed(input)));
}

const issuerNodeSchema = z.strictObject(
  {
    service: text('a service name', (input) => {
      const parts = tryNameParts(input);
      return parts.ok ? parsed(parts.value.name) : parts;
    }),
    claims: z
      .record(z.string(), text('text to compare a claim with', tryClaimPattern), {
        error: 'a map from claim to value',
      })
      .refine((claims) => Object.keys(claims).length > 0, { error: 'at least one claim' }),
    instance: named('the name of a claim').optional(),
    addresses: named('the name of a claim').optional(),
  },
  { error: 'a map of service and claims' },
);

const issuerSchema = z.strictObject(
  {
    issuer: text('an issuer', tryIssuer),
    audiences: list(named('an audience'), 'audiences'),
    jwks: text(KEYS, tryKeys).optional(),
    algorithms: list(oneOf(TOKEN_ALGORITHMS), 'algorithms').optional(),
    nodes: list(issuerNodeSchema, 'nodes'),
  },
  { error: 'a map of an issuer' },
);

export const issuersSchema = list(issuerSchema, 'issuers');
export type IssuerText = z.output<typeof issuerSchema>;

export const ISSUER_KEYS = Object.keys(issuerSchema.shape);
export const ISSUER_NODE_KEYS = Object.keys(issuerNodeSchema.shape);
