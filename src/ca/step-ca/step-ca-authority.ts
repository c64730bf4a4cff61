// step-ca (github.com/smallstep/certificates) behind the `Authority` port. The mesh's trust anchors
// are the roots that mesh.yaml names; who may ask for which name is decided here, by a token that
// we sign for each certificate, and nothing that comes back is used before `chain.ts` found it to
// be what was asked for. Keys are made here and never sent: the CA sees a CSR.

import { createHash } from 'node:crypto';
import { type Clock, MeshError, type Random, SECOND_MS, toRfc3339 } from '../../base/index.js';
import { createCsr, toCsrPem } from '../../x509/issue/index.js';
import { generateKeys, type KeySource, sha256Hex } from '../../x509/keys/index.js';
import {
  type CertificateFacts,
  readCertificate,
  splitPem,
  toCommonName,
  toPem,
} from '../../x509/read/index.js';
import {
  type Authority,
  type AuthorityInfo,
  type CertifyRequest,
  type Leaf,
  type LeafCertificate,
  type LeafNames,
  type LeafRequest,
  toInfo,
} from '../index.js';
import { assertOutsideLeaf, endsAt, readOutsideChain } from './chain.js';
import { SIGN_PATH, StepCaClient } from './client.js';
import { signOneTimeToken } from './one-time-token.js';
import type { ProvisionerKey } from './provisioner-key.js';
import type { Roots } from './settings.js';

export interface StepCaAuthorityOptions {
  readonly trustDomain: string;
  /** `https://host:port`. */
  readonly url: string;
  readonly roots: Roots;
  /** Name of a JWK provisioner. */
  readonly provisioner: string;
  /** Its key, asked for once a certificate. @throws MeshError outside-ca-invalid */
  readonly provisionerKey: () => Promise<ProvisionerKey>;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: `generateKeys`. */
  readonly keySource?: KeySource;
}

const TOKEN_ID_BYTES = 32;

interface Order extends LeafNames {
  readonly publicKeyDer: Buffer;
  readonly privateKeyPem: string | undefined;
  readonly csrDer: Buffer;
}

export class StepCaAuthority implements Authority {
  readonly trustDomain: string;
  readonly trustAnchorsPem: string;
  readonly #options: StepCaAuthorityOptions;
  readonly #client: StepCaClient;
  /** Above the last leaf, its issuer first; none before the first. */
  #issuers: readonly CertificateFacts[] = [];

  constructor(options: StepCaAuthorityOptions) {
    const { trustDomain, url, roots, clock } = options;
    this.trustDomain = trustDomain;
    this.trustAnchorsPem = roots.pem;
    this.#options = options;
    this.#client = new StepCaClient({ url, rootsPem: roots.pem, clock });
  }

  async issueLeaf(request: LeafRequest): Promise<Leaf> {
    const { keySource = generateKeys } = this.#options;
    const { spiffeId, dnsNames, ttlMs, key } = request;
    const keys = await keySource(key);
    const csrDer = createCsr({ keys, uris: [spiffeId], dnsNames });
    const certificate = await this.#order({ spiffeId, dnsNames, ttlMs, csrDer, ...keys });
    return { ...certificate, keyType: key, keyPem: keys.privateKeyPem };
  }

  async certify(request: CertifyRequest): Promise<LeafCertificate> {
    const { spiffeId, dnsNames, ttlMs, publicKeyDer, csrDer } = request;
    if (csrDer === undefined) {
      throw new MeshError(
        'outside-ca-refused',
        'expected a certificate signing request of the key but got only the key',
        { hint: 'step-ca wants the proof itself: send a CSR' },
      );
    }
    const names = { spiffeId, dnsNames, ttlMs };
    return this.#order({ ...names, csrDer, publicKeyDer, privateKeyPem: undefined });
  }

  vouchesFor(chainPem: string): boolean {
    return endsAt(this.#options.roots.facts, splitPem(chainPem).map(readCertificate));
  }

  /** While the CA changes its root it may sign under either: leaves move on as they are renewed. */
  isCurrent(chainPem: string): boolean {
    return this.vouchesFor(chainPem);
  }

  describe(): readonly AuthorityInfo[] {
    const roots = this.#options.roots.facts.map((facts) => toInfo('root', { facts }));
    return [
      ...roots,
      ...this.#issuers.toReversed().map((facts) => toInfo('intermediate', { facts })),
    ];
  }

  /** Gives connections back. */
  close(): void {
    this.#client.close();
  }

  async #order(order: Order): Promise<LeafCertificate> {
    const notAfter = this.#toNotAfter(order.ttlMs);
    try {
      return await this.#attempt(order, notAfter);
    } catch (error) {
      // The first answer of an issuer that ends soon shows how long a leaf can last at most.
      const next = this.#toNotAfter(order.ttlMs);
      const isInvalid = error instanceof MeshError && error.code === 'certificate-invalid';
      if (!isInvalid || next === notAfter) throw error;
      return this.#attempt(order, next);
    }
  }

  async #attempt(order: Order, notAfter: string): Promise<LeafCertificate> {
    const { trustDomain, clock, roots } = this.#options;
    const { spiffeId, dnsNames, csrDer } = order;
    const token = await this.#signToken(order);
    const answer = await this.#client.sign({ csrPem: toCsrPem(csrDer), token, notAfter });
    const nowMs = clock.now();
    const chain = readOutsideChain(answer, { trustDomain, roots: roots.facts, nowMs });
    this.#issuers = chain.issuers;
    assertOutsideLeaf(chain, { ...order, nowMs });
    const { serialHex, notBeforeMs, notAfterMs } = chain.leaf;
    return {
      spiffeId,
      dnsNames,
      serialHex,
      notBeforeMs,
      notAfterMs,
      // A CA whose clock runs ahead gives a later end: renewal counts from the begin that fits it.
      issuedAtMs: Math.max(nowMs, notAfterMs - order.ttlMs),
      chainPem: [chain.leaf, ...chain.issuers].map(({ der }) => toPem(der)).join(''),
    };
  }

  /**
   * A duration: the CA counts it from its own clock, as it does its limits. But no leaf outlives
   * its issuer, and step-ca would issue one that does: then the issuer's end.
   */
  #toNotAfter(ttlMs: number): string {
    const endMs = Math.min(...this.#issuers.map(({ notAfterMs }) => notAfterMs));
    const isCut = endMs < this.#options.clock.now() + ttlMs;
    return isCut ? toRfc3339(endMs) : `${Math.floor(ttlMs / SECOND_MS)}s`;
  }

  async #signToken({ spiffeId, dnsNames, csrDer }: Order): Promise<string> {
    const { url, provisioner, provisionerKey, roots, clock, random } = this.#options;
    const [root] = roots.facts;
    return signOneTimeToken(
      {
        provisioner,
        audience: `${url}${SIGN_PATH}`,
        subject: toCommonName(spiffeId),
        spiffeId,
        dnsNames,
        csrDigest: createHash('sha256').update(csrDer).digest(),
        rootFingerprint: root === undefined ? '' : sha256Hex(root.der),
        nowMs: clock.now(),
        id: random.bytes(TOKEN_ID_BYTES).toString('hex'),
      },
      await provisionerKey(),
    );
  }
}
