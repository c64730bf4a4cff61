// What an Envoy says over HDS: who it is, then what its checks find. Only what the server reads is
// decoded (protos/countersign/wire.proto).
import { MeshError } from '../../base/index.js';
import { countersign } from '../../gen/wire.js';
import { toNode } from '../../xds/claim/index.js';
import type { Node } from '../../xds/index.js';

const { HealthCheckRequestOrEndpointHealthResponse: Message } = countersign.wire;

/** Whether what is checked is well, by the name of the check. */
export type HealthReport = ReadonlyMap<string, boolean>;

/** A node has 62 kB of extensions; a report about 120 bytes for each endpoint. */
const MAX_BYTES = 1_048_576;
/** envoy.config.core.v3.HealthStatus */
const HEALTHY = 1;

/** Of a stream's first message. @throws MeshError request-invalid, resource-limit */
export function decodeNode(bytes: Buffer): Node {
  const node = decode(bytes).healthCheckRequest?.node;
  if (node) return toNode(node);
  const message = 'expected a HealthCheckRequest with a node in the first message';
  throw new MeshError('request-invalid', message);
}

/** Of the others. @throws MeshError request-invalid, resource-limit */
export function decodeReport(bytes: Buffer): HealthReport {
  const clusters = decode(bytes).endpointHealthResponse?.clusterEndpointsHealth ?? [];
  return new Map(
    clusters.flatMap(({ clusterName, localityEndpointsHealth: localities = [] }) => {
      const endpoints = localities.flatMap(({ endpointsHealth = [] }) => endpointsHealth);
      if (!clusterName || endpoints.length === 0) return [];
      return [[clusterName, endpoints.every(({ healthStatus }) => healthStatus === HEALTHY)]];
    }),
  );
}

function decode(bytes: Buffer): countersign.wire.HealthCheckRequestOrEndpointHealthResponse {
  if (bytes.length > MAX_BYTES) {
    const message = `expected a message of at most ${MAX_BYTES} bytes but got ${bytes.length}`;
    throw new MeshError('resource-limit', message);
  }
  try {
    return Message.decode(bytes);
  } catch (cause) {
    const expected = 'a HealthCheckRequestOrEndpointHealthResponse';
    throw new MeshError('request-invalid', `expected ${expected} but got other bytes`, { cause });
  }
}
