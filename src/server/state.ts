// What the data folder holds, opened and checked: all that must outlive the server.
import { isIP } from 'node:net';
import type { Clock, Closers, Logger, Random, Uptime } from '../base/index.js';
import { loadOrCreateServerCredential, type ServerCredential } from '../ca/xds/index.js';
import {
  createJsonStore,
  type DataDir,
  DataWatch,
  DiskWatch,
  type JsonStore,
  openDataDir,
  TOKEN_KEYS_FILE,
} from '../data/index.js';
import { ORDERS_FOLDER } from '../data/orders/index.js';
import { createRenewalLog, LeafManager } from '../leaves/index.js';
import type { ServiceName } from '../policy/index.js';
import { REVOCATIONS_FOLDER } from '../revocation/index.js';
import {
  createTokenKeys,
  openSidecarsFile,
  SIDECARS_FILE,
  type TokenKeys,
} from '../tokens/index.js';
import {
  type AddressSet,
  createOutboundIndexes,
  indexTableSchema,
  type OutboundIndexes,
  toSidecarAddress,
} from './addresses/index.js';
import { type OpenedAuthority, openAuthority } from './ca/index.js';
import { ClockWatch, clockSchema } from './clock/index.js';
import { DataGuard } from './data-guard.js';
import {
  type DrainRecord,
  drainsSchema,
  type InstanceLimits,
  Roster,
  registrySchema,
  SidecarRegistry,
} from './fleet/index.js';
import {
  MeshSource,
  meshFilesSchema,
  ROLLOUT_FILE,
  ROLLOUT_VERSION,
  type RolloutRecord,
  rolloutSchema,
  STORED_MESH,
  type StoredRollout,
  toRolloutRecord,
} from './mesh/index.js';
import { RevocationSource, ShutOut } from './revocation/index.js';
import { takeUp } from './take-up.js';

export interface State extends OpenedAuthority {
  readonly source: MeshSource;
  readonly dataDir: DataDir;
  readonly tokens: TokenKeys;
  readonly credential: ServerCredential;
  readonly indexes: OutboundIndexes;
  readonly registry: SidecarRegistry;
  /** Who is connected, and who was. */
  readonly roster: Roster;
  /** Where the rollout stood; undefined before the first. */
  readonly rollout: RolloutRecord | undefined;
  readonly rolloutStore: JsonStore<StoredRollout>;
  /** Instances that are drained, as they were stored. */
  readonly drained: readonly DrainRecord[];
  readonly drainStore: JsonStore<readonly DrainRecord[]>;
  readonly leaves: LeafManager;
  /** Who is shut out, as `revocations` last read it. */
  readonly shutOut: ShutOut;
  readonly revocations: RevocationSource;
  /** Whether the data folder is still the one that was opened. */
  readonly dataGuard: DataGuard;
  /** Commands change the data folder beside the server. */
  readonly dataWatch: DataWatch;
  /** Whether the data folder can be written. */
  readonly disk: DiskWatch;
  /** What everything else reads the time from. */
  readonly clock: ClockWatch;
}

export interface StateOptions {
  readonly meshPath: string;
  readonly dataPath: string;
  /** Where the xDS port listens, as it was given. */
  readonly xdsHost: string;
  /** Opens the CA's keys, and encrypts them. */
  readonly caPassphrase: string | undefined;
  /** What can't be a sidecar's address otherwise. */
  readonly allowed: AddressSet;
  readonly maxInstances: InstanceLimits;
  readonly logger: Logger;
  readonly systemTime: Clock;
  readonly uptime: Uptime;
  /** The operator's word that the clock is right. */
  readonly isClockRight: boolean;
  readonly random: Random;
}

/**
 * @throws MeshError mesh-invalid (MeshProblems), mesh-unreadable, data-unwritable, data-locked,
 * data-damaged, identity-invalid.
 */
export async function openState(options: StateOptions, closers: Closers): Promise<State> {
  const { dataPath, systemTime, logger, random } = options;
  const folder = await openDataDir({ path: dataPath, lock: true, random, clock: systemTime });
  const disk = new DiskWatch(folder, { clock: systemTime, logger });
  closers.defer(() => disk.close());
  const dataDir: DataDir = disk;
  const clock = await openClock({ ...options, dataDir, closers });
  let dataGuard: DataGuard | undefined;
  const opening: Opening = {
    ...{ ...options, clock, dataDir, closers, identity: { dataDir, clock, random } },
    assertWhole: async () => dataGuard?.assertWhole(),
  };
  const source = await openSource(opening);
  const identity = await openIdentity(opening, source);
  const tables = await openTables(opening, source.state.mesh.services.keys());
  dataGuard = await openDataGuard(opening, identity);
  const dataWatch = openDataWatch(opening, dataGuard);
  dataWatch.onChange(() => identity.revocations.check());
  return { source, ...identity, ...tables, dataDir, dataGuard, dataWatch, disk, clock };
}

/** For clients that verify what they dialled; sidecars verify the fixed name. */
function toXdsNames(host: string): { dnsNames: readonly string[]; ips: readonly string[] } {
  const isWildcard = host === '0.0.0.0' || host === '::';
  if (isIP(host) === 0) return { dnsNames: [host], ips: LOOPBACK };
  return { dnsNames: [], ips: isWildcard ? LOOPBACK : [...new Set([...LOOPBACK, host])] };
}

const LOOPBACK: readonly string[] = ['127.0.0.1', '::1'];

interface Opening extends StateOptions {
  readonly clock: ClockWatch;
  readonly dataDir: DataDir;
  readonly closers: Closers;
  /** @throws MeshError data-unreadable where the folder isn't the one that was opened. */
  readonly assertWhole: () => Promise<void>;
  /** What everything of `identity` is opened with. */
  readonly identity: {
    readonly dataDir: DataDir;
    readonly clock: Clock;
    readonly random: Random;
  };
}

async function openSource({ dataDir, closers, ...options }: Opening): Promise<MeshSource> {
  const meshStore = createJsonStore({ dataDir, name: STORED_MESH, schema: meshFilesSchema });
  closers.defer(() => meshStore.settled());
  const source = await MeshSource.open({
    path: options.meshPath,
    clock: options.clock,
    store: meshStore,
  });
  closers.defer(() => source.stop());
  return source;
}

type IdentityState = OpenedAuthority &
  Pick<State, 'tokens' | 'credential' | 'leaves' | 'shutOut' | 'revocations'>;

async function openIdentity(opening: Opening, source: MeshSource): Promise<IdentityState> {
  const { identity, logger, closers } = opening;
  const opened = await openAuthority({
    identity,
    mesh: source.state.mesh,
    passphrase: opening.caPassphrase,
    logger,
    closers,
  });
  const [tokens, credential] = await Promise.all([
    createTokenKeys(identity),
    loadOrCreateServerCredential({
      ...identity,
      ...toXdsNames(opening.xdsHost),
      onProblem: (err) => logger.error({ err }, 'the xDS certificate could not be renewed'),
    }),
  ]);
  closers.defer(() => credential.close());
  const shutOut = new ShutOut();
  const { authority } = opened;
  const renewalLog = createRenewalLog({ clock: opening.clock, logger });
  closers.defer(() => renewalLog.close());
  const leaves = new LeafManager({
    ...identity,
    authority,
    isRevoked: (serialHex) => shutOut.isRevokedSerial(serialHex),
    onIssued: (renewal) => renewalLog.note(renewal),
    onProblem: ({ node, error, retryAtMs }) =>
      logger.error({ node, err: error, retryAtMs }, 'a certificate could not be renewed'),
  });
  closers.defer(() => leaves.close());
  const revocations = await openRevocations(opening, { source, authority, leaves, shutOut });
  return { ...opened, tokens, credential, leaves, shutOut, revocations };
}

async function openRevocations(
  { dataDir, clock, logger, closers, assertWhole }: Opening,
  { source, ...parts }: Pick<State, 'source' | 'authority' | 'leaves' | 'shutOut'>,
): Promise<RevocationSource> {
  const { remembered } = source;
  const revocations = await RevocationSource.open({
    dataDir,
    clock,
    logger,
    assertWhole,
    ...parts,
    meshes: () => [...(remembered === undefined ? [] : [remembered]), source.state.mesh],
  });
  closers.defer(() => revocations.settled());
  return revocations;
}

type TableState = Pick<
  State,
  'indexes' | 'registry' | 'roster' | 'rollout' | 'rolloutStore' | 'drained' | 'drainStore'
>;

async function openTables(opening: Opening, services: Iterable<ServiceName>): Promise<TableState> {
  const { dataDir, closers } = opening;
  const indexStore = createJsonStore({
    dataDir,
    name: 'outbound-indexes.json',
    schema: indexTableSchema,
  });
  const indexes = await createOutboundIndexes(indexStore);
  await indexes.ensure(services);
  const rolloutStore = createJsonStore({
    ...{ dataDir, name: ROLLOUT_FILE, schema: rolloutSchema, ...ROLLOUT_VERSION },
  });
  closers.defer(() => rolloutStore.settled());
  const stored = await rolloutStore.read();
  const rollout = stored === undefined ? undefined : toRolloutRecord(stored);
  const registry = await openRegistry(opening);
  const roster = await openRoster(opening);
  return { indexes, registry, roster, rollout, rolloutStore, ...(await openDrains(opening)) };
}

async function openRegistry(opening: Opening): Promise<SidecarRegistry> {
  const { dataDir, clock, logger, closers, allowed, maxInstances } = opening;
  const store = createJsonStore({ dataDir, name: 'registry.json', schema: registrySchema });
  closers.defer(() => store.settled());
  const registry = new SidecarRegistry({
    ...{ clock, store, maxPerService: maxInstances.perService },
    onStoreError: (err) => logger.error({ err }, 'the registry could not be stored'),
    assertAddress: (address) => void toSidecarAddress(address, { allowed }),
    onLeftOut: ({ node, address }, err) =>
      logger.error({ node, address, err }, 'a stored endpoint is left out'),
  });
  await registry.restore();
  closers.defer(() => registry.stop());
  return registry;
}

async function openDrains({
  dataDir,
  closers,
}: Opening): Promise<Pick<State, 'drained' | 'drainStore'>> {
  const drainStore = createJsonStore({ dataDir, name: 'drains.json', schema: drainsSchema });
  closers.defer(() => drainStore.settled());
  return { drained: (await drainStore.read()) ?? [], drainStore };
}

/** What it remembers is for people alone: where it is damaged it is begun anew. */
async function openRoster({ dataDir, clock, logger, closers }: Opening): Promise<Roster> {
  const store = openSidecarsFile(dataDir);
  closers.defer(() => store.settled());
  const onStoreError = (err: unknown): void =>
    logger.error({ err }, 'who is connected could not be stored');
  const roster = new Roster({ clock, store, onStoreError });
  await takeUp(SIDECARS_FILE, () => roster.restore(), { dataDir, logger });
  return roster;
}

async function openClock(
  opening: Omit<StateOptions, 'random'> & Pick<Opening, 'dataDir' | 'closers'>,
): Promise<ClockWatch> {
  const { dataDir, systemTime, uptime, isClockRight: isRight, logger, closers } = opening;
  const name = 'clock.json';
  const store = createJsonStore({ dataDir, name, schema: clockSchema, version: 1 });
  closers.defer(() => store.settled());
  const clock = new ClockWatch({ clock: systemTime, uptime, store, logger, isRight });
  closers.defer(() => clock.stop());
  await takeUp(name, () => clock.restore(), { dataDir, logger });
  return clock;
}

/** What a start can't do without, and what says who is shut out. */
const PARTS: readonly string[] = [
  'authority.json',
  'step-ca.json',
  TOKEN_KEYS_FILE,
  'xds-anchor.json',
];

function openDataGuard(
  { dataDir, clock, logger }: Opening,
  { revocations }: Pick<State, 'revocations'>,
): Promise<DataGuard> {
  const isAnyRevoked = (): boolean => revocations.inForce.value.list.size > 0;
  return DataGuard.open({
    ...{ path: dataDir.path, parts: PARTS, clock, logger },
    moreParts: () => (isAnyRevoked() ? [REVOCATIONS_FOLDER] : []),
  });
}

function openDataWatch(
  { dataDir, clock, logger, closers }: Opening,
  dataGuard: DataGuard,
): DataWatch {
  const dataWatch = new DataWatch({
    path: dataDir.path,
    folders: [REVOCATIONS_FOLDER, ORDERS_FOLDER],
    isWhole: () => dataGuard.isWhole(),
    clock,
    onError: (err) => logger.error({ err }, 'a change of the data folder could not be taken over'),
  });
  closers.defer(() => dataWatch.stop());
  return dataWatch;
}
