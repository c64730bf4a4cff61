// A snapshot per group of nodes (often a group is one node). Whoever owns the configuration sets a
// group's snapshot whole; its streams, open or to come, get what differs from what they have.
// Snapshots may share resource sets and resources: what is shared is encoded once.
import { MeshError, toPlace } from '../../base/index.js';
import { type Dangling, findDangling } from '../consistency.js';
import type { Snapshot } from '../resource.js';
import type { CacheHooks, CacheStream } from './stream.js';

export interface SnapshotCacheOptions<S extends CacheStream> {
  /** Which snapshot a stream gets; asked once, when it connects. */
  readonly groupOf: (stream: S) => string;
  /**
   * Takes snapshots that refer to what they lack (`references` of `createResource`). Default:
   * false.
   */
  readonly allowDangling?: boolean;
}

export interface SnapshotCache<S extends CacheStream> {
  /** For `attachDiscovery`. */
  readonly hooks: CacheHooks<S>;
  /**
   * What a group is to have. Content that a client holds already isn't sent again.
   * Throws MeshError and changes nothing: `snapshot-dangling`, which names what is missing, or
   * `resource-limit` where a client couldn't come back with all of it (`maxRequestBytes`).
   */
  set(group: string, snapshot: Snapshot): void;
  get(group: string): Snapshot | undefined;
  /**
   * Forgets a group's snapshot. Its open streams keep what they have; new ones wait for the next
   * `set`. To take everything away, set an empty snapshot.
   */
  clear(group: string): void;
  /** The groups that have a snapshot, in the order of their first `set`. */
  groups(): readonly string[];
  /** A group's open streams, oldest first. */
  streams(group: string): readonly S[];
}

export function createSnapshotCache<S extends CacheStream>(
  options: SnapshotCacheOptions<S>,
): SnapshotCache<S> {
  const snapshots = new Map<string, Snapshot>();
  const streams = new Map<string, Set<S>>();
  const groups = new Map<S, string>();
  const hooks: CacheHooks<S> = {
    onConnect(stream) {
      const group = options.groupOf(stream);
      groups.set(stream, group);
      streams.set(group, (streams.get(group) ?? new Set()).add(stream));
      const snapshot = snapshots.get(group);
      if (snapshot !== undefined) stream.setSnapshot(snapshot);
    },
    onRequest: () => undefined,
    onUpdate: () => undefined,
    onDisconnect(stream) {
      const group = groups.get(stream);
      if (group === undefined) return;
      groups.delete(stream);
      const members = streams.get(group);
      members?.delete(stream);
      if (members?.size === 0) streams.delete(group);
    },
  };
  return {
    hooks,
    set(group, snapshot) {
      if (options.allowDangling !== true) checkReferences(snapshot);
      const members = [...(streams.get(group) ?? [])];
      for (const stream of members) stream.checkSnapshot?.(snapshot);
      snapshots.set(group, snapshot);
      for (const stream of members) stream.setSnapshot(snapshot);
    },
    get: (group) => snapshots.get(group),
    clear: (group) => {
      snapshots.delete(group);
    },
    groups: () => [...snapshots.keys()],
    streams: (group) => [...(streams.get(group) ?? [])],
  };
}

/** As many are named in an error. */
const MAX_NAMED = 10;

function checkReferences(snapshot: Snapshot): void {
  const dangling = findDangling(snapshot);
  if (dangling.length === 0) return;
  const named = dangling.slice(0, MAX_NAMED).map(toText);
  const more = dangling.length - named.length;
  if (more > 0) named.push(`and ${more} more`);
  const message = `expected a snapshot without dangling references but got ${named.join('; ')}`;
  throw new MeshError('snapshot-dangling', message);
}

function toText({ from, to, source }: Dangling): string {
  const place = source === undefined ? '' : ` (${toPlace(source)})`;
  return `${shorten(from.typeUrl)} "${from.name}"${place} → ${shorten(to.typeUrl)} "${to.name}"`;
}

/** `Cluster` of `type.googleapis.com/envoy.config.cluster.v3.Cluster`. */
function shorten(typeUrl: string): string {
  return typeUrl.slice(Math.max(typeUrl.lastIndexOf('.'), typeUrl.lastIndexOf('/')) + 1);
}
