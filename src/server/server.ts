// The server, composed: inputs (mesh file, sidecars, certificates) → what is in force → what each
// stream is sent. Everything that must outlive it is stored before it is visible.
import {
  type Clock,
  Closers,
  type Logger,
  type Random,
  systemClock,
  systemRandom,
  systemUptime,
  type Uptime,
} from '../base/index.js';
import { lastHandedOutEndMs } from '../leaves/index.js';
import { type ProblemJson, toProblemJson } from '../policy/index.js';
import type { NodeId } from '../spiffe/index.js';
import { type AddressRange, createOwnAddresses, toAddressSet } from './addresses/index.js';
import { CaChange, IssuerRenewal } from './ca/index.js';
import { Returning, toCaProxies } from './ca-proxies.js';
import { authorityChanged, type Control, createControl } from './control.js';
import { DEFAULT_INSTANCE_LIMITS, type InstanceLimits } from './fleet/index.js';
import type { Renewable } from './folder/start-check.js';
import { followMembers } from './follow-members.js';
import { followMesh } from './follow-mesh.js';
import { openGuards } from './guards.js';
import { DEFAULT_OF_ADDRESS } from './join/bounds/index.js';
import { type HostPort, Refusals } from './join/index.js';
import { toStoredRollout } from './mesh/index.js';
import { takeOrders } from './orders.js';
import { passIssuerGate } from './revocation/index.js';
import { serveAdmin } from './serve-admin.js';
import { serveXds } from './serve-xds.js';
import { openState, type State } from './state.js';
import { HorizonWatch } from './status/index.js';

export interface ServerOptions {
  readonly meshPath: string;
  readonly dataPath: string;
  /** Port 0 takes a free one. */
  readonly xds: HostPort;
  readonly admin: HostPort;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly uptime?: Uptime;
  /** The operator's word that the clock is right, whatever was seen before. */
  readonly isClockRight?: boolean;
  readonly random?: Random;
  /** What can't be a sidecar's address otherwise; default: nothing. */
  readonly allowedAddresses?: readonly AddressRange[];
  /** How many sidecars there may be at once. */
  readonly maxInstances?: InstanceLimits;
  /** How many connections of the xDS port one address may have. */
  readonly connectionsOfAddress?: number;
  /** The operator goes on without these, where they are lost. */
  readonly anew?: readonly Renewable[];
  /** Edits of the mesh file are put in force when an operator says so: `countersign apply`. */
  readonly isManual?: boolean;
  /** Opens the CA's keys, and encrypts what is stored of them; undefined: they lie open. */
  readonly caPassphrase?: string;
  /** For tests, which must see that this fails requests: every edit is one phase. */
  readonly isOnePhase?: boolean;
}

export interface RunningServer {
  readonly xdsAddress: HostPort;
  readonly adminAddress: HostPort;
  /** `outsideUrl`: the CA is not the server's own. */
  readonly authority: { readonly created: boolean; readonly outsideUrl: string | undefined };
  /**
   * The mesh that it started with; errors among the problems mean an earlier one than the file's.
   */
  readonly mesh: { readonly version: string; readonly problems: readonly ProblemJson[] };
  /** Ends streams and listeners, in order, and gives the data folder back. */
  close(): Promise<void>;
}

/**
 * Starts the server; it serves when the promise resolves.
 * @throws MeshError mesh-invalid (MeshProblems), mesh-unreadable, data-unwritable, data-locked,
 * data-lost, data-damaged, data-exposed, port-in-use, identity-invalid.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const closers = new Closers();
  try {
    return await compose(options, closers);
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** The parts, each made of those before it. */
async function compose(options: ServerOptions, closers: Closers): Promise<RunningServer> {
  const { logger, random = systemRandom, isClockRight = false } = options;
  const { meshPath, dataPath, caPassphrase } = options;
  const { allowedAddresses = [], maxInstances = DEFAULT_INSTANCE_LIMITS } = options;
  const allowed = toAddressSet(allowedAddresses);
  const places = { meshPath, dataPath, caPassphrase, xdsHost: options.xds.host };
  const { clock: systemTime = systemClock, uptime = systemUptime } = options;
  const time = { systemTime, uptime, isClockRight };
  const bounds = { allowed, maxInstances, anew: new Set(options.anew) };
  const state = await openState({ ...places, ...time, ...bounds, logger, random }, closers);
  const { clock } = state;
  const { isManual = false, isOnePhase } = options;
  const modes = { isManual, isOnePhase };
  const control = openControl(state, { clock, logger, closers, maxInstances, ...modes });
  const basics = { state, control, clock, logger, closers };
  const horizon = openHorizon(basics);
  const caChange = openCaChange(basics);
  const orders = await takeOrders({ ...basics, caChange, caPassphrase, random }, closers);
  const listening: HostPort[] = [];
  const site = { allowed, isOwn: createOwnAddresses(clock), listening };
  const refusals = new Refusals(clock);
  const unguarded = { ...basics, site, horizon, caChange, orders, refusals };
  const ofAddress = options.connectionsOfAddress ?? DEFAULT_OF_ADDRESS;
  const parts = { ...unguarded, guards: openGuards(unguarded, { ofAddress }, closers) };
  const xdsAddress = await serveXds(options.xds, parts, closers);
  const { members } = control;
  followMembers({ members, roster: state.roster, refusals: parts.refusals }, closers);
  const adminAddress = await serveAdmin(options.admin, parts, closers);
  listening.push(xdsAddress, adminAddress);
  const { created, outsideUrl, source, indexes, dataWatch } = state;
  const { rollout, pacing } = control;
  const onChange = (): void => pacing.changes.notify();
  const sidecars = () => members.view().map(({ stream }) => stream.auth);
  const follow = { source, indexes, rollout, clock, logger, sidecars, onChange };
  closers.defer(followMesh(follow));
  dataWatch.start();
  horizon.start();
  // The operator's word first: a change that is to be taken back must not go on before it is seen.
  await orders.look().catch((err: unknown) => {
    logger.error({ err }, 'an order could not be carried out: it is tried again');
  });
  caChange?.start();
  followClock(basics);
  const { mesh, problems } = source.state;
  return {
    xdsAddress,
    adminAddress,
    authority: { created, outsideUrl },
    mesh: { version: mesh.version, problems: problems.map(toProblemJson) },
    close: () => closers.close(),
  };
}

interface Basics {
  readonly state: State;
  readonly control: Control;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly closers: Closers;
}

function openControl(
  state: State,
  {
    maxInstances,
    isManual,
    isOnePhase,
    ...basics
  }: Omit<Basics, 'state' | 'control'> & {
    readonly maxInstances: InstanceLimits;
    readonly isManual: boolean;
    readonly isOnePhase: boolean | undefined;
  },
): Control {
  const { clock, logger, closers } = basics;
  const { source, rolloutStore, revocations, ownAuthority } = state;
  const { authority, leaves, registry, staticEnvoys, indexes, shutOut } = state;
  const control = createControl(
    {
      ...{ clock, logger, authority, leaves, registry, staticEnvoys, indexes, shutOut },
      ...{
        maxInstances,
        isManual,
        isOnePhase,
        drainStore: state.drainStore,
        drained: state.drained,
      },
      before: state.rollout ?? source.remembered ?? source.state.mesh,
      revocations: revocations.inForce,
      storeRollout: (record) => rolloutStore.write(toStoredRollout(record)),
      remember: (mesh) => source.remember(mesh),
    },
    closers,
  );
  ownAuthority?.onNewIssuer(() =>
    passIssuerGate({
      ...{ revocations, clock },
      proxies: () => control.members.view(),
      onChange: (listener) => control.pacing.changes.add(listener),
    }),
  );
  return control;
}

function openHorizon({ state, control, clock, logger, closers }: Basics): HorizonWatch {
  const { authority, ownAuthority, credential, revocations, tokens } = state;
  const horizon = new HorizonWatch({
    ...{ authority, ownAuthority, credential, clock, logger },
    crl: () => revocations.crlPeriod,
    members: () => control.members.view(),
    mesh: () => control.rollout.inForce.value,
    keyEndMs: (keyId) => tokens.endOf(keyId),
  });
  closers.defer(() => horizon.stop());
  return horizon;
}

/** What a clock that was set changes, beside what goes by the clock anyway. */
function followClock({ state, control, clock, logger, closers }: Basics): void {
  const { ownAuthority, leaves, credential, dataWatch, disk } = state;
  const renewal = ownAuthority && new IssuerRenewal({ authority: ownAuthority, clock, logger });
  closers.defer(() => renewal?.stop());
  void renewal?.look();
  const { changes } = control.pacing;
  closers.defer(
    state.clock.changes.add(() => {
      void renewal?.look();
      leaves.reconsider();
      credential.reconsider();
      void dataWatch.check();
      changes.notify();
    }),
  );
  closers.defer(disk.changes.add(() => changes.notify()));
  state.clock.start();
}

/** Undefined where the CA is an outside one. */
function openCaChange({ state, control, clock, logger, closers }: Basics): CaChange | undefined {
  const { ownAuthority: authority, dataDir, dataGuard, leaves } = state;
  const { registry, staticEnvoys, roster, shutOut } = state;
  if (authority === undefined) return undefined;
  const { members } = control;
  const onOver = (): void => control.pacing.changes.notify();
  const returning = new Returning({ clock, roster, onOver });
  closers.defer(() => returning.stop());
  const isShutOut = (node: NodeId): boolean => shutOut.isRevokedNode(node);
  const toPaced = { clock, members, registry, staticEnvoys, leaves, isShutOut };
  const caChange = new CaChange({
    ...{ authority, dataDir, clock, logger },
    proxies: () => toCaProxies(toPaced, returning.nodes),
    handedOutEndMs: async (than) => {
      await dataGuard.assertWhole();
      return lastHandedOutEndMs(dataDir, than);
    },
    hold: () => state.clock.hold,
    onChange: (isUrgent) => authorityChanged(control, leaves, isUrgent),
  });
  closers.defer(() => caChange.stop());
  control.pacing.changes.add(() => void caChange.advance());
  return caChange;
}
