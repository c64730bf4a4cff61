// How far an instance is that is to be stopped, and whether it may still be called: by a sidecar
// that hasn't taken the endpoints without it, or through listeners that it hasn't given up yet.
import { SECOND_MS } from '../../base/index.js';
import type { DrainStage } from '../../drains/index.js';
import { findService, type Mesh, type ServiceName } from '../../policy/index.js';
import type { NodeId } from '../../spiffe/index.js';
import { isInboundListener, toClusterName } from '../../translate/index.js';
import { TYPE_URLS } from '../../xds/index.js';
import type { Member } from './member.js';
import type { Members } from './members.js';
import type { SidecarRegistry } from './registry.js';

/** Envoy has answered before its workers know; a call may just be on its way. */
export const SETTLE_MS = SECOND_MS;

/** One drain, and how far it is. */
export interface DrainView {
  readonly node: NodeId;
  readonly sinceMs: number;
  readonly stage: DrainStage;
  /** Nodes, for whose answer it waits. */
  readonly waitingFor: readonly NodeId[];
}

export interface Fleetwide {
  readonly members: Members;
  readonly registry: SidecarRegistry;
  /** In force. */
  readonly mesh: () => Mesh;
}

/** Who may still begin a call there: connected, or gone for less than its grace. */
export function toWaitingCallers(
  { node, service }: { readonly node: NodeId; readonly service: ServiceName },
  { members, registry, mesh }: Fleetwide,
): readonly NodeId[] {
  const declared = findService(mesh(), service);
  const clusters = declared?.ports.map((port) => toClusterName(declared, port)) ?? [];
  const connected = [...members]
    .filter(({ stream }) => !stream.auth.isStatic)
    .filter((member) => !hasEndpoints(member, clusters))
    .map(({ stream }) => stream.auth.node);
  const missing = registry.missing().filter((one) => one !== node);
  return [...new Set([...connected, ...missing])].sort();
}

/** Whether the sidecar has what it was last sent of where these are called. */
function hasEndpoints({ sent, stream }: Member, clusters: readonly string[]): boolean {
  if (sent === undefined) return false;
  return clusters.every((name) => {
    for (const typeUrl of [TYPE_URLS.endpoint, TYPE_URLS.cluster]) {
      const resource = sent.snapshot.get(typeUrl)?.resources.get(name);
      if (resource !== undefined) {
        return stream.isInForce({ typeUrl, name, version: resource.version });
      }
    }
    return true;
  });
}

/** Whether the sidecar has no listener any more through which it is called. */
export function hasClosed({ stream }: Member): boolean {
  // A static Envoy has none of ours.
  if (stream.auth.isStatic) return true;
  const listeners = stream.state().find(({ typeUrl }) => typeUrl === TYPE_URLS.listener);
  return listeners !== undefined && ![...listeners.acked.keys()].some(isInboundListener);
}
