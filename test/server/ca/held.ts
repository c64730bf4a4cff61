// What a sidecar holds, read from the resources that it took, and whether two of them can talk: by
// signatures and times alone, not by what anybody calls current.
import { ANCHORS_SECRET, IDENTITY_SECRET } from '../../../src/translate/index.js';
import {
  type CertificateFacts,
  isSignedBy,
  readCertificate,
  splitPem,
} from '../../../src/x509/read/index.js';
import { type Resource, type Snapshot, TYPE_URLS } from '../../../src/xds/index.js';

export interface Held {
  /** Leaf first. */
  readonly chain: readonly CertificateFacts[];
  readonly anchors: readonly CertificateFacts[];
}

export function toHeld(snapshot: Snapshot): Held | undefined {
  const secrets = snapshot.get(TYPE_URLS.secret)?.resources;
  const [identity, anchors] = [IDENTITY_SECRET, ANCHORS_SECRET].map((name) => secrets?.get(name));
  if (identity === undefined || anchors === undefined) return undefined;
  return { chain: certificatesOf(identity), anchors: certificatesOf(anchors) };
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const known = new Map<string, readonly CertificateFacts[]>();

/** The message holds them as text. */
function certificatesOf({ value }: Resource): readonly CertificateFacts[] {
  const text = Buffer.from(value).toString('latin1').match(PEM)?.join('\n') ?? '';
  const found = known.get(text) ?? splitPem(text).map(readCertificate);
  known.set(text, found);
  return found;
}

/** Whether it holds a leaf that is in force. */
export function hasLeaf(held: Held | undefined, atMs: number): held is Held {
  return held?.chain[0] !== undefined && isInForce(held.chain[0], atMs);
}

/** Why a call between the two fails; undefined: it works, or one of them has no leaf in force. */
export function verifies(
  caller: Held | undefined,
  callee: Held | undefined,
  atMs: number,
): string | undefined {
  if (!hasLeaf(caller, atMs) || !hasLeaf(callee, atMs)) return undefined;
  if (!isTrusted(callee.chain, caller.anchors, atMs)) return 'the caller refuses the callee';
  if (!isTrusted(caller.chain, callee.anchors, atMs)) return 'the callee refuses the caller';
  return undefined;
}

/** Each step is a certificate that is in force and signed by the next. */
export function isTrusted(
  chain: readonly CertificateFacts[],
  anchors: readonly CertificateFacts[],
  atMs: number,
): boolean {
  const [leaf, ...above] = chain;
  const walk = (at: CertificateFacts, left: readonly CertificateFacts[]): boolean => {
    if (!isInForce(at, atMs)) return false;
    if (anchors.some((anchor) => isInForce(anchor, atMs) && isSignedBy(at, anchor))) return true;
    return left.some(
      (next) =>
        isSignedBy(at, next) &&
        walk(
          next,
          left.filter((one) => one !== next),
        ),
    );
  };
  return leaf !== undefined && walk(leaf, above);
}

function isInForce({ notBeforeMs, notAfterMs }: CertificateFacts, atMs: number): boolean {
  return atMs >= notBeforeMs && atMs < notAfterMs;
}
