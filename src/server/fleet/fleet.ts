// The connected sidecars: what each is to have, whether it has it, and what that means for the
// registry and for the running phase. A stream gets its first snapshot when its leaf is there: all
// of its secrets or nothing that needs them.

import { isDeepStrictEqual } from 'node:util';
import { type Clock, type Logger, MeshError, toPlace, toRfc3339 } from '../../base/index.js';
import type { Leaf } from '../../ca/index.js';
import type { DiscoveryHooks, DiscoveryStream, StreamUpdate } from '../../grpc/index.js';
import type { LeafManager, LeafSettings } from '../../leaves/index.js';
import type { Mesh } from '../../policy/index.js';
import { isCallersSecret } from '../../translate/index.js';
import { type Snapshot, TYPE_URLS } from '../../xds/index.js';
import { describeCredential, type Sidecar, toLeafSettings } from '../join/index.js';

import type { ProxyState } from '../mesh/index.js';
import type { Publisher } from './publisher.js';
import { type SidecarRegistry, toKey } from './registry.js';

export type SidecarStream = DiscoveryStream<Sidecar>;

export interface FleetOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaves: LeafManager;
  readonly registry: SidecarRegistry;
  readonly publisher: Publisher;
  readonly mesh: () => Mesh;
  /** @throws MeshError where this sidecar is shut out. */
  readonly assertAdmitted: (sidecar: Sidecar) => void;
  /** A proxy came, answered or went. */
  readonly onChange: () => void;
}

interface Member {
  readonly stream: SidecarStream;
  snapshot: Snapshot | undefined;
  /** As last computed; undefined since something happened that may change it. */
  state: ProxyState | undefined;
  /** What its leaf is by the mesh in force; its certificate may not be there yet. */
  leafSettings: LeafSettings | undefined;
  /** A certificate by `leafSettings` is being made sure of. */
  leafPending: boolean;
  /** Why the sidecar doesn't have all that it is to have, beside what Envoy says. */
  readonly troubles: Map<Trouble, string>;
}

type Trouble =
  /** It keeps what it had: nothing of the newest mesh is in force there. */
  | 'configuration'
  | 'certificate'
  /** Services that it can't call; all else is in force. */
  | 'outbound';

/** What the operator is told of one stream. */
export interface MemberView {
  readonly stream: SidecarStream;
  readonly leaf: Leaf | undefined;
  /** What the sidecar is to have; undefined before its certificate is there. */
  readonly snapshot: Snapshot | undefined;
  readonly state: ProxyState;
  /** Why it doesn't have all of that, beside what Envoy itself rejected. */
  readonly troubles: readonly string[];
}

/** So many services are named of those that a prefix is too small for. */
const UNPLACED_TOLD = 5;

export class Fleet implements DiscoveryHooks<Sidecar> {
  readonly #options: FleetOptions;
  readonly #members = new Map<SidecarStream, Member>();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  onConnect(stream: SidecarStream): void {
    const { registry, logger } = this.#options;
    const { node, service, address } = stream.auth;
    const declared = this.#options.mesh().services.get(service);
    try {
      // Once more: it may have been shut out since it was authenticated.
      this.#options.assertAdmitted(stream.auth);
      registry.open({ node, service, address }, (declared?.ports.length ?? 0) > 0);
    } catch (error) {
      const holder = registry.holderOf({ node, service, address });
      logger.warn({ node, address, holder, err: error }, 'sidecar refused');
      stream.close(toMeshError(error));
      return;
    }
    this.#members.set(stream, {
      stream,
      snapshot: undefined,
      state: undefined,
      leafSettings: undefined,
      leafPending: true,
      troubles: new Map(),
    });
    const userAgent = `${stream.node.userAgentName} ${stream.node.userAgentVersion}`.trim();
    const { variant, auth } = stream;
    const credential = describeCredential(auth.credential);
    const fields = { node, address, variant, userAgent, credential };
    logger.info(fields, 'sidecar connected');
    this.#prepare(stream);
  }

  onUpdate(stream: SidecarStream, update: StreamUpdate): void {
    if (update.kind === 'nacked') this.#logNack(stream, update);
    const member = this.#members.get(stream);
    if (member !== undefined) member.state = undefined;
    if (member !== undefined && update.kind === 'acked' && this.#servesNow(member)) {
      this.#options.registry.markReady(stream.auth);
    }
    this.#options.onChange();
  }

  onDisconnect(stream: SidecarStream): void {
    if (!this.#members.delete(stream)) return;
    const { node } = stream.auth;
    this.#options.logger.info({ node }, 'sidecar disconnected');
    this.#options.registry.close(stream.auth);
    this.#forget(stream.auth);
    if (![...this.#members.keys()].some((other) => other.auth.node === node)) {
      this.#options.leaves.release(node);
    }
    this.#options.onChange();
  }

  #forget(sidecar: Sidecar): void {
    const key = toKey(sidecar);
    if ([...this.#members.keys()].some(({ auth }) => toKey(auth) === key)) return;
    this.#options.publisher.forget(sidecar);
  }

  /** Sends every sidecar what it is to have now. */
  publish(): void {
    for (const member of this.#members.values()) this.#publishTo(member);
  }

  /** Ends the streams of sidecars that are shut out. */
  shutOut(): void {
    for (const { stream } of [...this.#members.values()]) {
      try {
        this.#options.assertAdmitted(stream.auth);
      } catch (err) {
        this.#options.logger.warn({ node: stream.auth.node, err }, 'a sidecar is shut out');
        stream.close(toMeshError(err));
      }
    }
  }

  /** After a change of the mesh: leaves follow their services' identity and settings. */
  renewLeaves(): void {
    for (const stream of this.#members.keys()) this.#prepare(stream);
  }

  /** A node's leaf was renewed. */
  publishLeaf(node: string): void {
    for (const member of this.#members.values()) {
      if (member.stream.auth.node === node) this.#publishTo(member);
    }
  }

  /** Each connected sidecar once: of several streams of one, the newest. */
  view(): readonly MemberView[] {
    const newest = new Map<string, Member>();
    for (const member of this.#members.values()) newest.set(toKey(member.stream.auth), member);
    return [...newest.values()].map((member) => this.#toView(member));
  }

  #toView(member: Member): MemberView {
    const { stream, snapshot, troubles } = member;
    const leaf = this.#options.leaves.get(stream.auth.node);
    const told = [...troubles.values()];
    if (leaf !== undefined && leaf.notAfterMs <= this.#options.clock.now()) {
      const ended = toRfc3339(leaf.notAfterMs);
      return {
        stream,
        snapshot,
        leaf,
        state: 'nacked',
        troubles: [...told, `its certificate ended ${ended}`],
      };
    }
    member.state ??= toState(member);
    return { stream, snapshot, leaf, state: member.state, troubles: told };
  }

  /** Makes sure of the stream's leaf, then sends what it is to have. */
  #prepare(stream: SidecarStream): void {
    const { logger, leaves } = this.#options;
    const member = this.#members.get(stream);
    const service = this.#options.mesh().services.get(stream.auth.service);
    // No longer declared: what it had was taken away; nothing is certified.
    if (member === undefined || service === undefined) return;
    if (!this.#isAdmitted(stream.auth)) return;
    const settings = toLeafSettings(service);
    // An edit of the mesh seldom concerns certificates; the fleet may be large.
    if (isDeepStrictEqual(member.leafSettings, settings)) return;
    member.leafSettings = settings;
    member.leafPending = true;
    member.state = undefined;
    leaves
      .ensure(stream.auth.node, settings)
      .then(() => {
        if (member.leafSettings !== settings) return;
        member.troubles.delete('certificate');
        this.#endPreparation(member);
      })
      .catch((error: unknown) => {
        logger.error({ node: stream.auth.node, err: error }, 'no certificate for a sidecar');
        if (member.leafSettings !== settings) return;
        member.troubles.set('certificate', `no certificate: ${toMeshError(error).message}`);
        this.#endPreparation(member);
        if (member.snapshot === undefined) stream.close(toMeshError(error));
      });
  }

  #isAdmitted(sidecar: Sidecar): boolean {
    try {
      this.#options.assertAdmitted(sidecar);
      return true;
    } catch {
      return false;
    }
  }

  #endPreparation(member: Member): void {
    member.leafPending = false;
    member.state = undefined;
    if (this.#members.get(member.stream) !== member) return;
    this.#publishTo(member);
    this.#options.onChange();
  }

  #publishTo(member: Member): void {
    const { publisher, leaves, logger } = this.#options;
    const { stream, troubles } = member;
    const { node } = stream.auth;
    const leaf = leaves.get(node);
    if (leaf === undefined) return;
    try {
      const { snapshot, unplaced } = publisher.toPublication(stream.auth, leaf);
      troubles.delete('configuration');
      this.#noteUnplaced(member, unplaced);
      if (isSame(member.snapshot, snapshot)) return;
      member.snapshot = snapshot;
      member.state = undefined;
      stream.setSnapshot(snapshot);
    } catch (error) {
      member.state = undefined;
      troubles.set('configuration', 'internal error: it keeps its last configuration');
      logger.error({ node, err: error }, 'a sidecar keeps its last configuration');
    }
  }

  #noteUnplaced({ stream, troubles }: Member, unplaced: readonly string[]): void {
    const before = troubles.get('outbound');
    if (unplaced.length === 0) {
      troubles.delete('outbound');
      return;
    }
    const names = unplaced.slice(0, UNPLACED_TOLD).join(', ');
    const text = `outbound prefix too small for ${unplaced.length} services: ${names}`;
    troubles.set('outbound', text);
    if (before === text) return;
    const fields = { node: stream.auth.node, services: unplaced.length, reason: text };
    this.#options.logger.error(fields, 'a sidecar cannot call some services');
  }

  /** The sidecar has its listeners, and the secrets without which they don't serve. */
  #servesNow({ stream, snapshot }: Member): boolean {
    const listeners = snapshot?.get(TYPE_URLS.listener);
    if (snapshot === undefined || listeners === undefined) return false;
    return [...listeners.resources.values()].every(({ name, version }) =>
      stream.isInForce({ typeUrl: TYPE_URLS.listener, name, version }),
    );
  }

  #logNack(stream: SidecarStream, update: StreamUpdate & { kind: 'nacked' }): void {
    const { rejection, typeUrl } = update;
    // What is at fault is still being looked for: the last rejection names it.
    if (rejection.searching === true) return;
    const sources = rejection.resources.flatMap(({ source }) =>
      source === undefined ? [] : [toPlace(source)],
    );
    const resources = rejection.resources.map(({ name }) => name);
    const fields = { node: stream.auth.node, typeUrl, resources, sources };
    this.#options.logger.error(
      { ...fields, reason: rejection.message },
      'a proxy rejected its configuration',
    );
  }
}

/**
 * In force is more than acknowledged: everything that the configuration refers to (routes,
 * endpoints, extension configurations, secrets) must have been asked for and taken, on the same
 * stream.
 */
function toState({ stream, snapshot, troubles, leafPending }: Member): ProxyState {
  if (troubles.has('configuration') || troubles.has('certificate')) return 'nacked';
  const reports = stream.state();
  const rejections = reports.flatMap(({ rejection }) => rejection ?? []);
  if (rejections.some((rejection) => !isBindFailure(rejection))) return 'nacked';
  const unbound = new Set(rejections.flatMap(({ resources }) => resources.map(({ name }) => name)));
  if (snapshot === undefined || leafPending) return 'pending';
  if (reports.some(({ pending }) => pending)) return 'pending';
  const needsSecrets = (snapshot.get(TYPE_URLS.cluster)?.resources.size ?? 0) > 0;
  for (const [typeUrl, { resources }] of snapshot) {
    if (typeUrl === TYPE_URLS.secret && !needsSecrets) continue;
    for (const { name, version } of resources.values()) {
      if (typeUrl === TYPE_URLS.listener && unbound.has(name)) continue;
      // Only listeners ask for it, which may be the ones that aren't there.
      if (unbound.size > 0 && isCallersSecret(name)) continue;
      if (!stream.isInForce({ typeUrl, name, version })) return 'pending';
    }
  }
  if (rejections.length > 0 || troubles.has('outbound')) return 'unbound';
  return stream.isSynced() ? 'synced' : 'pending';
}

/** Envoy says so in words only (ListenerManagerImpl, 1.36 to 1.40). */
function isBindFailure({ message }: { readonly message: string }): boolean {
  return message.includes('cannot bind');
}

function isSame(old: Snapshot | undefined, next: Snapshot): boolean {
  if (old === undefined || old.size !== next.size) return false;
  return [...next].every(([typeUrl, set]) => old.get(typeUrl) === set);
}

function toMeshError(error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  return new MeshError('certificate-invalid', 'no certificate could be issued', { cause: error });
}
