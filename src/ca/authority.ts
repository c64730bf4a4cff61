// The authority of one trust domain: a root that everybody trusts, and an issuing CA that signs the
// leaves, so that the root's key signs a few times in its life. The issuing CA is replaced, under
// the same root, at half its life: then it always has more left than the longest leaf needs, and
// nobody has to learn anything. That goes by the clock, not by use: `renewIssuer`.
// `Authority` is the port that the rest sees; an outside CA can stand behind it, which is why
// issuing is asynchronous. The root itself is changed in stages, which the server paces
// (authority-material.ts).

import { type Cancel, timesOf } from '../base/index.js';
import type { KeyType, SpiffeId } from '../spiffe/index.js';
import {
  type CaRenewal,
  type CrlAuthority,
  INTERMEDIATE_LIFETIME_MS,
  issueCertificate,
  issueCrl,
  leafTemplate,
  periodFrom,
  planCaRenewal,
  toSerialHex,
} from '../x509/issue/index.js';
import { type KeyPair, sha256Hex } from '../x509/keys/index.js';
import {
  beginChange,
  type CaStep,
  endChange,
  signByOther,
  steerChange,
} from './authority-change.js';
import { AuthorityFacts, type AuthorityInfo, type RootChange } from './authority-facts.js';
import {
  type AuthorityMaterial,
  type AuthorityTools,
  type CaChain,
  type ChangeGoal,
  renewIssuer,
  toIssuers,
} from './authority-material.js';
import { CrossCertificate } from './cross-certificate.js';
import { mayBeInForce, requireInForce } from './in-force.js';

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
  /**
   * The holder's certificate signing request, DER, of the same key. An outside CA needs it, as it
   * wants the proof itself; names in it are the CA's to compare, ours are those above.
   */
  readonly csrDer?: Buffer;
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

export interface Authority {
  readonly trustDomain: string;
  /** The trust anchors, PEM. */
  readonly trustAnchorsPem: string;
  /**
   * A new leaf with a key of its own, validated.
   * @throws MeshError certificate-invalid; of an outside CA also outside-ca-unreachable,
   * outside-ca-refused and outside-ca-invalid.
   */
  issueLeaf(request: LeafRequest): Promise<Leaf>;
  /** A new leaf for a key that its holder keeps. @throws MeshError as `issueLeaf`. */
  certify(request: CertifyRequest): Promise<LeafCertificate>;
  /**
   * Whether a chain (leaf first, PEM) ends at a root of this authority and every signature holds.
   */
  vouchesFor(chainPem: string): boolean;
  /** Whether that root is the one that leaves are issued under now; else a new leaf is due. */
  isCurrent(chainPem: string): boolean;
  /** Undefined: an outside authority whose revocation lists we can't sign. */
  readonly crls?: CrlAuthority;
  /** Root first. */
  describe(): readonly AuthorityInfo[];
}

export interface LocalAuthorityTools extends AuthorityTools {
  /** Stores material durably; called before anything of it is used. */
  readonly save: (material: AuthorityMaterial) => Promise<void>;
  /** Whether the issuing CA is renewed: by one process at a time. */
  readonly renews: boolean;
}

/** The authority whose keys are in the data folder. */
export class LocalAuthority implements Authority {
  readonly trustDomain: string;
  readonly #tools: LocalAuthorityTools;
  #material: AuthorityMaterial;
  #facts: AuthorityFacts;
  readonly #cross: CrossCertificate;
  /** Stored, and about to be used. */
  #next: AuthorityMaterial | undefined;
  #changing: Promise<void> = Promise.resolve();
  readonly #preparations = new Set<() => Promise<void>>();

  constructor(material: AuthorityMaterial, tools: LocalAuthorityTools) {
    this.trustDomain = material.trustDomain;
    this.#material = material;
    this.#facts = new AuthorityFacts(material);
    this.#tools = tools;
    this.#cross = new CrossCertificate(tools.random);
  }

  get trustAnchorsPem(): string {
    return this.#facts.trustAnchorsPem;
  }

  readonly crls: CrlAuthority = {
    // Those of stored material, although it may not be in use yet.
    issuers: () => toIssuers(this.#next ?? this.#material).map(({ facts }) => facts),
    sign: async (request) =>
      toIssuers(this.#next ?? this.#material).map((issuer) => issueCrl(request, issuer)),
  };

  /** Each is awaited when there is a new issuing CA, before that signs its first leaf. */
  onNewIssuer(prepare: () => Promise<void>): Cancel {
    this.#preparations.add(prepare);
    return () => this.#preparations.delete(prepare);
  }

  async issueLeaf(request: LeafRequest): Promise<Leaf> {
    const keys = await this.#tools.keySource(request.key);
    const certificate = await this.#certify(request, keys.publicKeyDer, keys);
    return { ...certificate, keyType: request.key, keyPem: keys.privateKeyPem };
  }

  async certify(request: CertifyRequest): Promise<LeafCertificate> {
    return this.#certify(request, request.publicKeyDer, undefined);
  }

  vouchesFor(chainPem: string): boolean {
    return this.#facts.vouchesFor(chainPem);
  }

  isCurrent(chainPem: string): boolean {
    return this.#facts.isCurrent(chainPem);
  }

  describe(): readonly AuthorityInfo[] {
    return this.#facts.describe();
  }

  /** Whether the root's key is here, so that the issuing CA can be replaced. */
  get hasRootKey(): boolean {
    return this.#material.current.rootKeyPem !== undefined;
  }

  /** The change of root that is under way. */
  get change(): RootChange | undefined {
    return this.#facts.change;
  }

  /** See `AuthorityFacts`. */
  get currentIssuers(): readonly string[] {
    return this.#facts.currentIssuers;
  }

  /** Whether that chain is in force, or on its way. */
  has(chain: CaChain): boolean {
    return toCaChains(this.#material).some(({ issuer, root }) => {
      const isRoot = root.facts.der.equals(chain.root.facts.der);
      return isRoot && issuer.facts.der.equals(chain.issuer.facts.der);
    });
  }

  /**
   * Begins the change to another chain: its root is trusted from now on. Where that is the root in
   * force, only the issuing CA changes, at once.
   * @throws MeshError request-invalid where a change is under way, or nothing is to be prepared;
   * data-unwritable
   */
  async beginChange(next: CaChain, until: ChangeGoal = 'end'): Promise<void> {
    const { clock } = this.#tools;
    await this.#update((material) => beginChange(material, next, { clock, until }));
  }

  /** From `trust` to `sign`: that new root's chain signs. @throws MeshError data-unwritable */
  async signByNew(newRootSha256 = this.change?.newRootSha256 ?? ''): Promise<void> {
    const nowMs = this.#tools.clock.now();
    await this.#update((material) => signByOther(material, { newRootSha256, nowMs }));
  }

  /** From `sign` to the end: that root goes. @throws MeshError data-unwritable */
  async endChange(goingRootSha256 = this.change?.goingRootSha256 ?? ''): Promise<void> {
    await this.#update((material) => endChange(material, { goingRootSha256 }));
  }

  /** The operator's word on the change. @throws MeshError as `steerChange`; data-unwritable */
  async steer(step: CaStep): Promise<void> {
    await this.#update((material) => steerChange(material, step, this.#tools));
  }

  /**
   * Makes the next issuing CA where it is time to; whether it did. The one there is goes on
   * otherwise, also where this fails. @throws MeshError data-unwritable, data-unreadable
   */
  async renewIssuer(): Promise<boolean> {
    return planIssuer(this.#material, this.#tools) !== 'keep' && this.#renewIssuer();
  }

  async #certify(
    { spiffeId, dnsNames, ttlMs }: LeafNames,
    publicKeyDer: Buffer,
    keys: KeyPair | undefined,
  ): Promise<LeafCertificate> {
    if (planIssuer(this.#material, this.#tools) === 'needed') await this.#tryRenewIssuer();
    const { clock, random } = this.#tools;
    const { issuer, upperPem } = this.#material.current;
    const times = timesOf(clock);
    requireInForce(this.#material.current, times);
    const template = leafTemplate({
      serialHex: toSerialHex(random),
      publicKeyDer,
      times,
      spiffeId,
      dnsNames,
      ttlMs,
      issuer: issuer.facts,
    });
    const { facts, pem } = issueCertificate({
      template,
      keys,
      issuer,
      expected: { kind: 'workload', spiffeId, dnsNames, ...periodFrom(times, ttlMs) },
    });
    const { serialHex, notBeforeMs, notAfterMs } = facts;
    return {
      ...{ spiffeId, dnsNames, serialHex, notBeforeMs, notAfterMs },
      issuedAtMs: times.latestMs,
      chainPem: pem + issuer.pem + upperPem + this.#cross.pemFor(this.#material, notAfterMs),
    };
  }

  /** The present one may do, though not at each time that it may be. */
  async #tryRenewIssuer(): Promise<void> {
    try {
      await this.#renewIssuer();
    } catch (error) {
      const { facts } = this.#material.current.issuer;
      if (!mayBeInForce(facts, timesOf(this.#tools.clock))) throw error;
    }
  }

  /** Many may ask at once: one of them makes the issuing CA, all wait for it. */
  async #renewIssuer(): Promise<boolean> {
    const before = this.#material.current.issuer;
    await this.#update(async (material) =>
      planIssuer(this.#material, this.#tools) === 'keep'
        ? material
        : renewIssuer(material, this.#tools),
    );
    return this.#material.current.issuer !== before;
  }

  /** One change at a time, each stored before it is seen. */
  #update(
    change: (material: AuthorityMaterial) => AuthorityMaterial | Promise<AuthorityMaterial>,
  ): Promise<void> {
    const done = this.#changing.then(async () => {
      const next = await change(this.#material);
      if (next === this.#material) return;
      await this.#tools.save(next);
      try {
        this.#next = next;
        if (hasNewIssuer(this.#material, next)) await this.#prepareNewIssuer();
        this.#material = next;
        this.#facts = new AuthorityFacts(next);
      } finally {
        this.#next = undefined;
      }
    });
    this.#changing = done.catch(() => undefined);
    return done;
  }

  async #prepareNewIssuer(): Promise<void> {
    await Promise.all([...this.#preparations].map((prepare) => prepare()));
  }
}

function planIssuer(
  { current: { issuer, root, rootKeyPem } }: AuthorityMaterial,
  { renews, clock }: Pick<LocalAuthorityTools, 'renews' | 'clock'>,
): CaRenewal {
  // A brought issuing CA is replaced by whoever has its root.
  if (!renews || rootKeyPem === undefined) return 'keep';
  return planCaRenewal({
    present: issuer.facts,
    issuer: root.facts,
    times: timesOf(clock),
    lifetimeMs: INTERMEDIATE_LIFETIME_MS,
  });
}

function hasNewIssuer(old: AuthorityMaterial, next: AuthorityMaterial): boolean {
  const known = new Set(toIssuers(old).map(({ facts }) => sha256Hex(facts.der)));
  return toIssuers(next).some(({ facts }) => !known.has(sha256Hex(facts.der)));
}

/** The one that signs now first. */
function toCaChains({ current, change }: AuthorityMaterial): readonly CaChain[] {
  return change === undefined ? [current] : [current, change.other];
}
