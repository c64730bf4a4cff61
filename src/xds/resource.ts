// What the protocol core carries: named, versioned bytes. A resource is encoded once; every stream
// that needs it writes the same Buffers. The core never looks inside. Versions are hashes of
// content by default, so that they are equal across pushes, restarts and replicas.
import type { SourceRef } from '../base/index.js';
import { toVersion, versionOf } from './version.js';
import { claimBytes } from './wire-size.js';

export interface Resource {
  readonly name: string;
  /** The encoded message (the `value` of its Any). Never mutated. */
  readonly value: Uint8Array;
  /** By default a hash of `value`; equal content has an equal version on every server. */
  readonly version: string;
  /** Where the user wrote what this comes from; a NACK is shown with it. */
  readonly source?: SourceRef;
  /**
   * How long a client keeps this without hearing from the server, in ms. While a stream is open,
   * the server renews it in time. Rule: xDS protocol, "Time to live (TTL)".
   */
  readonly ttlMs?: number;
  /** What its bytes refer to by name. */
  readonly references?: readonly ResourceRef[];
}

/** A resource, by type and name. */
export interface ResourceRef {
  readonly typeUrl: string;
  readonly name: string;
}

/** All resources of one type that one node (or group of nodes) may see. Immutable. */
export interface ResourceSet {
  readonly resources: ReadonlyMap<string, Resource>;
  /** By default a hash over names and versions. */
  readonly version: string;
  /** The version was given: clients that see a part of the set get it too. */
  readonly versionGiven?: true;
  /** The least of its resources' TTLs; undefined where none has one. */
  readonly shortestTtlMs?: number | undefined;
  /** Bytes that a delta client that asks for everything needs to say what it has of it. */
  readonly claimBytes?: number;
  /** What a client gets that asks for everything, where that isn't the whole set. */
  readonly wildcard?: ReadonlyMap<string, Resource>;
}

/** By type URL. A type that isn't in it is empty. */
export type Snapshot = ReadonlyMap<string, ResourceSet>;

export interface ResourceOptions {
  readonly name: string;
  readonly value: Uint8Array;
  readonly source?: SourceRef | undefined;
  /** Replaces the hash of the content; whoever gives it must change it when the content changes. */
  readonly version?: string | undefined;
  /** Whole milliseconds above 0. Only for clients that support it (`Node.clientFeatures`). */
  readonly ttlMs?: number | undefined;
  /** What the bytes refer to by name: checked by `findDangling`, minded by the order of sending. */
  readonly references?: readonly ResourceRef[] | undefined;
}

/** A resource with its version. A TTL that isn't one is a defect of the caller: throws an Error. */
export function createResource(options: ResourceOptions): Resource {
  const { name, value, source, ttlMs, references } = options;
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs > 0)) {
    throw new Error(`expected a ttlMs that is a whole number above 0 but got ${ttlMs}`);
  }
  const hash = options.version === undefined ? toVersion(value) : '';
  return {
    name,
    value,
    // A new TTL alone is a change that the client must hear of.
    version: options.version ?? (ttlMs === undefined ? hash : toVersion(`${hash} ${ttlMs}`)),
    ...(source !== undefined && { source }),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(references !== undefined && { references }),
  };
}

/**
 * A set of resources of one type. `version` replaces the hash over names and versions.
 * Two resources of one name are a defect of the caller: throws an Error.
 */
export function createResourceSet(
  resources: Iterable<Resource>,
  version?: string | undefined,
): ResourceSet {
  const byName = new Map<string, Resource>();
  let shortestTtlMs: number | undefined;
  let bytes = 0;
  for (const resource of resources) {
    const { name, ttlMs } = resource;
    if (byName.has(name)) throw new Error(`two resources are named "${name}"`);
    byName.set(name, resource);
    bytes += claimBytes(resource);
    if (ttlMs !== undefined) shortestTtlMs = Math.min(shortestTtlMs ?? ttlMs, ttlMs);
  }
  return {
    resources: byName,
    version: version ?? versionOf(byName),
    claimBytes: bytes,
    ...(version !== undefined && { versionGiven: true }),
    ...(shortestTtlMs !== undefined && { shortestTtlMs }),
  };
}

/** The set of none; its version is that of every empty set. */
export const EMPTY_SET: ResourceSet = createResourceSet([]);

/**
 * One type of a snapshot; a `version` that is given appears as version_info and
 * system_version_info.
 */
export type SnapshotEntry = readonly [
  typeUrl: string,
  resources: Iterable<Resource>,
  version?: string,
];

/** The snapshot of resources given by type URL. */
export function createSnapshot(byType: Iterable<SnapshotEntry>): Snapshot {
  return new Map(
    [...byType].map(([typeUrl, list, version]) => [typeUrl, createResourceSet(list, version)]),
  );
}
