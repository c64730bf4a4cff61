// What an authority is made of: a root and an intermediate, each a certificate with its key. Made
// here, and judged here when it comes back from the disk; who stores and uses it is not this file's
// matter.
import type { Clock, Random } from '../base/index.js';
import { type Issuer, issueCertificate, periodFrom, toIssuer } from './issue.js';
import type { KeySource, KeyType } from './keys.js';
import { toTrustDomainId } from './spiffe-id.js';
import {
  INTERMEDIATE_LIFETIME_MS,
  intermediateTemplate,
  ROOT_LIFETIME_MS,
  rootTemplate,
  toSerialHex,
} from './template.js';
import { certificateProblems, type Expectation } from './validate.js';

export interface AuthorityTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly keySource: KeySource;
}

/** What an authority consists of. */
export interface AuthorityMaterial {
  readonly trustDomain: string;
  readonly root: Issuer;
  readonly intermediate: Issuer;
}

const AUTHORITY_KEY: KeyType = 'ecdsa-p256';

/** A new root and intermediate; nothing is stored. */
export async function createMaterial(
  trustDomain: string,
  tools: AuthorityTools,
): Promise<AuthorityMaterial> {
  const trustDomainId = toTrustDomainId(trustDomain);
  const nowMs = tools.clock.now();
  const keys = await tools.keySource(AUTHORITY_KEY);
  const issued = issueCertificate({
    template: rootTemplate({
      serialHex: toSerialHex(tools.random),
      publicKeyDer: keys.publicKeyDer,
      nowMs,
      trustDomainId,
    }),
    keys,
    issuer: 'self',
    expected: {
      kind: 'authority',
      spiffeId: trustDomainId,
      dnsNames: [],
      pathLength: 1,
      ...periodFrom(nowMs, ROOT_LIFETIME_MS),
    },
  });
  const root = toIssuer(issued, keys.privateKeyPem);
  return { trustDomain, root, intermediate: await createIntermediate(trustDomain, root, tools) };
}

/** A new intermediate under the root; nothing is stored. */
export async function createIntermediate(
  trustDomain: string,
  root: Issuer,
  tools: AuthorityTools,
): Promise<Issuer> {
  const trustDomainId = toTrustDomainId(trustDomain);
  const nowMs = tools.clock.now();
  const keys = await tools.keySource(AUTHORITY_KEY);
  const issued = issueCertificate({
    template: intermediateTemplate({
      serialHex: toSerialHex(tools.random),
      publicKeyDer: keys.publicKeyDer,
      nowMs,
      trustDomainId,
      issuer: root.facts,
    }),
    keys,
    issuer: root,
    expected: {
      kind: 'authority',
      spiffeId: trustDomainId,
      dnsNames: [],
      pathLength: 0,
      ...periodFrom(nowMs, INTERMEDIATE_LIFETIME_MS),
    },
  });
  return toIssuer(issued, keys.privateKeyPem);
}

/** What is wrong with stored material at `nowMs`; none where it can be used. */
export function materialProblems(material: AuthorityMaterial, nowMs: number): readonly string[] {
  const { root, intermediate } = material;
  const expected = {
    kind: 'authority',
    spiffeId: toTrustDomainId(material.trustDomain),
    dnsNames: [],
    earliestBeginMs: Number.NEGATIVE_INFINITY,
    latestEndMs: Number.POSITIVE_INFINITY,
  } as const;
  const found = [
    ...judge(root, root, { ...expected, pathLength: 1 }).map((text) => `root: ${text}`),
    ...judge(intermediate, root, { ...expected, pathLength: 0 }).map((t) => `intermediate: ${t}`),
  ];
  if (root.facts.notAfterMs <= nowMs) {
    found.push(
      `root: expected one in force but it ended ${new Date(root.facts.notAfterMs).toISOString()}`,
    );
  }
  return found;
}

function judge(issuer: Issuer, above: Issuer, expected: Expectation): readonly string[] {
  const { facts, privateKeyPem } = issuer;
  return certificateProblems({ facts, issuer: above.facts, privateKeyPem, expected });
}
