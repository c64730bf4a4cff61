// Asking a server of ours for a certificate, as `countersign cert --xds` does: one call on one
// connection. The client is made from the .proto alone, as other programs' are.
import assert from 'node:assert';
import {
  type ClientUnaryCall,
  type Metadata,
  makeClientConstructor,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { type Clock, MeshError } from '../../base/index.js';
import { loadMethods } from '../stock-client.js';
import { type CallerCredential, connect, type ServerPlace, toMeshError } from './connect.js';
import { CERTIFICATE_SERVICE } from './service.js';

export interface CertificateCall extends ServerPlace {
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
  const { address, clock } = call;
  const { client, metadata } = connect(Service, call);
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
