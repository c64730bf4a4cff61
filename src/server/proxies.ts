// Whom an edit of the mesh waits for: the sidecars as they stand, and those that may come back
// within their grace.
import { findService, type Mesh, type ServiceName, serviceName } from '../policy/index.js';
import { type NodeId, splitNodeText } from '../spiffe/index.js';
import type { Members, MemberView, SidecarRegistry } from './fleet/index.js';
import type { ProxyState } from './mesh/index.js';
import { toRejectionText } from './status/index.js';

/** What the service of a sidecar is called; as it was where the mesh doesn't know it. */
export function toDeclared(mesh: Mesh, name: ServiceName): ServiceName {
  return findService(mesh, name)?.name ?? name;
}

/**
 * Whom an edit of the mesh waits for: the connected sidecars, and those that may come back within
 * their grace. A static Envoy has nothing of a mesh but whom its tcp ports take, if it asks.
 */
export function toFollowers({
  members,
  registry,
  mesh,
}: {
  readonly members: Members;
  readonly registry: SidecarRegistry;
  readonly mesh: Mesh;
}): Proxy[] {
  const following = members.view().filter(({ followsMesh }) => followsMesh);
  const missing = registry.missing().map((node) => toMissing(node, mesh));
  // One of a service that the mesh has no more can't come back.
  const expected = missing.filter(({ service }) => mesh.services.has(service));
  return [...following.map((view) => toConnected(view, mesh)), ...expected];
}

function toConnected(view: MemberView, mesh: Mesh): Proxy {
  const { stream, state } = view;
  const { node } = stream.auth;
  const service = toDeclared(mesh, stream.auth.service);
  const said = (): string | undefined => toRejectionText(view);
  return { node, service, state, connection: stream, said };
}

function toMissing(node: NodeId, mesh: Mesh): Proxy {
  const service = toDeclared(mesh, serviceName(splitNodeText(node).service));
  return { node, service, state: 'pending' };
}

interface Proxy {
  readonly node: NodeId;
  readonly service: ServiceName;
  readonly state: ProxyState;
  readonly connection?: unknown;
  readonly said?: () => string | undefined;
}
