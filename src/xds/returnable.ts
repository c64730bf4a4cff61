// How long a client's first request on a new stream gets. Beside the names that it asks for, a
// delta client says there what it has from an earlier stream (initial_resource_versions). So what a
// client is given, or asks for one name after another, may grow until it can't come back: its first
// request would be over the limit, for ever. That is refused before, where it begins.
import { MeshError } from '../base/index.js';
import type { Resource, ResourceSet, Snapshot } from './resource.js';
import type { Session, TypeState } from './state.js';
import { covers } from './subscription.js';
import { claimBytes, namesBytes } from './wire-size.js';

/** What the client's first request of a type would take, were it to come back now. */
function bytesToComeBack(session: Session, type: TypeState, set: ResourceSet | undefined): number {
  const { names } = type.subscription;
  const asked = session.overheadBytes + namesBytes(names);
  return session.variant === 'delta' ? asked + claimedBytes(type, set) : asked;
}

function claimedBytes({ subscription }: TypeState, set: ResourceSet | undefined): number {
  const { wildcard, names, globs } = subscription;
  if (set === undefined) return 0;
  let bytes = wildcard ? (set.claimBytes ?? sumOf(set.resources.values())) : 0;
  if (wildcard && set.wildcard === undefined) return bytes;
  for (const name of names) {
    const resource = set.resources.get(name);
    if (resource === undefined || (wildcard && set.wildcard?.has(name))) continue;
    bytes += claimBytes(resource);
  }
  if (wildcard || globs.size === 0) return bytes;
  for (const resource of set.resources.values()) {
    if (!names.has(resource.name) && covers(subscription, resource.name)) {
      bytes += claimBytes(resource);
    }
  }
  return bytes;
}

function sumOf(resources: Iterable<Resource>): number {
  let bytes = 0;
  for (const resource of resources) bytes += claimBytes(resource);
  return bytes;
}

/** Why a client that asks for that type could not come back; undefined where it could. */
export function whyNotBack(
  session: Session,
  type: TypeState,
  set: ResourceSet | undefined,
): MeshError | undefined {
  const { maxRequestBytes } = session.limits;
  const bytes = bytesToComeBack(session, type, set);
  if (bytes <= maxRequestBytes) return undefined;
  const message =
    `expected what a client has of ${type.typeUrl} to fit into a first request of ` +
    `${maxRequestBytes} bytes but it takes ${bytes}`;
  const hint = 'raise maxRequestBytes in the limits, or give each client a part';
  return new MeshError('resource-limit', message, { hint });
}

/** Why the client could take that snapshot and, once its connection breaks, never come back. */
export function whyRefused(session: Session, snapshot: Snapshot): MeshError | undefined {
  if (session.variant !== 'delta') return undefined;
  for (const type of session.types) {
    const set = snapshot.get(type.typeUrl);
    if (set === session.snapshot?.get(type.typeUrl)) continue;
    const error = whyNotBack(session, type, set);
    if (error !== undefined) return error;
  }
  return undefined;
}
