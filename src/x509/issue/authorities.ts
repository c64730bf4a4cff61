// The CAs of a trust domain: a root that signs itself, and an issuing CA below it. Each has a key
// of its own, and is judged like everything that is issued.
import type { Random, Times } from '../../base/index.js';
import { toTrustDomainId } from '../../spiffe/index.js';
import type { KeyPair } from '../keys/index.js';
import { caPeriodFrom, type Issuer, issueCertificate, toIssuer } from './issue.js';
import {
  INTERMEDIATE_LIFETIME_MS,
  intermediateTemplate,
  ROOT_LIFETIME_MS,
  ROOT_PATH_LENGTH,
  rootTemplate,
  toSerialHex,
} from './template.js';

export interface CaRequest {
  readonly trustDomain: string;
  readonly keys: KeyPair;
  readonly times: Times;
  readonly random: Random;
}

/** @throws MeshError certificate-invalid */
export function issueRoot(request: CaRequest): Issuer {
  const { keys, times } = request;
  const { trustDomainId, fields } = toFields(request);
  const issued = issueCertificate({
    template: rootTemplate({ ...fields, trustDomainId }),
    keys,
    issuer: 'self',
    expected: {
      kind: 'authority',
      spiffeId: trustDomainId,
      pathLength: ROOT_PATH_LENGTH,
      ...caPeriodFrom(times, ROOT_LIFETIME_MS),
    },
  });
  return toIssuer(issued, keys.privateKeyPem);
}

/** @throws MeshError certificate-invalid */
export function issueIssuingCa(request: CaRequest & { readonly root: Issuer }): Issuer {
  const { keys, times, root } = request;
  const { trustDomainId, fields } = toFields(request);
  const issued = issueCertificate({
    template: intermediateTemplate({ ...fields, trustDomainId, issuer: root.facts }),
    keys,
    issuer: root,
    expected: {
      kind: 'authority',
      spiffeId: trustDomainId,
      pathLength: 0,
      ...caPeriodFrom(times, INTERMEDIATE_LIFETIME_MS),
    },
  });
  return toIssuer(issued, keys.privateKeyPem);
}

function toFields({ trustDomain, keys, times, random }: CaRequest) {
  const { publicKeyDer } = keys;
  const fields = { serialHex: toSerialHex(random), publicKeyDer, times };
  return { trustDomainId: toTrustDomainId(trustDomain), fields };
}
