// What everybody may know of an authority, from its certificates alone: commands show it without
// the passphrase of its keys.

import type { Issued } from '../x509/issue/index.js';
import { sha256Hex } from '../x509/keys/index.js';
import type { CertificateFacts } from '../x509/read/index.js';
import { isSignedBy, readCertificate, splitPem } from '../x509/read/index.js';
import type { CaChange } from './authority-material.js';

/** One certificate of an authority, for people. */
export interface AuthorityInfo {
  readonly kind: 'root' | 'intermediate';
  readonly subject: string;
  readonly serialHex: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** `ec prime256v1`, `rsa 2048`. */
  readonly keyType: string;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprintSha256: string;
}

/** How a change of root stands. */
export interface RootChange extends Steps {
  /** SHA-256 of the roots' certificates, lower-case hex. */
  readonly oldRootSha256: string;
  readonly newRootSha256: string;
  /** The one of the two that goes at the end. */
  readonly goingRootSha256: string;
}

type Steps = Omit<CaChange, 'other'>;

/** Of a CA chain, what its certificates say. */
export interface PublicChain {
  readonly root: Issued;
  readonly issuer: Issued;
}

export interface PublicMaterial {
  readonly trustDomain: string;
  readonly current: PublicChain;
  /** CAs that issued before. */
  readonly retired: readonly { readonly issuer: Issued }[];
  readonly change: (Steps & { readonly other: PublicChain }) | undefined;
}

/** Leaf, issuing CA, what is between it and the root, a root signed by an older one. */
const LONGEST_CHAIN = 8;

export class AuthorityFacts {
  readonly #material: PublicMaterial;

  constructor(material: PublicMaterial) {
    this.#material = material;
  }

  get trustDomain(): string {
    return this.#material.trustDomain;
  }

  /** The trust anchors, PEM; that of the root which signs now first. */
  get trustAnchorsPem(): string {
    return toRoots(this.#material)
      .map(({ pem }) => pem)
      .join('');
  }

  /** The change of root that is under way. */
  get change(): RootChange | undefined {
    const { current, change } = this.#material;
    if (change === undefined) return undefined;
    const { other, ...steps } = change;
    const { stage, isBack } = steps;
    const [signing = '', second = ''] = [current, other].map(({ root }) => {
      return sha256Hex(root.facts.der);
    });
    const isOldSigning = stage === 'trust' || isBack;
    const [oldRootSha256, newRootSha256] = isOldSigning ? [signing, second] : [second, signing];
    return {
      ...steps,
      ...{ oldRootSha256, newRootSha256 },
      goingRootSha256: isBack ? newRootSha256 : oldRootSha256,
    };
  }

  /**
   * SHA-256 of the CAs below the root that signs now whose leaves may be in force: what one of them
   * issued is of that root, whenever that was.
   */
  get currentIssuers(): readonly string[] {
    const { current, retired } = this.#material;
    const older = retired.filter(({ issuer }) => isSignedBy(issuer.facts, current.root.facts));
    return [current, ...older].map(({ issuer }) => sha256Hex(issuer.facts.der));
  }

  /** Root first. */
  describe(): readonly AuthorityInfo[] {
    const { current, change } = this.#material;
    const chains = change === undefined ? [current] : [current, change.other];
    return chains.flatMap(({ root, issuer }) => [
      toInfo('root', root),
      toInfo('intermediate', issuer),
    ]);
  }

  /** See `Authority`. */
  vouchesFor(chainPem: string): boolean {
    return this.#rootOf(chainPem) !== undefined;
  }

  /** See `Authority`. */
  isCurrent(chainPem: string): boolean {
    return this.#rootOf(chainPem) === this.#material.current.root;
  }

  /** The trusted root that a chain (leaf first) leads to; the one that signs now where it may. */
  #rootOf(chainPem: string): Issued | undefined {
    const chain = splitPem(chainPem).map(readCertificate);
    const roots = toRoots(this.#material);
    let [at] = chain;
    for (let step = 0; at !== undefined && step < LONGEST_CHAIN; step++) {
      const facts: CertificateFacts = at;
      const root = roots.find((one) => isSignedBy(facts, one.facts));
      if (root !== undefined) return root;
      at = chain.find((one) => one !== facts && isSignedBy(facts, one));
    }
    return undefined;
  }
}

/** The roots that everybody trusts, the one that signs now first. */
function toRoots({ current, change }: PublicMaterial): readonly Issued[] {
  return change === undefined ? [current.root] : [current.root, change.other.root];
}

/** One certificate of an authority, for people. */
export function toInfo(
  kind: AuthorityInfo['kind'],
  { facts }: Pick<Issued, 'facts'>,
): AuthorityInfo {
  const { publicKey, subject } = facts.x509;
  const details = publicKey.asymmetricKeyDetails;
  return {
    kind,
    subject: subject.replaceAll('\n', ', '),
    serialHex: facts.serialHex,
    notBeforeMs: facts.notBeforeMs,
    notAfterMs: facts.notAfterMs,
    keyType: `${publicKey.asymmetricKeyType} ${details?.namedCurve ?? details?.modulusLength}`,
    fingerprintSha256: sha256Hex(facts.der),
  };
}
