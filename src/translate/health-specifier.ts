// What a sidecar checks of its own application and reports over Envoy's health discovery service
// (HDS): the checks by which it knows whether to pass calls on, made a second time, for what its
// clusters find is told to nobody.
import { SECOND_MS } from '../base/index.js';
import { envoy } from '../gen/envoy.js';
import type { Port, Service } from '../policy/index.js';
import { toDuration, toTcpAddress } from './messages.js';
import { toHealthChecks, toSourceAddress } from './peers.js';
import { hasNamedTarget } from './target.js';

type ClusterHealthCheck = envoy.service.health.v3.ClusterHealthCheck;

const CHECKED = 'health:';

/** A check as a report names it: `health:8080`. */
export function toCheckName({ number }: Pick<Port, 'number'>): string {
  return `${CHECKED}${number}`;
}

/** After a check's timeout: a host that hasn't been checked yet is reported as unhealthy. */
const REPORT_EVERY_MS = 4 * SECOND_MS;
/** Nobody needs to hear of nothing. */
const NO_REPORT_MS = 3_600 * SECOND_MS;

/**
 * The bytes of a HealthCheckSpecifier: the service's ports that have `health`.
 * @param atMs When it is sent. Envoy counts the time to its next report anew only where the
 * interval is another one; else it would report a port that it hasn't checked yet.
 */
export function toHealthSpecifier(service: Service | undefined, atMs: number): Uint8Array {
  const checks = checkedPorts(service).map((port) => toCheck(port, service?.name ?? ''));
  const everyMs = checks.length === 0 ? NO_REPORT_MS : REPORT_EVERY_MS;
  return envoy.service.health.v3.HealthCheckSpecifier.encode({
    clusterHealthChecks: checks,
    interval: toDuration(everyMs + (atMs % SECOND_MS)),
  }).finish();
}

/**
 * Ports of which a sidecar reports. HDS takes IP addresses alone, and refuses all ports where one
 * has a name: what stands behind a name is checked by the cluster, and reported to nobody.
 */
export function checkedPorts(service: Service | undefined): readonly Port[] {
  return service?.ports.filter((port) => port.health !== undefined && !hasNamedTarget(port)) ?? [];
}

function toCheck(port: Port, host: string): ClusterHealthCheck {
  const { address, port: number } = port.target;
  return {
    clusterName: toCheckName(port),
    healthChecks: toHealthChecks(port, host),
    localityEndpoints: [{ endpoints: [{ address: toTcpAddress(address, number) }] }],
    ...toSourceAddress(port),
  };
}
