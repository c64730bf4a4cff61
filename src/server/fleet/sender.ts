// Sends each sidecar what it is to have: the first of each kind before the others (canaries.ts).
import { type Clock, type Logger, MeshError } from '../../base/index.js';
import type { LeafManager } from '../../leaves/index.js';
import type { Snapshot } from '../../xds/index.js';
import type { MeshInForce } from '../mesh/index.js';
import { Canaries } from './canaries.js';
import type { Member } from './member.js';
import type { Members } from './members.js';
import { noteSecrets } from './note-secrets.js';
import type { Publisher } from './publisher.js';
import type { StaticEnvoys } from './static-envoys.js';
import { toUnplaced } from './unplaced.js';

export interface SenderOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: Logger;
  readonly members: Members;
  readonly leaves: Pick<LeafManager, 'get' | 'isTrusted'>;
  readonly publisher: Pick<Publisher, 'toPublication'>;
  readonly staticEnvoys: StaticEnvoys;
  /** The mesh that all are to have, with what belongs to it. */
  readonly inForce: () => MeshInForce;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #canaries: Canaries;
  #isPublishing = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#canaries = new Canaries({
      ...{ clock: options.clock, newest: options.inForce },
      onRelease: (released) => this.#release(released),
    });
  }

  add(member: Member): void {
    // A static Envoy takes nothing that the others of its service do: it tries nothing for them.
    if (!member.stream.auth.isStatic) this.#canaries.add(member);
    member.holdOf = () => this.#canaries.holdOf(member);
  }

  delete(member: Member): void {
    this.#canaries.delete(member);
  }

  publish(): void {
    this.#isPublishing = true;
    const first = new Set(this.#canaries.begin());
    for (const member of first) this.publishTo(member);
    for (const member of this.#options.members) if (!first.has(member)) this.publishTo(member);
    this.#isPublishing = false;
  }

  stop(): void {
    this.#canaries.stop();
  }

  /** It took or rejected something. */
  answered(member: Member): void {
    const wasRejected = this.#canaries.isRejected(member);
    this.#canaries.look(member);
    if (wasRejected || !this.#canaries.isRejected(member)) return;
    const { node, service } = member.stream.auth;
    const text = 'the first of its kind rejected a new configuration: the others keep theirs';
    this.#options.logger.error({ node, service }, text);
  }

  /** The first of its kind has answered, so that others may be sent the same. */
  #release(released: readonly Member[]): void {
    // Their turn comes.
    if (this.#isPublishing) return;
    for (const member of released) this.publishTo(member);
    this.#options.members.changes.notify();
  }

  publishTo(member: Member): void {
    const { publisher, leaves, logger } = this.#options;
    const { stream, sent, ownState: state } = member;
    const { node } = stream.auth;
    const leaf = leaves.get(node);
    // One of a root that is gone is of no use: it is sent what there is with its next leaf.
    if (leaf === undefined || !leaves.isTrusted(node)) return;
    try {
      const mesh = this.#canaries.meshOf(member);
      const { snapshot, ...lacks } = publisher.toPublication(stream.auth, leaf, mesh);
      const unplaced = toUnplaced(lacks);
      if (unplaced !== undefined && unplaced !== sent?.unplaced) {
        logger.error({ node, reason: unplaced }, 'a sidecar cannot call some services');
      }
      const isNew = !isSame(sent?.snapshot, snapshot);
      const kept = isNew ? snapshot : (sent?.snapshot ?? snapshot);
      if (isNew || member.configuration.kind !== 'sent' || unplaced !== sent?.unplaced) {
        member.set({ configuration: { kind: 'sent', snapshot: kept, unplaced } });
      }
      member.noteSentLeaf(leaf, kept);
      if (isNew) stream.setSnapshot(snapshot);
      noteSecrets(member, this.#options);
      this.#canaries.noteSent(member, { before: { snapshot: sent?.snapshot, state }, after: kept });
    } catch (error) {
      const why = error instanceof MeshError ? error.message : 'internal error';
      const reason = `${why}: it keeps its last configuration`;
      member.set({ configuration: { kind: 'stuck', reason, last: sent } });
      logger.error({ node, err: error }, 'a sidecar keeps its last configuration');
      this.#canaries.noteStuck(member);
    }
  }
}

function isSame(old: Snapshot | undefined, next: Snapshot): boolean {
  if (old === undefined || old.size !== next.size) return false;
  return [...next].every(([typeUrl, set]) => old.get(typeUrl) === set);
}
