// What the protocol core carries: named, versioned bytes. A resource is encoded once; every stream that
// needs it writes the same Buffers. The core never looks inside.
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
