// The control loop, as a list of parts and of what follows from what. Whatever changes is
// translated and published (publishing.ts); whatever a sidecar answers may finish a phase
// (pacing.ts).
import type { Clock, Closers, Logger, Watch } from '../base/index.js';
import type { Authority } from '../ca/index.js';
import type { JsonStore } from '../data/index.js';
import type { LeafManager } from '../leaves/index.js';
import type { Mesh, ServiceName } from '../policy/index.js';
import { findRevocation } from '../revocation/index.js';
import type { NodeId } from '../spiffe/index.js';
import type { OutboundIndexes } from './addresses/index.js';
import {
  Applications,
  createFindHolder,
  type DrainRecord,
  Drains,
  Fleet,
  type InstanceLimits,
  Members,
  Publisher,
  type PublisherInput,
  type SidecarRegistry,
  type StaticEnvoys,
} from './fleet/index.js';
import { type MeshInForce, Rollout, type RolloutRecord, StepLog } from './mesh/index.js';
import { Pacing } from './pacing.js';
import { toDeclared, toFollowers } from './proxies.js';
import { Publishing } from './publishing.js';
import {
  type RevocationState,
  type ShutOut,
  toApplicant,
  toKnownNames,
  toRevoked,
} from './revocation/index.js';
import { SettledMesh } from './settled-mesh.js';
import { Statistics } from './telemetry/index.js';

export interface ControlOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is in force at first, or where a server that was killed stood. */
  readonly before: Mesh | RolloutRecord;
  readonly authority: Pick<Authority, 'trustAnchorsPem'>;
  readonly leaves: Pick<
    LeafManager,
    'ensure' | 'get' | 'troubleOf' | 'release' | 'rest' | 'isTrusted' | 'reconsider' | 'onRenewed'
  >;
  readonly registry: SidecarRegistry;
  readonly staticEnvoys: StaticEnvoys;
  readonly maxInstances?: InstanceLimits | undefined;
  readonly drainStore: JsonStore<readonly DrainRecord[]>;
  /** Instances that were being drained when the server stopped. */
  readonly drained: readonly DrainRecord[];
  readonly indexes: OutboundIndexes;
  readonly shutOut: Pick<ShutOut, 'assertAdmitted'>;
  readonly revocations: Watch<RevocationState>;
  /** Edits of the mesh file are put in force when an operator says so. */
  readonly isManual?: boolean;
  /** Makes durable where the rollout stands. */
  readonly storeRollout: (record: RolloutRecord) => Promise<void>;
  readonly isOnePhase?: boolean | undefined;
  /** Makes the mesh durable that the next start begins with. */
  readonly remember: (mesh: Mesh) => Promise<void>;
}

export interface Control {
  readonly members: Members;
  readonly rollout: Rollout;
  readonly stepLog: StepLog;
  readonly fleet: Fleet;
  readonly applications: Applications;
  readonly statistics: Statistics;
  readonly publishing: Publishing;
  readonly pacing: Pacing;
  readonly settled: SettledMesh;
  readonly drains: Drains;
}

export function createControl(options: ControlOptions, closers: Closers): Control {
  const { clock, logger, leaves, registry, staticEnvoys } = options;
  const { indexes, authority, shutOut } = options;
  const { storeRollout, remember, isOnePhase = false } = options;
  const statistics = new Statistics({ clock, onChange: () => members.changes.notify() });
  const members: Members = new Members({ clock, leaves, statistics });
  const stepLog = new StepLog(logger);
  const rollout = new Rollout(options.before, {
    clock,
    proxies: () => toFollowers({ members, registry, mesh: rollout.inForce.value }),
    isOnePhase,
    onChange: (old, now) => stepLog.note(old, now),
    ...{ store: storeRollout, isManual: options.isManual ?? false },
    onStoreError: (err) => logger.error({ err }, 'a step could not be stored: it waits'),
  });
  const settled = new SettledMesh({
    ...{ clock, logger, rollout },
    store: async (mesh) => {
      await Promise.all([remember(mesh), storeRollout(rollout.record)]);
    },
  });
  const drains = new Drains({
    ...{ clock, logger, members, registry },
    ...{ store: options.drainStore, records: options.drained },
    mesh: () => rollout.inForce.value,
  });
  const input = (): PublisherInput => toInput(options, rollout, drains);
  const publisher = new Publisher(input(), {
    indexes,
    anchorsPem: () => authority.trustAnchorsPem,
    clock,
    onChange: () => {
      publishing.endpointsChanged();
      pacing.lookSoon();
    },
  });
  const fleet = new Fleet({
    ...{ clock, logger, members, leaves, registry, staticEnvoys, publisher, drains },
    findHolder: createFindHolder(),
    mesh: () => rollout.inForce.value,
    inForce: () => toMeshInForce(rollout),
    maxInstances: options.maxInstances,
    assertAdmitted: (sidecar) =>
      shutOut.assertAdmitted(toApplicant(sidecar, rollout.inForce.value)),
  });
  const applications = new Applications({
    ...{ clock, logger },
    mesh: () => rollout.inForce.value,
    assertAdmitted: (sidecar) =>
      shutOut.assertAdmitted(toApplicant(sidecar, rollout.inForce.value)),
    onChange: () => members.changes.notify(),
  });
  const publishing = new Publishing({ clock, publisher, fleet, input });
  const pacing = new Pacing({ clock, publishing, rollout });
  closers.defer(() => {
    rollout.stop();
    pacing.stop();
    settled.stop();
    drains.stop();
    fleet.stop();
    publisher.stop();
  });
  const told = { fleet, applications, statistics };
  const paced = { rollout, stepLog, publishing, pacing, settled, drains };
  const control = { members, ...told, ...paced };
  connect(control, options);
  return control;
}

/** What follows from what. */
function connect(control: Control, options: ControlOptions): void {
  const { leaves, registry, staticEnvoys, revocations } = options;
  const { members, rollout, fleet, applications, publishing, pacing, settled, drains } = control;
  const relabel = (): void => registry.relabel((name) => toDeclared(rollout.inForce.value, name));
  relabel();
  rollout.inForce.onChange(() => {
    relabel();
    publishing.publish();
    fleet.renewLeaves();
    applications.meshChanged();
  });
  registry.endpoints.onChange(() => {
    publishing.endpointsChanged();
    pacing.lookSoon();
  });
  registry.departed.onChange(() => pacing.lookSoon());
  staticEnvoys.departed.onChange(() => pacing.lookSoon());
  members.changes.add(() => pacing.lookSoon());
  settled.changes.add(() => pacing.changes.notify());
  drains.changes.add(() => {
    publishing.publish();
    pacing.lookSoon();
  });
  pacing.changes.add(() => {
    if (!publishing.isStale) drains.advance();
  });
  leaves.onRenewed((node) => fleet.publishLeaf(node));
  evict(options, revocations.value, rollout.inForce.value);
  // In force everywhere at once, whatever phase runs.
  revocations.onChange((state) => {
    evict(options, state, rollout.inForce.value);
    publishing.publish();
    fleet.shutOut();
    applications.shutOut();
    pacing.lookSoon();
  });
}

/**
 * The trust anchors have changed, or leaves are issued by another CA.
 * @param isUrgent No leaf of the old one may wait.
 */
export function authorityChanged(
  { publishing, pacing }: Control,
  leaves: Pick<LeafManager, 'reconsider'>,
  isUrgent: boolean,
): void {
  // First, so that nobody is sent a leaf of a root that is gone.
  leaves.reconsider(isUrgent);
  publishing.publish();
  pacing.changes.notify();
}

function toInput(
  { registry, revocations }: ControlOptions,
  rollout: Rollout,
  drains: Pick<Drains, 'isClosed'>,
): PublisherInput {
  const { crls, ...marked } = revocations.value;
  const { mesh, marks } = toMeshInForce(rollout);
  const revokedIn = (one: MeshInForce) =>
    toRevoked(one.mesh, { ...marked, accessMarks: one.marks });
  return {
    ...{ mesh, endpoints: registry.endpoints.value, crlPem: crls?.pem },
    ...{ revoked: revokedIn({ mesh, marks }), revokedIn },
    isClosed: (sidecar) => drains.isClosed(sidecar),
  };
}

function toMeshInForce(rollout: Rollout): MeshInForce {
  return { mesh: rollout.inForce.value, marks: rollout.marks };
}

/** Who is shut out is no endpoint, and nobody waits for it. */
function evict(
  { registry, staticEnvoys }: Pick<ControlOptions, 'registry' | 'staticEnvoys'>,
  { list }: RevocationState,
  mesh: Mesh,
): void {
  const isOut = ({ service, node }: { readonly service: ServiceName; readonly node: NodeId }) => {
    const names = toKnownNames([mesh], service);
    return findRevocation(list, { service, names, node }) !== undefined;
  };
  registry.evict(isOut);
  staticEnvoys.evict(isOut);
}
