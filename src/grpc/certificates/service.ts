// Istio's certificate service on this server's port: the wire of it. Whose certificate it is, and
// whether there is one, is its host's to say.
// Protocol: protos/countersign/istio-ca.proto.
import { MeshError } from '../../base/index.js';
import { istio } from '../../gen/wire.js';
import type { ServiceRegistry } from '../discovery.js';
import type { Logger } from '../host.js';
import { type Caller, toCaller } from '../peer.js';
import { attachUnary } from '../unary.js';

const { IstioCertificateRequest, IstioCertificateResponse } = istio.v1.auth;

/** Full name of the service. */
export const CERTIFICATE_SERVICE = 'istio.v1.auth.IstioCertificateService';
const METHOD = 'CreateCertificate';

export interface CertificateQuestion {
  readonly caller: Caller;
  /** As it came; PEM, if it is what it should be. */
  readonly csr: string;
  /** Seconds; 0 where the caller leaves it to the mesh. */
  readonly validityS: number;
}

export interface CertificatesOptions {
  /** PEM: the leaf, each intermediate, and last the trust anchors in one. Throws a MeshError. */
  readonly issue: (question: CertificateQuestion) => Promise<readonly string[]>;
  /** Requests that are worked on at once; more are refused. Default 64. */
  readonly maxInProgress?: number;
  readonly logger?: Logger;
}

const DEFAULT_MAX_IN_PROGRESS = 64;
/** Of a whole request: a CSR of the largest size, and metadata that nobody reads. */
const MAX_REQUEST_BYTES = 32 * 1024;

/** Serves CreateCertificate on `server`. */
export function attachCertificates(server: ServiceRegistry, options: CertificatesOptions): void {
  const { issue, logger, maxInProgress = DEFAULT_MAX_IN_PROGRESS } = options;
  attachUnary(server, {
    ...{ service: CERTIFICATE_SERVICE, method: METHOD, maxInProgress, logger },
    answer: async (call) => {
      const { csr = '', validityDuration = 0 } = decode(call.request);
      // protobufjs gives an object of its own for 64 bits, where the package `long` is there.
      const validityS = Number(validityDuration);
      const certChain = await issue({ caller: toCaller(call), csr, validityS });
      return Buffer.from(IstioCertificateResponse.encode({ certChain }).finish());
    },
    words: {
      calls: 'certificate requests',
      refused: 'certificate refused',
      failed: 'a certificate request failed',
    },
  });
}

function decode(bytes: Buffer): istio.v1.auth.IstioCertificateRequest {
  if (bytes.length > MAX_REQUEST_BYTES) {
    const message = `expected a certificate request of at most ${MAX_REQUEST_BYTES} bytes`;
    throw new MeshError('resource-limit', `${message} but got ${bytes.length}`);
  }
  try {
    return IstioCertificateRequest.decode(bytes);
  } catch (cause) {
    const message = 'expected an IstioCertificateRequest but got other bytes';
    throw new MeshError('request-invalid', message, { cause });
  }
}
