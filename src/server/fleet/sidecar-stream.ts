import type { DiscoveryStream } from '../../grpc/index.js';
import type { Sidecar } from '../join/index.js';

/** The connection of a sidecar. */
export type SidecarStream = DiscoveryStream<Sidecar>;
