// What the protocol core carries: named, versioned bytes. A resource is encoded once; every stream that
// needs it writes the same Buffers. The core never looks inside. Versions are hashes of content by
// default, so that they are equal across pushes, restarts and replicas.
import { createHash } from 'node:crypto';
import type { SourceRef } from '../base/index.js';

export interface Resource {
  readonly name: string;
  /** The encoded message (the `value` of its Any). Never mutated. */
  readonly value: Uint8Array;
  /** By default a hash of `value`; equal content has an equal version on every server. */
  readonly version: string;
  /** Where the user wrote what this comes from; a NACK is shown with it. */
  readonly source?: SourceRef;
}

/** All resources of one type that one node (or group of nodes) may see. Immutable. */
export interface ResourceSet {
  readonly resources: ReadonlyMap<string, Resource>;
  /** Hash over names and versions. */
  readonly version: string;
}

/** By type URL. A type that is absent is one that the server says nothing of: empty. */
export type Snapshot = ReadonlyMap<string, ResourceSet>;

/** Hex digits of a version: 64 bits of SHA-256. */
const VERSION_DIGITS = 16;

function toVersion(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, VERSION_DIGITS);
}

export interface ResourceOptions {
  readonly name: string;
  readonly value: Uint8Array;
  readonly source?: SourceRef | undefined;
  /** Replaces the hash of the content; whoever gives it must change it when the content changes. */
  readonly version?: string | undefined;
}

/** A resource with its version. */
export function createResource(options: ResourceOptions): Resource {
  const { name, value, source } = options;
  const version = options.version ?? toVersion(value);
  return source === undefined ? { name, value, version } : { name, value, version, source };
}

/** Version of a collection: a function of its names and versions, whatever their order. */
export function versionOf(resources: ReadonlyMap<string, { readonly version: string }>): string {
  const lines = [...resources].map(([name, { version }]) => JSON.stringify([name, version]));
  return toVersion(lines.sort().join('\n'));
}

/**
 * A set of resources of one type. `version` replaces the hash over names and versions.
 * Two resources of one name are a defect of the caller: throws an Error.
 */
export function createResourceSet(resources: Iterable<Resource>, version?: string): ResourceSet {
  const byName = new Map<string, Resource>();
  for (const resource of resources) {
    if (byName.has(resource.name)) throw new Error(`two resources are named "${resource.name}"`);
    byName.set(resource.name, resource);
  }
  return { resources: byName, version: version ?? versionOf(byName) };
}

/** The set of none; its version is that of every empty set. */
export const EMPTY_SET: ResourceSet = createResourceSet([]);

/** The snapshot of resources given by type URL. */
export function createSnapshot(
  byType: Iterable<readonly [typeUrl: string, resources: Iterable<Resource>]>,
): Snapshot {
  return new Map([...byType].map(([typeUrl, list]) => [typeUrl, createResourceSet(list)]));
}
