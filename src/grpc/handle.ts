// An open stream as those see it who attached discovery: what hooks are handed, and CSDS reads.
import type { MeshError } from '../base/index.js';
import type { Node, Rejection, Snapshot, TypeReport, Variant } from '../xds/index.js';
import type { ResourceStatus } from './resource-status.js';
import type { StatusError } from './status.js';

export type StreamId = number & { readonly __brand: 'StreamId' };

/** Which of the four transports a stream is. */
export interface StreamKind {
  readonly variant: Variant;
  /** The one type of the stream; undefined on an aggregated one. */
  readonly typeUrl: string | undefined;
}

/** What a request of the peer meant. */
export type StreamUpdate =
  | { readonly kind: 'request'; readonly typeUrl: string }
  | {
      readonly kind: 'acked';
      readonly typeUrl: string;
      readonly version: string;
      /** Names of the resources whose content is new to the peer. */
      readonly taken: readonly string[];
    }
  | { readonly kind: 'nacked'; readonly typeUrl: string; readonly rejection: Rejection };

/** An authenticated stream, as the host sees it. `A` is what `authenticate` returned. */
export interface DiscoveryStream<A> {
  readonly id: StreamId;
  readonly auth: A;
  readonly node: Node;
  readonly variant: Variant;
  /** The one type of the stream; undefined on an aggregated one. */
  readonly typeUrl: string | undefined;
  readonly peerAddress: string;
  /** Milliseconds since the Unix epoch. */
  readonly connectedAtMs: number;
  /**
   * What this peer is to have; what differs is sent. Before the first one, requests wait. Throws as
   * `checkSnapshot` does, and changes nothing.
   */
  setSnapshot(snapshot: Snapshot): void;
  /**
   * Sends what the peer rejected of a type once more, as it is, without anything else: for what
   * failed by something outside the configuration, such as a port that another program held. What
   * of the names wasn't rejected is left alone.
   */
  retry(rejected: { readonly typeUrl: string; readonly names: readonly string[] }): void;
  /**
   * Throws MeshError `resource-limit` where the peer could take that now and not come back after
   * its connection breaks: a delta client's first request names all that it has, and is to stay
   * within `maxRequestBytes`.
   */
  checkSnapshot(snapshot: Snapshot): void;
  /**
   * Says nothing of a name that doesn't exist until the function that is returned was called, so
   * that there is time to make it. Delta: such a name is otherwise said to be gone at once.
   */
  defer(wanted: { readonly typeUrl: string; readonly name: string }): () => void;
  /** Ends the stream: with the error's status, or with OK. */
  close(error?: MeshError | StatusError): void;
  state(): readonly TypeReport[];
  /** The same, resource by resource. */
  resources(): readonly ResourceStatus[];
  /** Whether the peer has taken that resource at that version. */
  isInForce(resource: {
    readonly typeUrl: string;
    readonly name: string;
    readonly version: string;
  }): boolean;
  /** Whether the peer has taken all of the snapshot that it has asked for so far. */
  isSynced(): boolean;
}
