// The xDS port: discovery for sidecars, and certificates for everybody else.
import type { Closers } from '../base/index.js';
import {
  ANCHORS_SERVICE,
  attachAnchors,
  attachCertificates,
  CERTIFICATE_SERVICE,
} from '../grpc/certificates/index.js';
import { attachHealthDiscovery, HEALTH_DISCOVERY_SERVICE } from '../grpc/health-discovery/index.js';
import {
  ALL_SERVICES,
  attachClientStatus,
  attachDiscovery,
  attachHealth,
  attachReflection,
  CLIENT_STATUS_SERVICE,
  HEALTH_SERVICE,
  type ServiceRegistry,
  shutdown,
} from '../grpc/index.js';
import { attachStatistics, METRICS_SERVICE } from '../grpc/statistics/index.js';
import { CertificateOwners } from '../leaves/index.js';
import { hintOf } from '../terminal/index.js';
import { DISCOVERY_TYPES } from '../translate/index.js';
import { startSweep } from './ca/index.js';
import {
  Authenticator,
  createCertificateService,
  createGrpcServer,
  createRefusalLog,
  type HostPort,
  NodeIssuers,
  type Sidecar,
  XdsPort,
} from './join/index.js';
import type { Parts } from './parts.js';
import { toApplicant } from './revocation/index.js';
import { verifyAdmin } from './serve-admin.js';
import { Intake } from './telemetry/index.js';

/** `shutdown` drains by address: the xDS port has one. */
const XDS_ADDRESS = 'xds';
/** ADS for sidecars, and SDS for Envoys that take secrets alone. */
const DISCOVERY_SERVICES = ALL_SERVICES.filter(
  ({ typeUrl }) => typeUrl === undefined || typeUrl === DISCOVERY_TYPES.sds,
);
/** How long streams may take to end on a stop. */
const STOP_GRACE_MS = 2_000;

export async function serveXds(
  address: HostPort,
  parts: Parts,
  closers: Closers,
): Promise<HostPort> {
  const { state, control, clock, logger, guards } = parts;
  const { budgets, connections } = guards;
  const server = createGrpcServer({
    beginCall: (origin) => connections.beginCall(origin),
    openRequest: (origin, end) => budgets.openRequest(origin, end),
  });
  const refusalLog = createRefusalLog(logger, clock);
  const authenticator = createAuthenticator(parts);
  const discovery = attachDiscovery<Sidecar>(server, {
    clock,
    logger: refusalLog,
    authenticate: (peer) => authenticator.sidecar(peer),
    services: DISCOVERY_SERVICES,
    types: Object.values(DISCOVERY_TYPES),
    account: (stream) => budgets.open(stream),
    hooks: [control.fleet, control.statistics],
  });
  attachCertificateService(server, authenticator, { parts, closers });
  const endAnchors = attachAnchors(server, {
    logger: refusalLog,
    authorize: (caller) => authenticator.caller(caller),
    anchorsPem: () => state.authority.trustAnchorsPem,
    onChange: (listener) => control.pacing.changes.add(listener),
  });
  const endReports = attachHealthDiscovery<Sidecar>(server, {
    ...{ clock, logger: refusalLog },
    authenticate: (claimant) => authenticator.companion(claimant),
    hooks: control.applications,
  });
  const intake = new Intake({
    ...{ clock, authenticator },
    ...{ statistics: control.statistics, refusals: parts.refusals },
  });
  attachStatistics(server, { logger: refusalLog, take: (call) => intake.take(call) });
  const services = [
    ...DISCOVERY_SERVICES.map(({ name }) => name),
    ...[HEALTH_DISCOVERY_SERVICE, CERTIFICATE_SERVICE],
    ...[ANCHORS_SERVICE, CLIENT_STATUS_SERVICE, METRICS_SERVICE],
  ];
  const health = attachHealth(server, { services });
  attachReflection(server, { services: [...services, HEALTH_SERVICE] });
  attachClientStatus(server, {
    discovery,
    logger,
    authorizeStatus: (caller) => {
      verifyAdmin(state, caller.authorization);
      connections.proved(caller);
    },
  });
  const port = openPort(server, parts);
  watchData(port, parts);
  const stopped = { server: port.stoppable, addresses: [XDS_ADDRESS], discovery, health };
  closers.defer(() => shutdown({ ...stopped, clock, graceMs: STOP_GRACE_MS }));
  closers.defer(endAnchors);
  closers.defer(endReports);
  return port.listen(address);
}

function createAuthenticator(parts: Parts): Authenticator {
  const { state, control, clock, logger, refusals, site } = parts;
  const { inForce } = control.rollout;
  const issuers = new NodeIssuers({ issuers: () => inForce.value.nodeIssuers, clock, logger });
  state.dataWatch.onChange(() => issuers.check());
  const owners = new CertificateOwners(state.dataDir, clock);
  return new Authenticator({
    ...{ clock, refusals, site },
    onProved: (caller) => parts.guards.connections.proved(caller),
    isKnown: (sidecar) =>
      sidecar.isStatic ? state.staticEnvoys.has(sidecar) : state.registry.has(sidecar),
    tokens: state.tokens,
    issuers,
    ownerOf: async (serialHex) => {
      // Not that a record is missing: the folder is.
      await state.dataGuard.assertWhole();
      return owners.ownerOf(serialHex);
    },
    mesh: () => inForce.value,
    assertAdmitted: (proved) => state.shutOut.assertAdmitted(toApplicant(proved, inForce.value)),
  });
}

function openPort(
  grpc: ReturnType<typeof createGrpcServer>,
  { state, clock, logger, refusals, guards }: Parts,
): XdsPort {
  const refusalLog = createRefusalLog(logger, clock);
  return new XdsPort({
    grpc,
    connections: guards.connections,
    credential: state.credential,
    clientAnchorsPem: () => state.authority.trustAnchorsPem,
    onRefusal: (peer, error) => {
      refusals.note({ peer }, error);
      const fields = { peer, reason: error.message, hint: hintOf(error) };
      refusalLog.warn(fields, 'a handshake failed');
    },
    onProblem: (err) => logger.error({ err }, 'the xDS port keeps its certificate and anchors'),
  });
}

/** What a command may have left in the data folder for this port. */
function watchData(port: XdsPort, { state, logger }: Parts): void {
  const { dataWatch, tokens } = state;
  dataWatch.onChange(async () => port.refresh());
  dataWatch.onChange(async () => {
    if (await tokens.reload()) logger.info({}, 'the token keys changed');
  });
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
