import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, systemClock, systemRandom } from '../../src/base/index.js';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import { loadOrCreateAnchorPem, XDS_SERVER_NAME } from '../../src/ca/xds/index.js';
import { toProtoJson } from '../../src/cli/proto-json.js';
import { openDataDir } from '../../src/data/index.js';
import type { EchoApp } from '../../src/demo/echo-app.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { hasStatistics } from '../../src/demo/find-envoy.js';
import { replaceFile } from '../../src/demo/replace-file.js';
import { envoy as proto } from '../../src/gen/bootstrap.js';
import { type RunningServer, startServer } from '../../src/server/index.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { type BootstrapOptions, toBootstrap } from '../../src/translate/bootstrap/index.js';
import { ForwardClock } from '../fakes/forward-clock.js';
import type { Harness } from './index.js';
import { reconnectingSoon } from './reconnect.js';

/** A service of the test mesh: its sidecar's address, its applications, its sidecar. */
export interface TestService {
  readonly name: string;
  readonly address: string;
  /** Prefix of its outbound listeners. */
  readonly outbound: string;
  /** Address and port of the application behind each declared port. */
  readonly apps: ReadonlyMap<number, { readonly address: string; readonly port: number }>;
  /** `<address>:<port>` of the application behind a declared port. */
  target(port: number): string;
}

export interface TestPort {
  readonly port: number;
  /** own: the test starts its own application there. */
  readonly kind: 'http' | 'http2' | 'tcp' | 'own';
}

export interface TestMesh {
  readonly dir: string;
  readonly meshPath: string;
  readonly dataPath: string;
  readonly server: () => RunningServer;
  /** The server's: a grace need not be waited for. */
  readonly clock: ForwardClock;
  /** What the server logged: field objects with `message`. */
  readonly log: readonly { readonly level: string; readonly message: string }[];
  service(name: string): TestService;
  /** Starts a stock Envoy as that service's sidecar, ready. */
  sidecar(name: string, options?: SidecarOptions): Promise<EnvoyProcess>;
  bootstrap(name: string, options?: SidecarOptions): Promise<object>;
  /** Replaces mesh.yaml and waits until it is in force everywhere. */
  edit(text: string): Promise<void>;
  write(text: string): Promise<void>;
  wait(timeoutMs?: number): Promise<WaitBody>;
  status(): Promise<ServerStatus>;
  /** Address at which `caller`'s application reaches `callee`. */
  outboundAddress(caller: string, callee: string): Promise<string>;
  /** Key, chain and trust anchors of a client that has no sidecar. */
  certificate(service: string, ttlMs?: number): Promise<{ key: string; cert: string; ca: string }>;
  token(service: string, options?: { instance?: string; ttlMs?: number }): Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface WaitBody {
  readonly inForce: boolean;
  readonly reason?: string;
  readonly nacks?: readonly { node: string; type: string; error: string; source?: string }[];
  readonly problems?: readonly { place: string; message: string }[];
  readonly waitingFor?: readonly string[];
}

export interface SidecarOptions extends Partial<BootstrapOptions> {
  readonly binary?: string;
  readonly drainTimeS?: number;
  readonly drainStrategy?: 'gradual' | 'immediate';
  /** Default: its address, and a port that is free there. */
  readonly admin?: { readonly address: string; readonly port: number };
  /** State of the world instead of delta. */
  readonly sotw?: boolean;
  /** Another application than the other instances', by declared port. */
  readonly application?: {
    readonly declared: number;
    readonly address: string;
    readonly port: number;
  };
}

export interface TestMeshOptions {
  readonly binary: string;
  /** Of the xDS port; default: an address of the test's own. */
  readonly xdsHost?: string;
  /** The server's time of day, which may be wrong; default: `clock` of the mesh. */
  readonly serverClock?: Clock;
  /** The services and the applications to start for them. */
  readonly services: Readonly<Record<string, readonly TestPort[]>>;
  /** mesh.yaml, given where each application listens. */
  readonly mesh: (service: (name: string) => TestService) => string;
}

const KINDS = { http: 'http', http2: 'http2' } as const;
const HOUR_MS = 3_600_000;

export async function startMesh(harness: Harness, options: TestMeshOptions): Promise<TestMesh> {
  const dir = await harness.tempDir();
  const meshPath = join(dir, 'mesh.yaml');
  const dataPath = join(dir, 'data');
  const pool = await harness.addresses();
  const services = new Map<string, TestService>();
  const started: EchoApp[] = [];
  for (const [name, ports] of Object.entries(options.services)) {
    const appAddress = pool.address();
    const apps = new Map<number, { address: string; port: number }>();
    for (const { port, kind } of ports) {
      const target = { address: appAddress, port: await pool.port(appAddress) };
      apps.set(port, target);
      if (kind === 'own') continue;
      const app = { name, ...target };
      started.push(
        kind === 'tcp'
          ? await harness.echoTcp(app)
          : await harness.echoHttp({ ...app, protocol: KINDS[kind] }),
      );
    }
    const target = (declared: number): string => {
      const app = apps.get(declared);
      if (app === undefined) throw new Error(`"${name}" has no port ${declared}`);
      return `${app.address}:${app.port}`;
    };
    const own = { address: pool.address(), outbound: pool.block() };
    services.set(name, { name, ...own, apps, target });
  }
  const service = (name: string): TestService => {
    const found = services.get(name);
    if (found === undefined) throw new Error(`the test mesh has no service "${name}"`);
    return found;
  };
  await writeFile(meshPath, options.mesh(service));
  await mkdir(dataPath, { recursive: true });

  const log: { level: string; message: string }[] = [];
  const logger = toLogger(log);
  const clock = new ForwardClock();
  const host = pool.address();
  let xds = { host: options.xdsHost ?? host, port: 0 };
  let admin = { host, port: 0 };
  let server: RunningServer | undefined;
  const time = { clock: options.serverClock ?? clock, uptime: clock.uptime };
  const start = async (): Promise<void> => {
    server = await startServer({ meshPath, dataPath, xds, admin, logger, ...time });
    xds = server.xdsAddress;
    admin = server.adminAddress;
  };
  const stop = async (): Promise<void> => {
    await server?.close();
    server = undefined;
  };
  await start();
  harness.defer('server', stop);
  harness.onDump('server.log', () => log.map((entry) => JSON.stringify(entry)).join('\n'));
  harness.onDump('mesh.yaml', () => options.mesh(service));

  const get = async (path: string): Promise<Response> =>
    fetch(`http://${admin.host}:${admin.port}${path}`);
  const status = async (): Promise<ServerStatus> =>
    (await (await get('/v1/status')).json()) as ServerStatus;
  harness.onDump('status.json', async () => JSON.stringify(await status(), undefined, 1));
  const wait = async (timeoutMs = 20_000): Promise<WaitBody> =>
    (await (await get(`/v1/wait?timeout_ms=${timeoutMs}`)).json()) as WaitBody;
  const identity = async () => ({
    dataDir: await openDataDir({ path: dataPath, lock: false }),
    clock: systemClock,
    random: systemRandom,
  });
  const token: TestMesh['token'] = async (name, { instance, ttlMs = HOUR_MS } = {}) => {
    const keys = await createTokenKeys(await identity());
    const audience = 'countersign-xds' as const;
    const bound = instance === undefined ? {} : { instance };
    return keys.sign({ audience, subject: name, ttlMs, ...bound }).token;
  };
  const bootstrap: TestMesh['bootstrap'] = async (name, given = {}) => {
    const { address, outbound } = service(name);
    const {
      binary = options.binary,
      drainTimeS: _d,
      drainStrategy: _s,
      admin: at,
      ...more
    } = given;
    const { sotw, application, ...rest } = more;
    const message = toBootstrap({
      service: name,
      address,
      outbound,
      xds,
      xdsAnchorPem: await loadOrCreateAnchorPem(await identity()),
      xdsServerName: XDS_SERVER_NAME,
      reportsStatistics: await hasStatistics(binary),
      reportsHealth: options.mesh(service).includes('health:'),
      ...(rest.certificate === undefined
        ? { token: { kind: 'inline', token: await token(name) } }
        : {}),
      ...rest,
    });
    const bytes = proto.config.bootstrap.v3.Bootstrap.encode(message).finish();
    const json = toProtoJson('envoy.config.bootstrap.v3.Bootstrap', bytes);
    const adminAt = at ?? { address, port: await pool.port(address) };
    const text = JSON.stringify({
      ...json,
      admin: {
        address: { socket_address: { address: adminAt.address, port_value: adminAt.port } },
      },
      ...(application === undefined
        ? {}
        : withApplication(json, {
            ...application,
            replaces: service(name).target(application.declared),
          })),
    });
    const shown = sotw === true ? text.replace('"DELTA_GRPC"', '"GRPC"') : text;
    return reconnectingSoon(JSON.parse(shown) as object);
  };
  return {
    dir,
    meshPath,
    dataPath,
    clock,
    log,
    service,
    status,
    wait,
    token,
    bootstrap,
    start,
    stop,
    server() {
      if (server === undefined) throw new Error('the server is stopped');
      return server;
    },
    async sidecar(name, given = {}) {
      const process = await harness.envoy({
        binary: given.binary ?? options.binary,
        name: name.replace('/', '-'),
        bootstrap: await bootstrap(name, given),
        drainTimeS: given.drainTimeS ?? 600,
        ...(given.drainStrategy === undefined ? {} : { drainStrategy: given.drainStrategy }),
      });
      await process.waitReady();
      return process;
    },
    write: (text) => replaceFile(meshPath, text),
    async edit(text) {
      await replaceFile(meshPath, text);
      const answer = await wait();
      if (!answer.inForce) throw new Error(`not in force: ${JSON.stringify(answer)}`);
    },
    async outboundAddress(caller, callee) {
      const query = new URLSearchParams({ service: callee, outbound: service(caller).outbound });
      const { entries } = (await (await get(`/v1/hosts?${query}`)).json()) as {
        entries: { address: string }[];
      };
      const [entry] = entries;
      if (entry === undefined) throw new Error(`no address for "${callee}"`);
      return entry.address;
    },
    async certificate(name, ttlMs = HOUR_MS) {
      const parts = await identity();
      const trustDomain = 'test.example';
      const { authority } = await loadOrCreateAuthority({ ...parts, trustDomain });
      const [namespace, account] = name.includes('/') ? name.split('/') : ['default', name];
      const leaf = await authority.issueLeaf({
        spiffeId: parseSpiffeId(`spiffe://${trustDomain}/ns/${namespace}/sa/${account}`),
        dnsNames: [],
        ttlMs,
        key: 'ecdsa-p256',
      });
      return { key: leaf.keyPem, cert: leaf.chainPem, ca: authority.trustAnchorsPem };
    },
  };
}

/** A static cluster, which Envoy never replaces by one of the same name that it is sent. */
function withApplication(
  { static_resources: resources }: { static_resources?: { clusters?: object[] } },
  {
    declared,
    address,
    port,
    replaces,
  }: NonNullable<SidecarOptions['application']> & { readonly replaces: string },
): object {
  const name = `local:${declared}:${replaces}`;
  const endpoint = { address: { socket_address: { address, port_value: port } } };
  const cluster = {
    name,
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
  return {
    static_resources: { ...resources, clusters: [...(resources?.clusters ?? []), cluster] },
  };
}

function toLogger(log: { level: string; message: string }[]): Logger {
  const to =
    (level: string) =>
    (fields: object, message: string): void => {
      const shown = JSON.parse(
        JSON.stringify(fields, (_key, value: unknown) =>
          value instanceof Error ? `${value.name}: ${value.message}` : value,
        ),
      ) as object;
      log.push({ level, message, ...shown });
    };
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
}
