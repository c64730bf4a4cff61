// Gives each connected sidecar what it is to have, and notes what it answers, in `Members` and in
// the registry. A stream gets its first snapshot when its leaf is there: all of its secrets, or
// nothing that needs them.
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Logger } from '../../base/index.js';
import type { DiscoveryHooks, StreamUpdate } from '../../grpc/index.js';
import type { LeafManager } from '../../leaves/index.js';
import { findService, type Mesh } from '../../policy/index.js';
import { type Request, TYPE_URLS } from '../../xds/index.js';
import { type Sidecar, toLeafSettings } from '../join/index.js';
import type { MeshInForce } from '../mesh/index.js';
import { Admission } from './admission.js';
import { BindRetries } from './bind-retries.js';
import type { Drains } from './drains.js';
import type { InstanceLimits } from './instance-limits.js';
import type { Member } from './member.js';
import type { Members } from './members.js';
import { noteSecrets } from './note-secrets.js';
import type { FindHolder } from './port-holder.js';
import type { Publisher } from './publisher.js';
import type { SidecarRegistry } from './registry.js';
import { Sender } from './sender.js';
import { type SidecarStream, toMeshError } from './sidecar-stream.js';
import type { StaticEnvoys } from './static-envoys.js';
import { logConnected, logDisconnected, logNack } from './stream-log.js';

export interface FleetOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly members: Members;
  readonly leaves: Pick<LeafManager, 'ensure' | 'get' | 'isTrusted' | 'release' | 'rest'>;
  readonly registry: SidecarRegistry;
  readonly staticEnvoys: StaticEnvoys;
  readonly publisher: Pick<Publisher, 'toPublication' | 'forget'>;
  readonly mesh: () => Mesh;
  /** That mesh, with what belongs to it. */
  readonly inForce: () => MeshInForce;
  /** How many sidecars there may be at once. */
  readonly maxInstances?: InstanceLimits | undefined;
  /** @throws MeshError where this sidecar is shut out. */
  readonly assertAdmitted: (sidecar: Sidecar) => void;
  readonly findHolder: FindHolder;
  readonly drains: Pick<Drains, 'has' | 'end'> & {
    readonly departures: Pick<Drains['departures'], 'has' | 'look' | 'end'>;
  };
}

type Answer = Exclude<StreamUpdate, { kind: 'request' }>;

export class Fleet implements DiscoveryHooks<Sidecar> {
  readonly #options: FleetOptions;
  readonly #bindRetries: BindRetries;
  readonly #admission: Admission;
  readonly #sender: Sender;

  constructor(options: FleetOptions) {
    this.#options = options;
    const { clock, logger, findHolder, members } = options;
    const onAdmitted = (stream: SidecarStream, first: Request | undefined): void =>
      this.#join(stream, first);
    this.#admission = new Admission({ ...options, onAdmitted });
    const onChange = (): void => members.changes.notify();
    this.#bindRetries = new BindRetries({ clock, logger, findHolder, onChange });
    this.#sender = new Sender(options);
  }

  onConnect(stream: SidecarStream): void {
    this.#admission.connect(stream);
  }

  /** @param first Its first request, where that has come already. */
  #join(stream: SidecarStream, first: Request | undefined): void {
    const { logger, members } = this.#options;
    const isFirst = !stream.auth.isStatic || !members.hasSidecar(stream.auth);
    const member = members.add(stream);
    this.#sender.add(member);
    if (isFirst) logConnected(logger, stream);
    this.#warnOfUndeclared(stream.auth);
    if (first !== undefined) this.onRequest(stream, first);
    this.#prepare(member);
  }

  /** What a list names for nothing, as long as nobody declares it. */
  #warnOfUndeclared({ node, outbound }: Sidecar): void {
    if (outbound.kind !== 'list') return;
    const mesh = this.#options.mesh();
    const callees = [...outbound.addresses.keys()].filter((one) => !findService(mesh, one));
    if (callees.length === 0) return;
    this.#options.logger.warn({ node, callees }, 'a sidecar lists callees that nobody declares');
  }

  onRequest(stream: SidecarStream, request: Request): void {
    const { members, drains, registry, logger } = this.#options;
    const { node } = stream.auth;
    const member = members.of(stream);
    if (member === undefined) this.#admission.noteRequest(stream, request);
    if (member !== undefined) drains.departures.look(stream, request);
    if (member === undefined || member.hasAsked) return;
    member.hasAsked = true;
    if (stream.auth.isStatic || !drains.has(node) || !isAfresh(request)) return;
    // A new Envoy, which is there to serve: the one that was drained is gone.
    registry.unready((sidecar) => sidecar.node === node);
    drains.end(node, 'a new Envoy of it has connected').catch((err: unknown) => {
      logger.error({ node, err }, 'the end of a drain could not be stored: it stays drained');
    });
  }

  onUpdate(stream: SidecarStream, update: StreamUpdate): void {
    const { logger, members } = this.#options;
    if (update.kind === 'nacked') logNack(logger, stream, update);
    const member = members.of(stream);
    member?.noteAnswer();
    if (member !== undefined) noteSecrets(member, this.#options);
    if (member !== undefined) this.#sender.answered(member);
    if (member !== undefined && update.kind !== 'request') this.#takeAnswer(member, update);
    members.changes.notify();
  }

  #takeAnswer(member: Member, { kind, typeUrl }: Answer): void {
    if (typeUrl === TYPE_URLS.listener) this.#bindRetries.look(member, kind);
    const { drains, registry } = this.#options;
    if (drains.departures.has(member.stream)) return;
    const unbound = member.unboundInbound;
    if (unbound !== undefined) registry.markReady(member.stream.auth, unbound);
  }

  onDisconnect(stream: SidecarStream): void {
    const { logger, members, registry, staticEnvoys, leaves } = this.#options;
    const { publisher, drains } = this.#options;
    this.#admission.forget(stream);
    const member = members.of(stream);
    if (member === undefined || !members.delete(stream)) return;
    this.#sender.delete(member);
    this.#admission.left(stream);
    this.#bindRetries.forget(stream);
    const { node, isStatic } = stream.auth;
    const isLast = !members.hasSidecar(stream.auth);
    if (isLast || !isStatic) logDisconnected(logger, stream);
    if (isStatic) staticEnvoys.close(stream);
    else registry.close(stream.auth);
    drains.departures.end(stream);
    if (isLast) publisher.forget(stream.auth);
    if (!members.hasNode(node)) leaves.release(node, member.mayHold);
    members.changes.notify();
  }

  /** Sends every sidecar what it is to have now. */
  publish(): void {
    this.#sender.publish();
  }

  stop(): void {
    this.#sender.stop();
  }

  /** Ends the streams of sidecars that are shut out. */
  shutOut(): void {
    const { members, logger } = this.#options;
    this.#admission.shutOut();
    for (const { stream } of members) {
      const refusal = this.#refusalOf(stream.auth);
      if (refusal === undefined) continue;
      logger.warn({ node: stream.auth.node, err: refusal }, 'a sidecar is shut out');
      stream.close(toMeshError(refusal));
    }
  }

  /** After a change of the mesh: leaves follow their services' identity and settings. */
  renewLeaves(): void {
    this.#admission.meshChanged();
    for (const member of this.#options.members) this.#prepare(member);
  }

  /** A node's leaf was renewed. */
  publishLeaf(node: string): void {
    const { members } = this.#options;
    for (const member of members) {
      if (member.stream.auth.node === node) this.#sender.publishTo(member);
    }
    // A sidecar that had none that would do held others up.
    members.changes.notify();
  }

  /** Makes sure of the stream's leaf, then sends what it is to have. */
  #prepare(member: Member): void {
    const { logger, leaves, members } = this.#options;
    const { stream, certificate } = member;
    const { node } = stream.auth;
    const service = findService(this.#options.mesh(), stream.auth.service);
    // No longer declared: what it had was taken away, and nothing is certified.
    if (service?.leaving !== undefined || service === undefined) leaves.rest(node);
    if (service === undefined || this.#refusalOf(stream.auth) !== undefined) return;
    const settings = toLeafSettings(service);
    // An edit of the mesh seldom concerns certificates, and the fleet may be large.
    if (certificate.kind !== 'none' && isDeepStrictEqual(certificate.settings, settings)) return;
    const making = { kind: 'making', settings } as const;
    member.set({ certificate: making });
    leaves
      .ensure(node, settings, toHolding(stream.auth))
      .then(() => {
        if (member.certificate !== making) return;
        member.set({ certificate: { kind: 'asked', settings } });
        this.#endPreparation(member);
      })
      .catch((error: unknown) => {
        logger.error({ node, err: error }, 'no certificate for a sidecar');
        if (member.certificate !== making) return;
        member.set({ certificate: { kind: 'asked', settings } });
        this.#endPreparation(member);
        // Without a leaf nobody tries again but the sidecar itself, when it comes back.
        if (member.sent !== undefined && leaves.get(node) !== undefined) return;
        members.refused.notify({ stream, error: toMeshError(error) });
        stream.close(toMeshError(error));
      });
  }

  /** Why the sidecar is shut out; undefined where it isn't. */
  #refusalOf(sidecar: Sidecar): unknown {
    try {
      this.#options.assertAdmitted(sidecar);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #endPreparation(member: Member): void {
    const { members } = this.#options;
    if (members.of(member.stream) !== member) return;
    this.#sender.publishTo(member);
    members.changes.notify();
  }
}

/** Whether a stream's first request comes from an Envoy that has nothing from an earlier one. */
function isAfresh({ interest }: Request): boolean {
  if (interest.variant === 'sotw') return interest.versionInfo === '';
  return interest.initialVersions.size === 0;
}

/** By what the stream was proved. */
function toHolding({ credential, addresses }: Sidecar) {
  const shownSerialHex = credential.kind === 'certificate' ? credential.serialHex : undefined;
  return { shownSerialHex, addresses };
}
