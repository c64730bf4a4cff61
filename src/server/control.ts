// The control loop: mesh in force, endpoints and certificates on one side, the connected sidecars
// on the other. Whatever changes is translated and published; whatever a proxy answers may finish a
// phase.

import type { Cancel, Clock, Closers, Logger } from '../base/index.js';
import type { Mesh } from '../policy/index.js';
import { findRevocation } from '../revocation/index.js';
import type { CaProxy } from './ca/index.js';
import { Fleet, type MemberView, Publisher, type PublisherInput } from './fleet/index.js';
import type { MeshState } from './mesh/index.js';
import { type ProxyState, Rollout, STORE_RETRY_MS, toStoredRollout } from './mesh/index.js';
import { toApplicant, toRevoked } from './revocation/index.js';
import type { State } from './state.js';
import type { Horizon } from './status/index.js';
import { HorizonWatch } from './status/index.js';

/** How long answers and changes of endpoints are gathered before they are acted on. */
const GATHER_MS = 10;
/** While many sidecars join: publishing gets at most one part in this plus one of the time. */
const REST = 3;
const LONGEST_GATHER_MS = 1_000;

export interface ControlOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Control {
  readonly rollout: Rollout;
  readonly fleet: Fleet;
  readonly #options: ControlOptions;
  readonly #publisher: Publisher;
  readonly #horizon: HorizonWatch;
  readonly #listeners = new Set<() => void>();
  #settled: Mesh | undefined;
  #cancelLook: Cancel | undefined;
  #cancelSettle: Cancel | undefined;
  /** Endpoints have changed since they were published. */
  #isStale = false;
  #gatherMs = GATHER_MS;

  constructor(options: ControlOptions, closers: Closers) {
    this.#options = options;
    const { state, clock, logger } = options;
    const { source, registry, leaves, indexes, authority, rolloutStore, revocations } = state;
    this.rollout = new Rollout(state.rollout ?? source.remembered ?? source.state.mesh, {
      clock,
      proxies: () => this.#proxies(),
      store: (record) => rolloutStore.write(toStoredRollout(record)),
      onStoreError: (err) => logger.error({ err }, 'a phase could not be stored: it waits'),
      onSettled: () => this.#settle(),
    });
    closers.defer(() => {
      this.rollout.stop();
      this.#cancelLook?.();
      this.#cancelSettle?.();
    });
    const anchorsPem = (): string => authority.trustAnchorsPem;
    this.#publisher = new Publisher(this.#toInput(), { indexes, anchorsPem });
    this.fleet = new Fleet({
      clock,
      logger,
      leaves,
      registry,
      publisher: this.#publisher,
      mesh: () => this.rollout.inForce.value,
      assertAdmitted: (sidecar) => revocations.assertAdmitted(toApplicant(sidecar)),
      onChange: () => this.#lookSoon(),
    });
    this.#horizon = new HorizonWatch({
      ...{ authority, credential: state.credential, clock, logger },
      crl: () => revocations.crlPeriod,
      members: () => this.fleet.view(),
      mesh: () => this.rollout.inForce.value,
    });
    closers.defer(() => this.#horizon.stop());
    this.rollout.inForce.onChange(() => {
      this.#publish();
      this.fleet.renewLeaves();
    });
    registry.endpoints.onChange(() => {
      this.#isStale = true;
      this.#lookSoon();
    });
    this.#evict();
    revocations.inForce.onChange(() => this.#shutOut());
    registry.departed.onChange(() => this.#lookSoon());
    leaves.onRenewed((node) => this.fleet.publishLeaf(node));
  }

  /** Begins to put the mesh in force, as it is and as it changes. */
  start(): void {
    const { source, dataWatch } = this.#options.state;
    this.#logProblems(source.state);
    this.rollout.start(source.state.mesh);
    this.rollout.advance();
    source.start();
    dataWatch.start();
    this.#horizon.start();
  }

  /** The connected sidecars, and what would fail first if the server stopped now. */
  viewOfFleet(): { readonly members: readonly MemberView[]; readonly horizon: Horizon } {
    const members = this.fleet.view();
    return { members, horizon: this.#horizon.current(members) };
  }

  /**
   * The mesh that is in force and stored; undefined before the first, and while endpoints are about
   * to be published.
   */
  get settled(): Mesh | undefined {
    return this.#isStale ? undefined : this.#settled;
  }

  /** The mesh file changed. */
  takeMesh({ mesh, problems }: MeshState): void {
    const { logger, state } = this.#options;
    this.#tell();
    if (this.#logProblems({ problems })) return;
    logger.info({ mesh: mesh.version }, 'mesh changed');
    state.indexes
      .ensure(mesh.services.keys())
      .then(() => {
        // A newer mesh may have come while the indexes were stored.
        if (state.source.state.mesh !== mesh) return;
        this.rollout.start(mesh);
        this.rollout.advance();
        this.#tell();
      })
      .catch((err: unknown) => logger.error({ err }, 'the mesh could not be put in force'));
  }

  /** Whether the file has errors, which are logged. */
  #logProblems({ problems }: Pick<MeshState, 'problems'>): boolean {
    const errors = problems.filter(({ severity }) => severity === 'error');
    if (errors.length === 0) return false;
    const message = 'the mesh has problems: the last good one stays in force';
    this.#options.logger.error({ problems: errors }, message);
    return true;
  }

  /** Calls back when a proxy answered, came or went, or the mesh changed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The trust anchors are others, or leaves are issued by another CA. */
  authorityChanged(): void {
    this.#publish();
    this.#options.state.leaves.reconsider();
    this.#tell();
  }

  /** The proxies that a change of the trust anchors waits for. */
  caProxies(): readonly CaProxy[] {
    const { leaves } = this.#options.state;
    return this.#proxies().map((proxy) => ({ ...proxy, isCurrent: leaves.isCurrent(proxy.node) }));
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #toInput(): PublisherInput {
    const { registry, revocations } = this.#options.state;
    const mesh = this.rollout.inForce.value;
    const { crls, ...revoked } = revocations.inForce.value;
    return {
      mesh,
      endpoints: registry.endpoints.value,
      revoked: toRevoked(mesh, { ...revoked, accessMarks: this.rollout.marks }),
      crlPem: crls?.pem,
    };
  }

  /** Revocations changed: in force everywhere at once, whatever phase runs. */
  #shutOut(): void {
    this.#evict();
    this.#publish();
    this.fleet.shutOut();
    this.#lookSoon();
  }

  #evict(): void {
    const { registry, revocations } = this.#options.state;
    const { list } = revocations.inForce.value;
    registry.evict(({ service, node }) => findRevocation(list, { service, node }) !== undefined);
  }

  /**
   * Many sidecars that come or answer at once are one push to the others, and one look at the
   * phase.
   */
  #lookSoon(): void {
    const { clock } = this.#options;
    const gatherMs = this.#isStale ? this.#gatherMs : GATHER_MS;
    this.#cancelLook ??= clock.after(gatherMs, () => {
      this.#cancelLook = undefined;
      if (this.#isStale) this.#publish();
      this.rollout.advance();
      this.#tell();
    });
  }

  #publish(): void {
    const { clock } = this.#options;
    const beganMs = clock.now();
    this.#isStale = false;
    this.#publisher.update(this.#toInput());
    this.fleet.publish();
    const tookMs = clock.now() - beganMs;
    this.#gatherMs = Math.min(LONGEST_GATHER_MS, Math.max(GATHER_MS, tookMs * REST));
  }

  #proxies(): { readonly node: string; readonly state: ProxyState }[] {
    const connected = this.fleet.view().map(({ stream, state }) => ({
      node: stream.auth.node,
      state,
    }));
    const missing = this.#options.state.registry.missing();
    return [...connected, ...missing.map((node) => ({ node, state: 'pending' as const }))];
  }

  #settle(): void {
    const { logger, state } = this.#options;
    const mesh = this.rollout.inForce.value;
    const stored = toStoredRollout(this.rollout.record);
    Promise.all([state.source.remember(mesh), state.rolloutStore.write(stored)])
      .then(() => {
        this.#settled = mesh;
        logger.info({ mesh: mesh.version }, 'mesh in force');
        this.#tell();
      })
      .catch((err: unknown) => {
        logger.error({ err }, 'the mesh in force could not be stored: it is tried again');
        this.#cancelSettle = this.#options.clock.after(STORE_RETRY_MS, () => {
          if (this.rollout.inForce.value === mesh) this.#settle();
        });
      });
  }
}
