// What the data folder holds, opened and checked: all that must outlive the server.
import { isIP } from 'node:net';
import {
  type Clock,
  type Closers,
  type Logger,
  type Random,
  toRfc3339,
  type Uptime,
} from '../base/index.js';
import { noteLostBundles, readBundleNote } from '../ca/change/index.js';
import { loadAuthority } from '../ca/index.js';
import {
  loadOrCreateAnchorPem,
  loadOrCreateServerCredential,
  type ServerCredential,
} from '../ca/xds/index.js';
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
import { createRenewalLog, LeafManager, noteLostRecords } from '../leaves/index.js';
import { findService, type Mesh, type ServiceName } from '../policy/index.js';
import { REVOCATIONS_FOLDER } from '../revocation/index.js';
import { COMMANDS } from '../terminal/index.js';
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
  PersistentStore,
  type RegistryEntry,
  Roster,
  registrySchema,
  SidecarRegistry,
  StaticEnvoys,
} from './fleet/index.js';
import { FileWatch } from './folder/file-watch.js';
import { checkAtStart, RENEWABLE, type Renewable } from './folder/start-check.js';
import { Losses } from './folder/take-up.js';
import {
  MeshSource,
  marksOfAll,
  meshFilesSchema,
  ROLLOUT_DOCUMENT,
  type RolloutRecord,
  STORED_MESH,
  type StoredRollout,
  settledTracks,
  toRolloutRecord,
} from './mesh/index.js';
import { RevocationSource, ShutOut } from './revocation/index.js';

export interface State extends OpenedAuthority {
  readonly source: MeshSource;
  readonly dataDir: DataDir;
  readonly tokens: TokenKeys;
  readonly credential: ServerCredential;
  readonly indexes: OutboundIndexes;
  readonly registry: SidecarRegistry;
  readonly staticEnvoys: StaticEnvoys;
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
  /** What of it was lost before the start. */
  readonly losses: Losses;
  /** Whether its files are as they were stored. */
  readonly fileWatch: FileWatch;
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
  /** The operator goes on without these, where they are lost. */
  readonly anew: ReadonlySet<Renewable>;
  readonly random: Random;
}

/**
 * @throws MeshError mesh-invalid (MeshProblems), mesh-unreadable, data-unwritable, data-locked,
 * data-lost, data-damaged, data-exposed, identity-invalid.
 */
export async function openState(options: StateOptions, closers: Closers): Promise<State> {
  const { dataPath, systemTime, logger, random } = options;
  const folder = await openDataDir({ path: dataPath, lock: true, random, clock: systemTime });
  const disk = new DiskWatch(folder, { clock: systemTime, logger });
  closers.defer(() => disk.close());
  const dataDir: DataDir = disk;
  const losses = new Losses(dataDir, logger);
  const clock = await openClock({ ...options, dataDir, losses, closers });
  const identityOptions = { dataDir, clock, random };
  const opening: Opening = {
    ...{ ...options, clock, dataDir, losses, closers, identity: identityOptions },
  };
  const source = await openSource(opening);
  await checkFolder(opening, source);
  const identity = await openIdentity(opening, source);
  const tables = await openTables(opening, source);
  await recallLeaves(opening, { ...identity, ...tables });
  const dataGuard = await openDataGuard(opening, identity);
  const fileWatch = new FileWatch({ dataDir, logger });
  await fileWatch.begin();
  const dataWatch = openDataWatch(opening, dataGuard);
  dataWatch.onChange(() => identity.revocations.check());
  dataWatch.onChange(() => fileWatch.look());
  const watches = { dataGuard, dataWatch, fileWatch, losses, disk, clock };
  return { source, ...identity, ...tables, dataDir, ...watches };
}

/** Whether what belongs to the folder is there: else nothing is made in its place. */
async function checkFolder(opening: Opening, source: MeshSource): Promise<void> {
  const { dataDir, losses, anew, identity, clock, caPassphrase: passphrase } = opening;
  const loaders: Readonly<Record<Renewable, () => Promise<unknown>>> = {
    authority: () => loadAuthority({ ...identity, passphrase }),
    tokenKeys: () => createTokenKeys(identity),
    xdsAnchor: () => loadOrCreateAnchorPem(identity),
    revocations: () => dataDir.list(RENEWABLE.revocations),
  };
  const hasOwnCa = source.state.mesh.authority === undefined;
  const load = (one: Renewable) => loaders[one]();
  const { isCopy } = await checkAtStart({ dataDir, losses, anew, load, hasOwnCa });
  if (isCopy) losses.note(toCopyText(dataDir.path, clock.lastKnownMs));
  if (losses.has('handed-out')) await noteLostRecords(dataDir);
  await losses.takeUp('bundles-handed-out.json', () => readBundleNote(dataDir));
  if (losses.has('bundles-handed-out.json')) await noteLostBundles(dataDir, clock.now());
}

/** What a copy can't have. */
function toCopyText(path: string, lastKnownMs: number | undefined): string {
  const since = lastKnownMs === undefined ? 'the copy' : toRfc3339(lastKnownMs);
  return (
    `the data folder ${path} was copied, restored or put back, and knows nothing of after ` +
    `${since}: what was revoked since then is not, and tokens and certificates made since then ` +
    `are unknown. Revoke again what was revoked (see ${COMMANDS.listRevoked}); if no server ran ` +
    'on the folder that this one was copied from, nothing is lost'
  );
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
  readonly losses: Losses;
  readonly closers: Closers;
  /** What everything of `identity` is opened with. */
  readonly identity: {
    readonly dataDir: DataDir;
    readonly clock: Clock;
    readonly random: Random;
  };
}

async function openSource({ closers, ...options }: Opening): Promise<MeshSource> {
  const meshStore = openStore(
    { ...options, closers },
    { name: STORED_MESH, schema: meshFilesSchema },
  );
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
  const { identity, logger, losses, closers } = opening;
  const takeUp = losses.takeUp.bind(losses);
  const opened = await openAuthority({
    identity,
    mesh: source.state.mesh,
    passphrase: opening.caPassphrase,
    logger,
    takeUp,
    closers,
  });
  // One after the other: a start that is refused must leave nothing behind that still writes.
  const tokens = await createTokenKeys(identity);
  const credential = await loadOrCreateServerCredential({
    ...identity,
    ...toXdsNames(opening.xdsHost),
    takeUp,
    onProblem: (err) => logger.error({ err }, 'the xDS certificate could not be renewed'),
  });
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
  { dataDir, clock, logger, losses, closers }: Opening,
  { source, ...parts }: Pick<State, 'source' | 'authority' | 'leaves' | 'shutOut'>,
): Promise<RevocationSource> {
  const { remembered } = source;
  const revocations = await RevocationSource.open({
    dataDir,
    clock,
    logger,
    losses,
    ...parts,
    meshes: () => [...(remembered === undefined ? [] : [remembered]), source.state.mesh],
  });
  closers.defer(() => revocations.settled());
  return revocations;
}

type TableState = Pick<
  State,
  | 'indexes'
  | 'registry'
  | 'staticEnvoys'
  | 'roster'
  | 'rollout'
  | 'rolloutStore'
  | 'drained'
  | 'drainStore'
>;

/**
 * The document of that name. Where it is damaged it is set aside, and read as if there were none.
 */
function openStore<T>(
  { dataDir, losses, closers }: Pick<Opening, 'dataDir' | 'losses' | 'closers'>,
  what: Omit<Parameters<typeof createJsonStore<T>>[0], 'dataDir'>,
): JsonStore<T> {
  const store = createJsonStore({ dataDir, ...what });
  closers.defer(() => store.settled());
  return {
    read: () => losses.takeUp(what.name, () => store.read()),
    write: (value) => store.write(value),
  };
}

async function openTables(opening: Opening, source: MeshSource): Promise<TableState> {
  const { mesh } = source.state;
  const indexStore = openStore(opening, {
    name: 'outbound-indexes.json',
    schema: indexTableSchema,
  });
  const indexes = await createOutboundIndexes(indexStore);
  await indexes.ensure(mesh.services.values());
  const rolloutStore = openStore<StoredRollout>(opening, {
    ...ROLLOUT_DOCUMENT,
  });
  const stored = await rolloutStore.read();
  const rollout =
    stored === undefined
      ? lostRollout(opening, source)
      : toRolloutRecord(stored, opening.clock.now());
  const registry = await openRegistry(opening, mesh);
  const staticEnvoys = await openStaticEnvoys(opening);
  const roster = await openRoster(opening);
  const drainStore = openStore(opening, { name: 'drains.json', schema: drainsSchema });
  const drained = (await drainStore.read()) ?? [];
  return { indexes, registry, staticEnvoys, roster, rollout, rolloutStore, drained, drainStore };
}

/** Undefined where there was none to lose. */
function lostRollout(
  { losses, clock }: Opening,
  { remembered, state }: MeshSource,
): RolloutRecord | undefined {
  if (!losses.has(ROLLOUT_DOCUMENT.name)) return undefined;
  const mesh = remembered ?? state.mesh;
  return settledTracks(mesh, marksOfAll(mesh, clock.now()));
}

async function openRegistry(opening: Opening, mesh: Mesh): Promise<SidecarRegistry> {
  const { clock, logger, losses, closers, allowed, maxInstances } = opening;
  const what = { name: REGISTRY_FILE, schema: registrySchema };
  const store = new PersistentStore(openStore<readonly RegistryEntry[]>(opening, what), clock);
  closers.defer(() => store.stop());
  const registry = new SidecarRegistry({
    ...{ clock, maxPerService: maxInstances.perService },
    store: {
      write: (entries) => store.write(entries),
      read: async () => {
        const stored = await store.read();
        if (!losses.has(REGISTRY_FILE)) return stored;
        const entries = await connectedBefore(opening, mesh);
        // Nobody who is back as before changes it, and the next start is to know it too.
        await store.write(entries);
        return entries;
      },
    },
    onStoreError: (err) => logger.error({ err }, 'the registry could not be stored'),
    assertAddress: (address) => void toSidecarAddress(address, { allowed }),
    onLeftOut: ({ node, address }, err) =>
      logger.error({ node, address, err }, 'a stored endpoint is left out'),
  });
  await registry.restore();
  closers.defer(() => registry.stop());
  return registry;
}

async function openStaticEnvoys(opening: Opening): Promise<StaticEnvoys> {
  const { clock, logger, closers, maxInstances } = opening;
  const what = { name: 'static-envoys.json', schema: StaticEnvoys.schema };
  const store = new PersistentStore(openStore(opening, what), clock);
  closers.defer(() => store.stop());
  const staticEnvoys = new StaticEnvoys({
    ...{ clock, store, maxPerService: maxInstances.perService },
    onStoreError: (err) => logger.error({ err }, 'static Envoys could not be stored'),
  });
  await staticEnvoys.restore();
  closers.defer(() => staticEnvoys.stop());
  return staticEnvoys;
}

/** What those took along that are expected back. */
async function recallLeaves(
  { losses }: Opening,
  { leaves, registry, roster }: Pick<State, 'leaves' | 'registry' | 'roster'>,
): Promise<void> {
  // Nothing is known of any: each may hold one.
  if (losses.has(LEAVES_FOLDER)) return;
  const missed = roster.gone().filter(({ missedAtStart }) => missedAtStart === true);
  const nodes = [...registry.missing(), ...missed.map(({ node }) => node)];
  await leaves.away.recall([...new Set(nodes)]);
}

/** Who was connected when the server stopped: whoever was called was among them. */
async function connectedBefore(
  { dataDir }: Opening,
  mesh: Mesh,
): Promise<readonly RegistryEntry[]> {
  const seen = await openSidecarsFile(dataDir)
    .read()
    .catch(() => undefined);
  const connected = (seen?.sidecars ?? []).filter(
    ({ goneAtMs, isStatic }) => goneAtMs === undefined && isStatic === undefined,
  );
  return connected.map(({ node, address, ...one }) => {
    const service = one.service as ServiceName;
    const serves = (findService(mesh, service)?.ports.length ?? 0) > 0;
    return { node, service, address, serves };
  });
}

/** What it remembers is for people alone. */
async function openRoster(opening: Opening): Promise<Roster> {
  const { dataDir, clock, logger, losses, closers } = opening;
  const store = openSidecarsFile(dataDir);
  closers.defer(() => store.settled());
  const onStoreError = (err: unknown): void =>
    logger.error({ err }, 'who is connected could not be stored');
  const roster = new Roster({ clock, store, onStoreError });
  await losses.takeUp(SIDECARS_FILE, () => roster.restore());
  return roster;
}

async function openClock(
  opening: Omit<StateOptions, 'random'> & Pick<Opening, 'dataDir' | 'losses' | 'closers'>,
): Promise<ClockWatch> {
  const { dataDir, systemTime, uptime, isClockRight: isRight, logger, losses, closers } = opening;
  const name = 'clock.json';
  const store = createJsonStore({ dataDir, name, schema: clockSchema, version: 1 });
  closers.defer(() => store.settled());
  const clock = new ClockWatch({ clock: systemTime, uptime, store, logger, isRight });
  closers.defer(() => clock.stop());
  await losses.takeUp(name, () => clock.restore());
  return clock;
}

const REGISTRY_FILE = 'registry.json';
const LEAVES_FOLDER = 'leaves';

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
    isSame: () => dataGuard.isSame(),
    clock,
    onError: (err) => logger.error({ err }, 'a change of the data folder could not be taken over'),
  });
  closers.defer(() => dataWatch.stop());
  return dataWatch;
}
