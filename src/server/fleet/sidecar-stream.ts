import { MeshError } from '../../base/index.js';
import type { DiscoveryStream } from '../../grpc/index.js';
import type { Sidecar } from '../join/index.js';

/** The connection of a sidecar. */
export type SidecarStream = DiscoveryStream<Sidecar>;

/** What a stream is ended with. */
export function toMeshError(error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  return new MeshError('certificate-invalid', 'no certificate could be issued', { cause: error });
}
