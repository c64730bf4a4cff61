// MeshError codes as gRPC statuses: the one table of this edge. What isn't in it is a fault of
// our own and goes out as "internal error".
import { status } from '@grpc/grpc-js';
import { type ErrorCode, MeshError } from '../base/index.js';

export interface Status {
  readonly code: status;
  readonly details: string;
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
  if (error instanceof StatusError) return { code: error.code, details: error.message };
  const code = error instanceof MeshError ? CODES.get(error.code) : undefined;
  if (code === undefined || !(error instanceof MeshError)) {
    return { code: status.INTERNAL, details: 'internal error' };
  }
  return { code, details: error.message };
}

/** Whether a peer gets to know what went wrong: otherwise it is for the log only. */
export function isForPeer(error: unknown): boolean {
  if (error instanceof StatusError) return true;
  return error instanceof MeshError && CODES.has(error.code);
}
