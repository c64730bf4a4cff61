// Who is shut out, as translation sees it. A revoked service is refused by its identity at every
// server (RBAC, so open HTTP connections are refused at their next request) and withdrawn from its
// callers; a revoked certificate is refused by the revocation list in the secret of the anchors.
// Neither ends an open connection: that takes a changed filter chain, whose connections Envoy
// drains and then cuts. A mark in the chain's metadata is that change; nothing reads it. An edit of
// the rules that takes something away ends what is open in the same way.
import type { envoy } from '../gen/envoy.js';
import type { ServiceName } from '../policy/index.js';

type Metadata = envoy.config.core.v3.Metadata;
type Policy = envoy.config.rbac.v3.Policy;

export interface Revoked {
  /** SPIFFE IDs that every server refuses, in a stable order. */
  readonly deniedIds: readonly string[];
  /** Services of which nobody learns how to reach them. */
  readonly services: ReadonlySet<ServiceName>;
  /**
   * By a service's port (`toClusterName`): differs from what it was where connections that the
   * port's own sidecars accepted from an identity are to end.
   */
  readonly inboundMarks: ReadonlyMap<string, string>;
  /** The same for connections from callers without identity. */
  readonly plainMarks: ReadonlyMap<string, string>;
  /** The same for connections that callers' sidecars hold open to that port. */
  readonly outboundMarks: ReadonlyMap<string, string>;
}

export const NOTHING_REVOKED: Revoked = {
  deniedIds: [],
  services: new Set(),
  inboundMarks: new Map(),
  plainMarks: new Map(),
  outboundMarks: new Map(),
};

/** Metadata of a filter chain; undefined without a mark. */
export function toMarkMetadata(...marks: readonly (string | undefined)[]): Metadata | undefined {
  const mark = marks.filter((one) => one !== undefined).join(' ');
  if (mark === '') return undefined;
  return { filterMetadata: { countersign: { fields: { revocations: { stringValue: mark } } } } };
}

/** A policy of a `deny` filter against those identities, whatever they ask for. */
export function toRevokedPolicies(deniedIds: readonly string[]): { [name: string]: Policy } {
  if (deniedIds.length === 0) return {};
  const ids = deniedIds.map((exact) => ({ authenticated: { principalName: { exact } } }));
  return { revoked: { permissions: [{ any: true }], principals: [{ orIds: { ids } }] } };
}
