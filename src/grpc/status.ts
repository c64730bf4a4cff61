// MeshError codes as gRPC statuses: the one table of this edge. What isn't in it is a fault of
// our own and goes out as "internal error".
import { Metadata, status } from '@grpc/grpc-js';
import { type ErrorCode, MeshError } from '../base/index.js';

export interface Status {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

const CODES: ReadonlyMap<ErrorCode, status> = new Map<ErrorCode, status>([
  ['token-missing', status.UNAUTHENTICATED],
  ['token-invalid', status.UNAUTHENTICATED],
  ['token-expired', status.UNAUTHENTICATED],
  ['token-key-unknown', status.UNAUTHENTICATED],
  ['certificate-refused', status.UNAUTHENTICATED],
  ['issuer-unreachable', status.UNAVAILABLE],
  ['token-wrong-service', status.PERMISSION_DENIED],
  ['revoked', status.PERMISSION_DENIED],
  ['csr-invalid', status.INVALID_ARGUMENT],
  ['csr-wrong-identity', status.PERMISSION_DENIED],
  ['service-unknown', status.FAILED_PRECONDITION],
  ['address-in-use', status.ALREADY_EXISTS],
  ['address-refused', status.PERMISSION_DENIED],
  ['instance-limit', status.RESOURCE_EXHAUSTED],
  ['resource-limit', status.RESOURCE_EXHAUSTED],
  ['request-invalid', status.INVALID_ARGUMENT],
  ['timeout', status.DEADLINE_EXCEEDED],
  ['server-stopping', status.UNAVAILABLE],
]);

/**
 * Ends a stream or a call with just that status: thrown by `authenticate` or `authorizeStatus`, or
 * given to `close`. Its message goes to the peer. A MeshError has its status by its code.
 */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  /** One of grpc-js' `status`, and not OK. */
  readonly code: status;

  constructor(code: status, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    if (!(code in status) || code === status.OK) {
      throw new Error(`expected a gRPC status that is an error but got ${code}`);
    }
    this.code = code;
  }
}

/** What a peer gets to know of a thrown value. */
export function toStatus(error: unknown): Status {
  if (error instanceof StatusError) return toWire(error.code, error.message);
  const code = error instanceof MeshError ? CODES.get(error.code) : undefined;
  if (code === undefined || !(error instanceof MeshError)) {
    return toWire(status.INTERNAL, 'internal error');
  }
  return toWire(code, error.message);
}

/** Text from UTF-8 has no half of a surrogate pair, which would have no encoding. */
const NOT_PLAIN = /%|[^\x20-\x7e]/gu;

/**
 * Envoy logs `grpc-message` as it comes. grpc-js writes it by `encodeURI` ("expected%20a%20token"),
 * though the protocol has only `%` and what isn't printable ASCII encoded
 * (https://github.com/grpc/grpc/blob/v1.66.0/doc/PROTOCOL-HTTP2.md#responses); a header of the
 * status's own metadata takes the place of its own.
 */
function toWire(code: status, details: string): Status {
  const metadata = new Metadata();
  metadata.set(
    'grpc-message',
    details.replace(NOT_PLAIN, (one) => encodeURIComponent(one)),
  );
  return { code, details, metadata };
}

/** Whether a peer gets to know what went wrong: otherwise it is for the log only. */
export function isForPeer(error: unknown): boolean {
  if (error instanceof StatusError) return true;
  return error instanceof MeshError && CODES.has(error.code);
}
