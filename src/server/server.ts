// The server, composed: inputs (mesh file, sidecars, certificates) → what is in force → what each stream is
// sent. Everything that must outlive it is stored before it is visible.
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Clock,
  type Logger,
  type Random,
  systemClock,
  systemErrorCode,
  systemRandom,
} from '../base/index.js';
import { attachDiscovery, shutdown } from '../grpc/index.js';
import {
  createTokenKeys,
  type DataDir,
  LeafManager,
  loadOrCreateAuthority,
  loadOrCreateServerCredential,
  openDataDir,
  type TokenKeys,
} from '../identity/index.js';
import { createOutboundIndexes, indexTableSchema } from './addresses/index.js';
import { createAdminServer } from './admin.js';
import { createApi } from './api.js';
import { Fleet } from './fleet.js';
import { createJsonStore } from './json-store.js';
import { MeshSource, type MeshState, meshFilesSchema } from './mesh-source.js';
import { Publisher } from './publisher.js';
import { createRefusalLog } from './refusal-log.js';
import { registrySchema, SidecarRegistry } from './registry.js';
import { Rollout } from './rollout.js';
import { authenticateSidecar, type Sidecar } from './sidecar.js';
import { bindGrpc, createGrpcServer, type HostPort, toListenError } from './xds-port.js';

/** How long streams may take to end on a stop. */
const STOP_GRACE_MS = 2_000;

export interface ServerOptions {
  readonly meshPath: string;
  readonly dataPath: string;
  /** Port 0 takes a free one. */
  readonly xds: HostPort;
  readonly admin: HostPort;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface RunningServer {
  readonly xdsAddress: HostPort;
  readonly adminAddress: HostPort;
  readonly authority: { readonly created: boolean };
  /** Ends streams and listeners, in order, and gives the data folder back. */
  close(): Promise<void>;
}

/**
 * Starts the server; it serves when the promise resolves.
 * @throws MeshError mesh-invalid (MeshProblems), mesh-unreadable, data-unwritable, data-locked,
 * data-damaged, port-in-use, identity-invalid.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return { ...(await compose(options, (closer) => closers.push(closer))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Defer = (closer: () => Promise<void> | void) => void;

async function compose(
  options: ServerOptions,
  defer: Defer,
): Promise<Omit<RunningServer, 'close'>> {
  const { logger, clock = systemClock, random = systemRandom } = options;
  const changes = new Set<() => void>();
  const changed = (): void => {
    for (const listener of [...changes]) listener();
  };

  // The mesh comes first: a first start with a broken one leaves no data folder behind.
  const meshStoreOf = (dataDir: DataDir) =>
    createJsonStore({ dataDir, name: 'mesh.json', schema: meshFilesSchema });
  const dataDir = await openDataDir({ path: options.dataPath, lock: true, random });
  defer(() => dataDir.close());
  const source = await MeshSource.open({
    path: options.meshPath,
    clock,
    store: meshStoreOf(dataDir),
    onChange: (state) => onMesh(state),
  });
  const { mesh } = source.state;
  const identity = { dataDir, clock, random };
  const { authority, created } = await loadOrCreateAuthority({
    ...identity,
    trustDomain: mesh.trustDomain,
  });
  const [tokens, credential, indexes] = await Promise.all([
    createTokenKeys(identity),
    loadOrCreateServerCredential(identity),
    createOutboundIndexes(
      createJsonStore({ dataDir, name: 'outbound-indexes.json', schema: indexTableSchema }),
    ),
  ]);
  defer(() => credential.close());
  await indexes.ensure(mesh.services.keys());

  const registry = new SidecarRegistry({
    clock,
    store: createJsonStore({ dataDir, name: 'registry.json', schema: registrySchema }),
    onStoreError: (err) => logger.error({ err }, 'the registry could not be stored'),
  });
  await registry.restore();
  defer(() => registry.stop());
  const leaves = new LeafManager({
    ...identity,
    authority,
    onProblem: ({ node, error, retryAtMs }) =>
      logger.error({ node, err: error, retryAtMs }, 'a certificate could not be renewed'),
  });
  defer(() => leaves.close());

  const rollout: Rollout = new Rollout(source.remembered ?? mesh, {
    clock,
    proxies: () => [
      ...fleet.view().map(({ stream, state }) => ({ node: stream.auth.node, state })),
      ...registry.missing().map((node) => ({ node, state: 'pending' as const })),
    ],
    onSettled: (settled) => {
      logger.info({ mesh: settled.version }, 'mesh in force');
      source
        .remember(settled)
        .catch((err: unknown) => logger.error({ err }, 'the mesh in force could not be stored'));
      changed();
    },
  });
  defer(() => rollout.stop());
  const toInput = () => ({ mesh: rollout.inForce.value, endpoints: registry.endpoints.value });
  const publisher = new Publisher(toInput(), {
    indexes,
    anchorsPem: () => authority.trustAnchorsPem,
  });
  const fleet: Fleet = new Fleet({
    logger,
    leaves,
    registry,
    publisher,
    mesh: () => rollout.inForce.value,
    onChange: () => {
      rollout.advance();
      changed();
    },
  });
  const publish = (): void => {
    publisher.update(toInput());
    fleet.publish();
  };
  rollout.inForce.onChange(() => {
    publish();
    fleet.renewLeaves();
  });
  registry.endpoints.onChange(() => {
    publish();
    changed();
  });
  leaves.onRenewed((node) => fleet.publishLeaf(node));

  const onMesh = (state: MeshState): void => {
    changed();
    const errors = state.problems.filter(({ severity }) => severity === 'error').length;
    if (errors > 0) {
      logger.error(
        { errors, problems: state.problems },
        'the mesh has problems and is not in force',
      );
      return;
    }
    if (state.mesh.trustDomain !== authority.trustDomain) {
      logger.error({ trustDomain: state.mesh.trustDomain }, 'the trust domain cannot be changed');
      return;
    }
    logger.info({ mesh: state.mesh.version }, 'mesh changed');
    indexes
      .ensure(state.mesh.services.keys())
      .then(() => rollout.start(state.mesh))
      .catch((err: unknown) => logger.error({ err }, 'the mesh could not be put in force'));
  };

  const grpcServer = createGrpcServer();
  const discovery = attachDiscovery<Sidecar>(grpcServer, {
    clock,
    logger: createRefusalLog(logger, clock),
    authenticate: (peer) => authenticateSidecar(peer, { tokens, mesh: rollout.inForce.value }),
    hooks: fleet,
  });
  const xdsAddress = await bindGrpc(grpcServer, { address: options.xds, credential });
  defer(() => shutdown({ server: grpcServer, discovery, clock, graceMs: STOP_GRACE_MS }));
  const admin = createAdminServer({
    routes: createApi({
      clock,
      indexes,
      status: () => ({ meshState: source.state, rollout, members: fleet.view() }),
      wait: { meshState: () => source.state, members: () => fleet.view(), rollout },
      checkMesh: () => source.check(),
      onChange: (listener) => {
        changes.add(listener);
        return () => changes.delete(listener);
      },
    }),
    authorize: (authorization) => isAdmin(tokens, authorization),
    onError: (err) => logger.error({ err }, 'an admin request failed'),
  });
  const adminAddress = await listen(admin, options.admin);
  defer(() => stopListening(admin));
  rollout.start(mesh);
  rollout.advance();
  source.start();
  defer(() => source.stop());
  return { xdsAddress, adminAddress, authority: { created } };
}

function isAdmin(tokens: TokenKeys, authorization: string | undefined): boolean {
  try {
    tokens.verify(authorization?.replace(/^Bearer +/i, ''), { audience: 'countersign-admin' });
    return true;
  } catch {
    return false;
  }
}

function listen(server: HttpServer, address: HostPort): Promise<HostPort> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(systemErrorCode(error) === undefined ? error : toListenError(address, error));
    });
    server.listen(address.port, address.host, () => {
      resolve({ host: address.host, port: (server.address() as AddressInfo).port });
    });
  });
}

function stopListening(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
