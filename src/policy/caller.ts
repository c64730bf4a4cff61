// The entries of a rule's `from`: who they name, and whom they match.
import type { Caller, ServiceName } from './model.js';
import { LABEL, namespacePrefix, tryNameParts } from './names.js';
import { expected, type Parsed, parsed } from './parsed.js';

/** A Caller before the SPIFFE ID of its service is known. */
export type CallerText =
  | Exclude<Caller, { readonly kind: 'service' }>
  | { readonly kind: 'service'; readonly service: ServiceName };

const WHAT = 'a service, "namespace/*", "*", "spiffe://…" or anyone';
/**
 * SPIFFE-ID section 2: a trust domain, then segments without empty ones, without a slash at the
 * end.
 */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)+$/;
/**
 * The same up to a star, which stands after the trust domain's slash: else it would cross
 * domains.
 */
const SPIFFE_PREFIX = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)*\/[A-Za-z0-9._-]*$/;
/** SPIFFE-ID section 2.3. */
const SPIFFE_ID_LIMIT = 2048;

export function tryCaller(text: string): Parsed<CallerText> {
  if (text === 'anyone') return parsed({ kind: 'anyone' });
  if (text === '*') return parsed({ kind: 'mesh' });
  if (text.startsWith('dns:'))
    return { ok: false, refused: '"dns:…" in from is not supported yet' };
  if (text.startsWith('spiffe:')) return trySpiffe(text);
  if (text.endsWith('/*')) {
    const namespace = text.slice(0, -2);
    return LABEL.test(namespace) ? parsed({ kind: 'namespace', namespace }) : expected(WHAT);
  }
  const name = tryNameParts(text);
  if (!name.ok) {
    const hint = 'expected' in name && !text.includes('*') ? name.hint : undefined;
    return expected(WHAT, hint);
  }
  return parsed({ kind: 'service', service: name.value.name });
}

function trySpiffe(text: string): Parsed<CallerText> {
  const prefix = text.endsWith('*');
  const id = prefix ? text.slice(0, -1) : text;
  const fits = (prefix ? SPIFFE_PREFIX : SPIFFE_ID).test(id) && id.length <= SPIFFE_ID_LIMIT;
  const dots = id.split('/').some((segment) => segment === '.' || segment === '..');
  if (fits && !dots) return parsed({ kind: 'spiffe', id, prefix });
  return expected(
    'a SPIFFE ID with a path, "*" only at its end and after the trust domain\'s slash',
  );
}

/** Whether the entry needs no identity. */
export function isAnyone(caller: Caller): boolean {
  return caller.kind === 'anyone';
}

export interface WhoCalls {
  /** Undefined: a caller without identity (plain text, or no client certificate). */
  readonly spiffeId: string | undefined;
  /** The mesh's own: `*` and `namespace/*` mean only its identities. */
  readonly trustDomain: string;
}

/** Whether one entry of `from` matches (MODEL.md "Access"). */
export function callerMatches(caller: Caller, { spiffeId, trustDomain }: WhoCalls): boolean {
  if (caller.kind === 'anyone') return true;
  if (spiffeId === undefined) return false;
  switch (caller.kind) {
    case 'mesh':
      return spiffeId.startsWith(`spiffe://${trustDomain}/`);
    case 'namespace':
      return spiffeId.startsWith(namespacePrefix(trustDomain, caller.namespace));
    case 'service':
      return spiffeId === caller.spiffeId;
    case 'spiffe':
      return caller.prefix ? spiffeId.startsWith(caller.id) : spiffeId === caller.id;
  }
}
