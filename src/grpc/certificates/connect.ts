// A connection of a client without a sidecar to a server of ours. The server is known by the anchor
// that its xDS port never changes and by its fixed name, so the address may be anything; nothing is
// sent before that is verified.
import { createSecureContext } from 'node:tls';
import {
  type ChannelOptions,
  credentials,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type ErrorCode, MeshError } from '../../base/index.js';

/** What shows who asks. Never logged. */
export type CallerCredential =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'certificate'; readonly chainPem: string; readonly keyPem: string };

export interface ServerPlace {
  /** `host:port`. */
  readonly address: string;
  readonly anchorPem: string;
  /** In the server's certificate. */
  readonly serverName: string;
}

export interface Connection {
  readonly client: InstanceType<ServiceClientConstructor>;
  readonly metadata: Metadata;
}

/** Connects with the first call. */
export function connect(
  Service: ServiceClientConstructor,
  place: ServerPlace & { readonly credential: CallerCredential },
  options: ChannelOptions = {},
): Connection {
  const { address, anchorPem: ca, serverName, credential } = place;
  const own =
    credential.kind === 'certificate' ? { key: credential.keyPem, cert: credential.chainPem } : {};
  const context = createSecureContext({ ca, ...own, minVersion: 'TLSv1.3' });
  const client = new Service(address, credentials.createFromSecureContext(context), {
    'grpc.ssl_target_name_override': serverName,
    'grpc.default_authority': serverName,
    // A credential goes to that server and nowhere else.
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    ...options,
  });
  const metadata = new Metadata();
  if (credential.kind === 'token') metadata.set('authorization', `Bearer ${credential.token}`);
  return { client, metadata };
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

export function toMeshError({ code, details }: ServiceError, address: string): MeshError {
  if (UNREACHABLE.includes(code)) {
    const got = code === status.CANCELLED ? 'no answer' : details;
    return new MeshError('server-unreachable', `expected a server at ${address} but got: ${got}`, {
      variant: 'xds',
    });
  }
  return new MeshError(CODES.get(code) ?? 'server-error', `the server refuses: ${details}`);
}
