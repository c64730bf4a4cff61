// The authority of one trust domain: a root that peers trust, and an issuing intermediate that
// signs the leaves, so that the root's key signs a few times in its life. The intermediate is
// replaced, under the same root, at half its life: then it always has more left than the longest
// leaf needs, and no peer has to learn anything. `Authority` is the port that the rest sees; an
// outside CA can stand behind it, which is why issuing is asynchronous.
import {
  type AuthorityMaterial,
  type AuthorityTools,
  createIntermediate,
} from './authority-material.js';
import { type CertificateFacts, readCertificate, splitPem } from './certificate-reader.js';
import { type Issuer, issueCertificate, periodFrom } from './issue.js';
import { type KeyPair, type KeyType, sha256Hex } from './keys.js';
import type { SpiffeId } from './spiffe-id.js';
import { leafTemplate, toSerialHex } from './template.js';

/** What a leaf shall say. */
export interface LeafNames {
  readonly spiffeId: SpiffeId;
  readonly dnsNames: readonly string[];
  /** At least 1 s; the leaf ends earlier where its issuer does. */
  readonly ttlMs: number;
}

export interface LeafRequest extends LeafNames {
  readonly key: KeyType;
}

export interface CertifyRequest extends LeafNames {
  /**
   * SubjectPublicKeyInfo, DER, of a key that somebody else holds: that they do must have been
   * proved.
   */
  readonly publicKeyDer: Buffer;
}

/** A workload's certificate. All times in ms since the epoch. */
export interface LeafCertificate {
  readonly spiffeId: SpiffeId;
  readonly dnsNames: readonly string[];
  readonly serialHex: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly issuedAtMs: number;
  /** The leaf first, then its intermediate; without the root. */
  readonly chainPem: string;
}

/** A workload's key and certificate. */
export interface Leaf extends LeafCertificate {
  readonly keyType: KeyType;
  /** PKCS #8. Never logged. */
  readonly keyPem: string;
}

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

export interface Authority {
  readonly trustDomain: string;
  /** The roots that peers must trust, PEM. */
  readonly trustAnchorsPem: string;
  /** A new leaf with a key of its own, validated. @throws MeshError certificate-invalid */
  issueLeaf(request: LeafRequest): Promise<Leaf>;
  /** A new leaf for a key that its holder keeps. @throws MeshError certificate-invalid */
  certify(request: CertifyRequest): Promise<LeafCertificate>;
  /**
   * Whether a chain (leaf first, PEM) ends at a root of this authority and every signature holds.
   */
  vouchesFor(chainPem: string): boolean;
  /** Root first. */
  describe(): readonly AuthorityInfo[];
}

/** Share of an intermediate's life after which the next one is made. */
const INTERMEDIATE_RENEW_AT = 0.5;

export class LocalAuthority implements Authority {
  readonly trustDomain: string;
  readonly trustAnchorsPem: string;
  readonly #tools: AuthorityTools;
  readonly #save: (material: AuthorityMaterial) => Promise<void>;
  #material: AuthorityMaterial;
  #renewing: Promise<void> | undefined;

  /** @param save Stores material durably; called before a new intermediate signs anything. */
  constructor(
    material: AuthorityMaterial,
    tools: AuthorityTools,
    save: (material: AuthorityMaterial) => Promise<void>,
  ) {
    this.trustDomain = material.trustDomain;
    this.trustAnchorsPem = material.root.pem;
    this.#material = material;
    this.#tools = tools;
    this.#save = save;
  }

  async issueLeaf(request: LeafRequest): Promise<Leaf> {
    const keys = await this.#tools.keySource(request.key);
    const certificate = await this.#certify(request, keys.publicKeyDer, keys);
    return { ...certificate, keyType: request.key, keyPem: keys.privateKeyPem };
  }

  async certify(request: CertifyRequest): Promise<LeafCertificate> {
    return this.#certify(request, request.publicKeyDer, undefined);
  }

  async #certify(
    { spiffeId, dnsNames, ttlMs }: LeafNames,
    publicKeyDer: Buffer,
    keys: KeyPair | undefined,
  ): Promise<LeafCertificate> {
    await this.#renewIntermediate();
    const { clock, random } = this.#tools;
    const { intermediate } = this.#material;
    const nowMs = clock.now();
    const template = leafTemplate({
      serialHex: toSerialHex(random),
      publicKeyDer,
      nowMs,
      spiffeId,
      dnsNames,
      ttlMs,
      issuer: intermediate.facts,
    });
    const { facts, pem } = issueCertificate({
      template,
      keys,
      issuer: intermediate,
      expected: { kind: 'workload', spiffeId, dnsNames, ...periodFrom(nowMs, ttlMs) },
    });
    return {
      spiffeId,
      dnsNames,
      serialHex: facts.serialHex,
      notBeforeMs: facts.notBeforeMs,
      notAfterMs: facts.notAfterMs,
      issuedAtMs: nowMs,
      chainPem: pem + intermediate.pem,
    };
  }

  vouchesFor(chainPem: string): boolean {
    const chain = splitPem(chainPem).map(readCertificate);
    const links = [...chain, this.#material.root.facts];
    return chain.every((facts, i) => isIssuedBy(facts, links[i + 1]));
  }

  describe(): readonly AuthorityInfo[] {
    const { root, intermediate } = this.#material;
    return [toInfo('root', root), toInfo('intermediate', intermediate)];
  }

  async #renewIntermediate(): Promise<void> {
    const { notBeforeMs, notAfterMs } = this.#material.intermediate.facts;
    const renewAtMs = notBeforeMs + (notAfterMs - notBeforeMs) * INTERMEDIATE_RENEW_AT;
    if (this.#tools.clock.now() < renewAtMs) return;
    // Many leaves may be asked for at once: one of them makes the intermediate, all wait for it.
    this.#renewing ??= this.#replaceIntermediate().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  async #replaceIntermediate(): Promise<void> {
    const { trustDomain, root } = this.#material;
    const intermediate = await createIntermediate(trustDomain, root, this.#tools);
    const material = { trustDomain, root, intermediate };
    await this.#save(material);
    this.#material = material;
  }
}

function isIssuedBy(facts: CertificateFacts, issuer: CertificateFacts | undefined): boolean {
  if (issuer === undefined || !issuer.isCa) return false;
  return facts.issuerDer.equals(issuer.subjectDer) && facts.x509.verify(issuer.x509.publicKey);
}

function toInfo(kind: AuthorityInfo['kind'], { facts }: Issuer): AuthorityInfo {
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
