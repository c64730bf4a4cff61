// Applications that their own sidecars find unwell, as `status` and the metrics show them.
import { toRfc3339 } from '../../base/index.js';
import type { Mesh } from '../../policy/index.js';
import { checkedPorts } from '../../translate/index.js';
import type { Applications, MemberView } from '../fleet/index.js';
import type { Family } from './prometheus.js';

/** Ports of a sidecar whose application is unwell. */
export type UnwellOf = Applications['unwellOf'];

export interface UnwellStatus {
  /** As the mesh declares it. */
  readonly port: number;
  /** RFC 3339: when the server first heard of it. */
  readonly since: string;
}

export function toUnwellStatuses(unwell: ReturnType<UnwellOf>): UnwellStatus[] {
  return unwell.map(({ port, sinceMs }) => ({ port, since: toRfc3339(sinceMs) }));
}

export interface UnwellInput {
  /** In force. */
  readonly mesh: Mesh;
  readonly members: readonly MemberView[];
  readonly unwellOf: UnwellOf;
}

/** A sample for each port that has `health`. */
export function toUnwellFamily({ mesh, members, unwellOf }: UnwellInput): Family {
  const toKey = (service: string, port: number): string => `${service} ${port}`;
  const counts = new Map<string, number>();
  for (const { stream } of members) {
    for (const { port } of unwellOf(stream.auth)) {
      const key = toKey(stream.auth.service, port);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  const samples = [...mesh.services.values()].flatMap((service) =>
    checkedPorts(service).map(({ number }) => ({
      labels: { service: service.name, port: String(number) },
      value: counts.get(toKey(service.name, number)) ?? 0,
    })),
  );
  return {
    name: 'applications_unwell',
    type: 'gauge',
    help: 'Connected proxies whose checks find the application of this port unwell.',
    samples,
  };
}
