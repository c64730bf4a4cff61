// The entries of a rule's `from`: who they name, and whom they match.
import {
  isWorkloadId,
  isWorkloadIdPrefix,
  namespacePrefix,
  trustDomainPrefix,
} from '../spiffe/index.js';
import type { Caller, ServiceName } from './model.js';
import { LABEL, tryNameParts } from './names.js';
import { expected, type Parsed, parsed } from './parsed.js';

/** A Caller before the SPIFFE ID of its service is known. */
export type CallerText =
  | Exclude<Caller, { readonly kind: 'service' }>
  | { readonly kind: 'service'; readonly service: ServiceName };

const WHAT = 'a service, "namespace/*", "*", "spiffe://…" or anyone';

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
  // A star before the trust domain's slash would cross domains.
  const id = prefix ? text.slice(0, -1) : text;
  if (prefix ? isWorkloadIdPrefix(id) : isWorkloadId(id))
    return parsed({ kind: 'spiffe', id, prefix });
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
      return spiffeId.startsWith(trustDomainPrefix(trustDomain));
    case 'namespace':
      return spiffeId.startsWith(namespacePrefix(trustDomain, caller.namespace));
    case 'service':
      return spiffeId === caller.spiffeId;
    case 'spiffe':
      return caller.prefix ? spiffeId.startsWith(caller.id) : spiffeId === caller.id;
  }
}
