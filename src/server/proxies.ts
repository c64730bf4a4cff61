// Whom a change waits for: the sidecars as they stand, and those that may come back within their
// grace.
import { timesOf } from '../base/index.js';
import type { Leaf } from '../ca/index.js';
import { type LeafManager, mayBeInForce } from '../leaves/index.js';
import { type Mesh, type ServiceName, serviceName } from '../policy/index.js';
import { type NodeId, splitNodeText } from '../spiffe/index.js';
import type { CaProxy } from './ca/index.js';
import type { Control, ControlOptions } from './control.js';
import type { Members, MemberView, SidecarRegistry } from './fleet/index.js';
import type { ProxyState } from './mesh/index.js';
import { toRejectionText } from './status/index.js';

/** Whom a change of the trust anchors waits for: static Envoys too. */
export function toCaProxies(
  { members }: Pick<Control, 'members'>,
  {
    registry,
    staticEnvoys,
    leaves,
    clock,
  }: Pick<ControlOptions, 'registry' | 'staticEnvoys' | 'clock'> & {
    readonly leaves: Pick<LeafManager, 'isCurrent'>;
  },
): readonly CaProxy[] {
  const times = timesOf(clock);
  const connected = members.view().map(toConnected);
  const missing = [...registry.missing(), ...staticEnvoys.missing()].map(toMissing);
  return [...connected, ...missing].map(({ leaf, isConnected, node, ownState }) => ({
    // Secrets wait for nobody else's word.
    ...{ node, state: ownState },
    isCurrent: leaves.isCurrent(node),
    // One that is to come back may have one.
    hasLeaf: isConnected ? leaf !== undefined && mayBeInForce(leaf, times) : true,
  }));
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
  const missing = registry.missing().map(toMissing);
  // One of a service that the mesh has no more can't come back.
  const expected = missing.filter(({ service }) => mesh.services.has(service));
  return [...following.map(toConnected), ...expected];
}

function toConnected(view: MemberView): Proxy {
  const { stream, state, ownState, leaf } = view;
  const { node, service } = stream.auth;
  const said = (): string | undefined => toRejectionText(view);
  const states = { state, ownState };
  return { node, service, ...states, leaf, isConnected: true, connection: stream, said };
}

function toMissing(node: NodeId): Proxy {
  const service = serviceName(splitNodeText(node).service);
  const state = 'pending';
  return { node, service, state, ownState: state, leaf: undefined, isConnected: false };
}

interface Proxy {
  readonly node: NodeId;
  readonly service: ServiceName;
  readonly state: ProxyState;
  readonly ownState: ProxyState;
  readonly leaf: Leaf | undefined;
  readonly isConnected: boolean;
  readonly connection?: unknown;
  readonly said?: () => string | undefined;
}
