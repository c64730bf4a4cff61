// When what stands above a leaf ends: the issuers in its chain, and the root at which that ends.
// Thousands of leaves share one chain above them: what was read once is remembered.
import { type CertificateFacts, readCertificate, splitPem } from './certificate-reader.js';
import { isSignedBy } from './signed-by.js';

/** Ms since the epoch. */
export interface Period {
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
}

export interface ChainEnds {
  /** Of the issuers between leaf and root, the one that ends first. */
  readonly issuer: Period | undefined;
  /** Undefined where no anchor is above the chain. */
  readonly root: Period | undefined;
}

const BEGIN = '-----BEGIN CERTIFICATE-----';
const MAX_REMEMBERED = 1_000;

/** Reads chains by the anchors of one time; not for judging them (`vouchesFor` does). */
export class ChainReader {
  readonly #anchors: readonly CertificateFacts[];
  readonly #known = new Map<string, ChainEnds>();

  /** @throws MeshError certificate-invalid */
  constructor(readonly anchorsPem: string) {
    this.#anchors = splitPem(anchorsPem).map(readCertificate);
  }

  /** Of every anchor. */
  get anchors(): readonly Period[] {
    return this.#anchors.map(toPeriod);
  }

  /** @param chainPem Leaf first. @throws MeshError certificate-invalid */
  read(chainPem: string): ChainEnds {
    const above = chainPem.indexOf(BEGIN, BEGIN.length);
    // A leaf right under the root says only itself who its issuer is.
    const key = above === -1 ? chainPem : chainPem.slice(above);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const read = this.#toEnds(splitPem(key).map(readCertificate), above !== -1);
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, read);
    return read;
  }

  /**
   * A new root that the old one has signed stands in the chain too: of the ways from the leaf to
   * an anchor, the one that lasts longest is what verifiers are left with.
   */
  #toEnds(chain: readonly CertificateFacts[], areIssuers: boolean): ChainEnds {
    const ways = chain.flatMap((last, i) => {
      const roots = this.#anchors.filter((anchor) => isUnder(last, anchor));
      const issuers = areIssuers ? chain.slice(0, i + 1) : [];
      return roots.map((root) => toWay(issuers, root));
    });
    return ways.sort((a, b) => endOf(b) - endOf(a))[0] ?? { issuer: undefined, root: undefined };
  }
}

function toWay(issuers: readonly CertificateFacts[], root: CertificateFacts): ChainEnds {
  const below = issuers.filter((facts) => !isSame(facts, root)).map(toPeriod);
  const [issuer] = below.sort((a, b) => a.endsAtMs - b.endsAtMs);
  return { issuer, root: toPeriod(root) };
}

function endOf({ issuer, root }: ChainEnds): number {
  const endless = Number.POSITIVE_INFINITY;
  return Math.min(issuer?.endsAtMs ?? endless, root?.endsAtMs ?? endless);
}

/** Of each certificate, in order. @throws MeshError certificate-invalid */
export function readPeriods(pem: string): readonly Period[] {
  return splitPem(pem).map(readCertificate).map(toPeriod);
}

/** Signed by the anchor, or the anchor itself. */
function isUnder(facts: CertificateFacts, anchor: CertificateFacts): boolean {
  return isSame(facts, anchor) || isSignedBy(facts, anchor);
}

function isSame(facts: CertificateFacts, other: CertificateFacts): boolean {
  return facts.der.equals(other.der);
}

function toPeriod({ notBeforeMs, notAfterMs }: CertificateFacts): Period {
  return { beginsAtMs: notBeforeMs, endsAtMs: notAfterMs };
}
