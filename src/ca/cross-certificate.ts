// The new root of a change as signed by the old one: who trusts only the old root follows a new
// chain by it. It comes with leaves, and ends with them.

import { HOUR_MS, type Random } from '../base/index.js';
import { toTrustDomainId } from '../spiffe/index.js';
import { type Issued, issueCertificate, toIssuer, toSerialHex } from '../x509/issue/index.js';
import type { AuthorityMaterial, CaChain, CaChange } from './authority-material.js';

/** One certificate serves the leaves of an hour. */
const SPARE_MS = HOUR_MS;
const ALWAYS = {
  earliestBeginMs: Number.NEGATIVE_INFINITY,
  latestEndMs: Number.POSITIVE_INFINITY,
} as const;

/** That of the change under way, made anew where leaves end later. */
export class CrossCertificate {
  readonly #random: Random;
  #made: { readonly change: CaChange; readonly untilMs: number; readonly pem: string } | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** PEM for a leaf that ends then; empty where there is none. */
  pemFor(material: AuthorityMaterial, leafEndMs: number): string {
    const { change } = material;
    if (change === undefined) return '';
    if (this.#made?.change !== change || this.#made.untilMs < leafEndMs) {
      const untilMs = leafEndMs + SPARE_MS;
      const issued = issueCross({ material, untilMs, random: this.#random });
      this.#made = { change, untilMs, pem: issued?.pem ?? '' };
    }
    return this.#made.pem;
  }
}

/**
 * Whether the old root can sign the new one, so that who trusts only the old one can follow a new
 * chain up to it. Not where the old root's key is elsewhere, its path length allows too few, or it
 * has ended and leads nobody anywhere.
 */
export function canCross(old: CaChain, next: CaChain, nowMs: number): boolean {
  const allowed = old.root.facts.pathLength;
  if (old.rootKeyPem === undefined) return false;
  if (allowed !== undefined && allowed <= toPathLength(next)) return false;
  const { notBeforeMs, notAfterMs } = toCrossPeriod(old, next);
  return notAfterMs > Math.max(nowMs, notBeforeMs);
}

/**
 * The new root as a CA below the old one, until a time or until one of them ends. It comes with
 * leaves that end by then: a change that is taken back leaves nothing behind that leads from the
 * old root to the new one for longer than they. Undefined where it can't be had.
 */
function issueCross(options: {
  readonly material: AuthorityMaterial;
  readonly untilMs: number;
  readonly random: Random;
}): Issued | undefined {
  const { material, untilMs, random } = options;
  const { current: next, change, trustDomain } = material;
  if (change?.stage !== 'sign' || change.isBack || !change.hasCross) return undefined;
  const { other: old } = change;
  const { notBeforeMs, notAfterMs } = toCrossPeriod(old, next);
  const endMs = Math.min(untilMs, notAfterMs);
  if (old.rootKeyPem === undefined || endMs <= notBeforeMs) return undefined;
  const { facts } = next.root;
  const pathLength = toPathLength(next);
  const spiffeId = toTrustDomainId(trustDomain);
  return issueCertificate({
    template: {
      serialHex: toSerialHex(random),
      subject: [],
      subjectDer: facts.subjectDer,
      notBeforeMs,
      notAfterMs: endMs,
      publicKeyDer: facts.publicKeyDer,
      ...(facts.keyIdHex === undefined ? {} : { keyIdHex: facts.keyIdHex }),
      isCa: true,
      pathLength,
      keyUsage: ['keyCertSign', 'cRLSign'],
      extendedKeyUsage: [],
      uris: [spiffeId],
      dnsNames: [],
      ips: [],
    },
    keys: undefined,
    issuer: toIssuer(old.root, old.rootKeyPem),
    expected: { kind: 'authority', spiffeId, pathLength, ...ALWAYS },
  });
}

/** How many CAs stand below the new root. */
function toPathLength({ upperPem }: CaChain): number {
  return upperPem === '' ? 1 : 2;
}

function toCrossPeriod(old: CaChain, next: CaChain) {
  const [one, two] = [old.root.facts, next.root.facts];
  return {
    notBeforeMs: Math.max(one.notBeforeMs, two.notBeforeMs),
    notAfterMs: Math.min(one.notAfterMs, two.notAfterMs),
  };
}
