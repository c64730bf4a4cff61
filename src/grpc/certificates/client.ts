// Asking a server of ours for a certificate, as `countersign cert --xds` does: one call on one
// connection. The server is known by the anchor that its xDS port never changes and by its fixed
// name, so the address may be anything; nothing is sent before that is verified. The client is made
// from the .proto alone, as other programs' are.
import assert from 'node:assert';
import { createSecureContext } from 'node:tls';
import {
  type ClientUnaryCall,
  credentials,
  Metadata,
  makeClientConstructor,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type Clock, type ErrorCode, MeshError } from '../../base/index.js';
import { loadMethods } from '../stock-client.js';
import { CERTIFICATE_SERVICE } from './service.js';

/** What shows who asks. Never logged. */
export type CallerCredential =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'certificate'; readonly chainPem: string; readonly keyPem: string };

export interface CertificateCall {
  /** `host:port`. */
  readonly address: string;
  readonly anchorPem: string;
  /** In the server's certificate. */
  readonly serverName: string;
  readonly credential: CallerCredential;
  readonly csrPem: string;
  /** Seconds; 0 leaves it to the mesh. */
  readonly validityS: number;
  readonly clock: Clock;
}

interface Request {
  readonly csr: string;
  readonly validityDuration: number;
}

interface Answer {
  readonly certChain: readonly string[];
}

type CreateCertificate = (
  request: Request,
  metadata: Metadata,
  done: (error: ServiceError | null, answer?: Answer) => void,
) => ClientUnaryCall;

/** All that is waited for, connecting too. */
const TIMEOUT_MS = 15_000;
const PROTO = 'countersign/istio-ca.proto';
const METHOD = 'CreateCertificate';
const NO_ANSWER: Answer = { certChain: [] };

/**
 * PEM: the leaf, then each intermediate, and last the trust anchors in one.
 * @throws MeshError server-unreachable; otherwise what the server refuses it for, or server-error.
 */
export async function requestCertificate(call: CertificateCall): Promise<readonly string[]> {
  const { certChain } = await exchange(await loadClient(), call);
  if (certChain.length >= 2) return certChain;
  throw new MeshError('server-error', `expected a chain from ${call.address} but got other bytes`);
}

async function loadClient(): Promise<ServiceClientConstructor> {
  const { [METHOD]: method } = await loadMethods(PROTO, CERTIFICATE_SERVICE);
  assert(method !== undefined, `${PROTO} has ${METHOD}`);
  const { responseDeserialize } = method;
  const definition = { ...method, responseDeserialize: orNoAnswer(responseDeserialize) };
  return makeClientConstructor({ [METHOD]: definition }, CERTIFICATE_SERVICE);
}

/** What can't be read is no chain; gRPC would call it an error of the server's. */
function orNoAnswer(read: (bytes: Buffer) => object): (bytes: Buffer) => object {
  return (bytes) => {
    try {
      return read(bytes);
    } catch {
      return NO_ANSWER;
    }
  };
}

function exchange(Service: ServiceClientConstructor, call: CertificateCall): Promise<Answer> {
  const { address, anchorPem: ca, serverName, credential, clock } = call;
  const own =
    credential.kind === 'certificate' ? { key: credential.keyPem, cert: credential.chainPem } : {};
  const context = createSecureContext({ ca, ...own, minVersion: 'TLSv1.3' });
  const client = new Service(address, credentials.createFromSecureContext(context), {
    'grpc.ssl_target_name_override': serverName,
    'grpc.default_authority': serverName,
    // A credential goes to that server and nowhere else.
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
  });
  const metadata = new Metadata();
  if (credential.kind === 'token') metadata.set('authorization', `Bearer ${credential.token}`);
  return new Promise<Answer>((resolve, reject) => {
    let cancelTimeout = (): void => undefined;
    const done = (error: ServiceError | null, answer = NO_ANSWER): void => {
      cancelTimeout();
      client.close();
      if (error === null) resolve(answer);
      else reject(toMeshError(error, address));
    };
    const create = client[METHOD]?.bind(client) as CreateCertificate;
    const request = { csr: call.csrPem, validityDuration: call.validityS };
    const running = create(request, metadata, done);
    cancelTimeout = clock.after(TIMEOUT_MS, () => running.cancel());
  });
}

/** The other direction of status.ts, as far as a status says. */
const CODES: ReadonlyMap<status, ErrorCode> = new Map<status, ErrorCode>([
  [status.UNAUTHENTICATED, 'token-invalid'],
  [status.PERMISSION_DENIED, 'token-wrong-service'],
  [status.FAILED_PRECONDITION, 'service-unknown'],
  [status.RESOURCE_EXHAUSTED, 'resource-limit'],
  [status.INVALID_ARGUMENT, 'request-invalid'],
]);
const UNREACHABLE: readonly status[] = [
  status.UNAVAILABLE,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
];

function toMeshError({ code, details }: ServiceError, address: string): MeshError {
  if (UNREACHABLE.includes(code)) {
    const got = code === status.CANCELLED ? 'no answer' : details;
    return new MeshError('server-unreachable', `expected a server at ${address} but got: ${got}`, {
      variant: 'xds',
    });
  }
  return new MeshError(CODES.get(code) ?? 'server-error', `the server refuses: ${details}`);
}
