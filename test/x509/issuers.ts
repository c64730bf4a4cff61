// Lines of CAs with keys of a given type each: what our own authority makes, and what somebody may
// bring.
import { systemRandom } from '../../src/base/index.js';
import { type KeyType, toSpiffeId, toTrustDomainId } from '../../src/spiffe/index.js';
import {
  caPeriodFrom,
  type Issuer,
  issueCertificate,
  leafTemplate,
  periodFrom,
  toIssuer,
  toSerialHex,
} from '../../src/x509/issue/index.js';
import {
  INTERMEDIATE_LIFETIME_MS,
  intermediateTemplate,
  ROOT_LIFETIME_MS,
  ROOT_PATH_LENGTH,
  rootTemplate,
} from '../../src/x509/issue/template.js';
import { generateKeys, type KeyPair } from '../../src/x509/keys/index.js';
import { toTimes } from '../fakes/times.js';

export interface Chain {
  readonly root: Issuer;
  readonly issuer: Issuer;
}

export interface Names {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly dnsNames: readonly string[];
  readonly ttlMs: number;
}

const rsaKeys = new Map<KeyType, Promise<KeyPair>>();

/** A new pair; of RSA, which takes seconds, the same one for every leaf of a run. */
function leafKeys(type: KeyType): Promise<KeyPair> {
  if (type.startsWith('ecdsa')) return generateKeys(type);
  const keys = rsaKeys.get(type) ?? generateKeys(type);
  rsaKeys.set(type, keys);
  return keys;
}

const TRUST_DOMAIN_ID = toTrustDomainId('shop.example');

/** A root and an issuing CA, both with keys of that type. */
export async function createCaChain(type: KeyType, nowMs: number): Promise<Chain> {
  const common = async () => {
    const keys = await generateKeys(type);
    const { publicKeyDer } = keys;
    return {
      keys,
      options: { serialHex: toSerialHex(systemRandom), publicKeyDer, times: toTimes(nowMs) },
    };
  };
  const expected = { kind: 'authority', spiffeId: TRUST_DOMAIN_ID } as const;
  const above = await common();
  const root = toIssuer(
    issueCertificate({
      template: rootTemplate({ ...above.options, trustDomainId: TRUST_DOMAIN_ID }),
      keys: above.keys,
      issuer: 'self',
      expected: {
        ...expected,
        pathLength: ROOT_PATH_LENGTH,
        ...caPeriodFrom(toTimes(nowMs), ROOT_LIFETIME_MS),
      },
    }),
    above.keys.privateKeyPem,
  );
  const below = await common();
  const trust = { trustDomainId: TRUST_DOMAIN_ID, issuer: root.facts };
  const issued = issueCertificate({
    template: intermediateTemplate({ ...below.options, ...trust }),
    keys: below.keys,
    issuer: root,
    expected: {
      ...expected,
      pathLength: 0,
      ...caPeriodFrom(toTimes(nowMs), INTERMEDIATE_LIFETIME_MS),
    },
  });
  return { root, issuer: toIssuer(issued, below.keys.privateKeyPem) };
}

/** A leaf below the chain, with its chain, its key and its identity. */
export async function issueLeaf(options: {
  readonly chain: Chain;
  readonly type: KeyType;
  readonly names: Names;
  readonly nowMs: number;
}) {
  const { chain, type, names, nowMs } = options;
  const { namespace, serviceAccount, dnsNames, ttlMs } = names;
  const keys = await leafKeys(type);
  const spiffeId = toSpiffeId({ trustDomain: 'shop.example', namespace, serviceAccount });
  const template = leafTemplate({
    serialHex: toSerialHex(systemRandom),
    publicKeyDer: keys.publicKeyDer,
    times: toTimes(nowMs),
    spiffeId,
    dnsNames,
    ttlMs,
    issuer: chain.issuer.facts,
  });
  const { facts, pem } = issueCertificate({
    template,
    keys,
    issuer: chain.issuer,
    expected: { kind: 'workload', spiffeId, dnsNames, ...periodFrom(toTimes(nowMs), ttlMs) },
  });
  return { facts, pem, spiffeId, chainPem: pem + chain.issuer.pem, keyPem: keys.privateKeyPem };
}
