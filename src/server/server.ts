// The server, composed: inputs (mesh file, sidecars, certificates) → what is in force → what each
// stream is sent. Everything that must outlive it is stored before it is visible.
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Clock,
  Closers,
  type Logger,
  type Random,
  systemClock,
  systemErrorCode,
  systemRandom,
} from '../base/index.js';
import { attachCertificates, CERTIFICATE_SERVICE } from '../grpc/certificates/index.js';
import {
  AGGREGATED_SERVICE,
  attachClientStatus,
  attachDiscovery,
  attachHealth,
  attachReflection,
  CLIENT_STATUS_SERVICE,
  HEALTH_SERVICE,
  type ServiceRegistry,
  shutdown,
} from '../grpc/index.js';
import { boundInstance, lastHandedOutEndMs } from '../leaves/index.js';
import { type ProblemJson, toProblemJson } from '../policy/index.js';
import { hintOf } from '../terminal/index.js';
import { CaChange, carryOutRenewals, startSweep } from './ca/index.js';
import { Control } from './control.js';
import type { Sidecar } from './join/index.js';
import {
  Authenticator,
  createCertificateService,
  createGrpcServer,
  createRefusalLog,
  type HostPort,
  NodeIssuers,
  Refusals,
  toListenError,
  toToken,
  XdsPort,
} from './join/index.js';
import { passIssuerGate, toApplicant } from './revocation/index.js';
import { openState, type State } from './state.js';
import { createAdminServer, createApi } from './status/index.js';

/** `shutdown` drains by address: the xDS port has one. */
const XDS_ADDRESS = 'xds';
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
  /** Opens the CA's keys, and encrypts what is stored of them; undefined: they lie open. */
  readonly caPassphrase?: string;
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

interface Parts {
  readonly state: State;
  readonly control: Control;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly caChange: CaChange | undefined;
  readonly refusals: Refusals;
}

/**
 * Starts the server; it serves when the promise resolves.
 * @throws MeshError mesh-invalid (MeshProblems), mesh-unreadable, data-unwritable, data-locked,
 * data-damaged, port-in-use, identity-invalid.
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

async function compose(options: ServerOptions, closers: Closers): Promise<RunningServer> {
  const { logger, clock = systemClock, random = systemRandom } = options;
  const { meshPath, dataPath, caPassphrase } = options;
  const places = { meshPath, dataPath, caPassphrase, xdsHost: options.xds.host };
  let control: Control | undefined;
  const state = await openState(
    { ...places, logger, clock, random, onMesh: (mesh) => control?.takeMesh(mesh) },
    closers,
  );
  control = new Control({ state, clock, logger }, closers);
  guardIssuers({ state, control, clock });
  const basics = { state, control, clock, logger, refusals: new Refusals(clock) };
  const caChange = openCaChange(basics, { passphrase: caPassphrase, closers });
  const parts: Parts = { ...basics, caChange };
  const xdsAddress = await serveXds(options.xds, parts, closers);
  const adminAddress = await serveAdmin(options.admin, parts, closers);
  control.start();
  caChange?.start();
  const { created, outsideUrl, source } = state;
  const { mesh, problems } = source.state;
  return {
    xdsAddress,
    adminAddress,
    authority: { created, outsideUrl },
    mesh: { version: mesh.version, problems: problems.map(toProblemJson) },
    close: () => closers.close(),
  };
}

function guardIssuers({ state, control, clock }: Pick<Parts, 'state' | 'control' | 'clock'>): void {
  const { ownAuthority, revocations } = state;
  ownAuthority?.guardIssuers(() =>
    passIssuerGate({
      revocations,
      clock,
      proxies: () => control.fleet.view(),
      onChange: (listener) => control.onChange(listener),
    }),
  );
}

/** Undefined where the CA is an outside one. */
function openCaChange(
  { state, control, clock, logger }: Omit<Parts, 'caChange'>,
  { passphrase, closers }: { passphrase: string | undefined; closers: Closers },
): CaChange | undefined {
  const { ownAuthority: authority, dataDir, dataWatch } = state;
  if (authority === undefined) return undefined;
  const caChange = new CaChange({
    ...{ authority, dataDir, clock, logger, passphrase },
    proxies: () => control.caProxies(),
    handedOutEndMs: (beforeMs) => lastHandedOutEndMs(dataDir, beforeMs),
    onChange: () => control.authorityChanged(),
  });
  closers.defer(() => caChange.stop());
  dataWatch.onChange(() => caChange.look());
  control.onChange(() => void caChange.advance());
  return caChange;
}

async function serveXds(address: HostPort, parts: Parts, closers: Closers): Promise<HostPort> {
  const { state, control, clock, logger, refusals } = parts;
  const server = createGrpcServer();
  const refusalLog = createRefusalLog(logger, clock);
  const issuers = new NodeIssuers({
    issuers: () => control.rollout.inForce.value.nodeIssuers,
    clock,
    logger,
  });
  state.dataWatch.onChange(() => issuers.check());
  const authenticator = new Authenticator({
    clock,
    refusals,
    tokens: state.tokens,
    issuers,
    instanceOf: (serialHex) => boundInstance(state.dataDir, serialHex),
    mesh: () => control.rollout.inForce.value,
    assertAdmitted: (proved) => state.revocations.assertAdmitted(toApplicant(proved)),
  });
  const discovery = attachDiscovery<Sidecar>(server, {
    clock,
    logger: refusalLog,
    authenticate: (peer) => authenticator.sidecar(peer),
    hooks: control.fleet,
  });
  attachCertificateService(server, authenticator, { parts, closers });
  const services = [AGGREGATED_SERVICE.name, CERTIFICATE_SERVICE, CLIENT_STATUS_SERVICE];
  const health = attachHealth(server, { services });
  attachReflection(server, { services: [...services, HEALTH_SERVICE] });
  attachClientStatus(server, {
    discovery,
    logger,
    authorizeStatus: ({ authorization }) => verifyAdmin(state, authorization),
  });
  const port = new XdsPort({
    grpc: server,
    credential: state.credential,
    clientAnchorsPem: () => state.authority.trustAnchorsPem,
    onRefusal: (peer, error) => {
      refusals.note(peer, error);
      refusalLog.warn(
        { peer, reason: error.message, hint: hintOf(error) },
        'a handshake is no good',
      );
    },
    onProblem: (err) => logger.error({ err }, 'the xDS port keeps its certificate and anchors'),
  });
  state.dataWatch.onChange(async () => port.refresh());
  state.dataWatch.onChange(() =>
    carryOutRenewals({
      ...{ dataDir: state.dataDir, leaves: state.leaves, logger },
      nodes: () => control.fleet.view().map(({ stream }) => stream.auth),
    }),
  );
  state.dataWatch.onChange(async () => {
    if (await state.tokens.reload()) logger.info({}, 'the token keys changed');
  });
  const stopped = { server: port.stoppable, addresses: [XDS_ADDRESS], discovery, health };
  closers.defer(() => shutdown({ ...stopped, clock, graceMs: STOP_GRACE_MS }));
  return port.listen(address);
}

function attachCertificateService(
  server: ServiceRegistry,
  authenticator: Authenticator,
  { parts, closers }: { readonly parts: Parts; readonly closers: Closers },
): void {
  const { state, control, clock, logger } = parts;
  const { authority, dataDir } = state;
  attachCertificates(server, {
    logger: createRefusalLog(logger, clock),
    issue: createCertificateService({
      clock,
      logger,
      authority,
      dataDir,
      mesh: () => control.rollout.inForce.value,
      prove: (caller) => authenticator.caller(caller),
    }),
  });
  closers.defer(startSweep({ dataDir, clock, logger }));
}

async function serveAdmin(address: HostPort, parts: Parts, closers: Closers): Promise<HostPort> {
  const { state, control, clock, logger, caChange, refusals } = parts;
  const { rollout, fleet } = control;
  const members = () => fleet.view();
  const server = createAdminServer({
    routes: createApi({
      clock,
      indexes: state.indexes,
      status: () => ({
        meshState: state.source.state,
        rollout,
        ...control.viewOfFleet(),
        caPhase: caChange?.phase,
        refusals,
        revocations: state.revocations.inForce.value,
        missing: state.registry.missing().length,
      }),
      wait: {
        meshState: () => state.source.state,
        members,
        rollout,
        settled: () => control.settled,
      },
      checkInputs: () => {
        state.source.check();
        return state.dataWatch.check();
      },
      onChange: (listener) => control.onChange(listener),
    }),
    authorize: (authorization) => isAdmin(state, authorization),
    onError: (err) => logger.error({ err }, 'an admin request failed'),
  });
  closers.defer(() => stopListening(server));
  return listen(server, address);
}

type AdminState = Pick<State, 'tokens' | 'revocations'>;

/** @throws MeshError token-missing, token-invalid, token-expired, revoked */
function verifyAdmin({ tokens, revocations }: AdminState, authorization: string | undefined): void {
  const { id } = tokens.verify(toToken(authorization), { audience: 'countersign-admin' });
  revocations.assertAdmitted({ tokenId: id });
}

function isAdmin(state: AdminState, authorization: string | undefined): boolean {
  try {
    verifyAdmin(state, authorization);
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
