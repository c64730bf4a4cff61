// The demo's mesh: the quickstart's services, each with a small application and a stock Envoy, and
// one `countersign serve`. Everything is done through the command line, as a user would.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../base/index.js';
import { type AddressPool, createAddressPool } from './addresses.js';
import type { Child } from './child.js';
import type { CleanupStack } from './cleanup.js';
import { type EchoApp, startEchoHttp } from './echo-app.js';
import { startEchoTcp } from './echo-tcp.js';
import { type EnvoyProcess, startEnvoy } from './envoy-process.js';
import { hasStatistics } from './find-envoy.js';
import { removeOnExit } from './reaper.js';
import { replaceFile } from './replace-file.js';
import { countersign, startServe } from './run-demo-cli.js';
import {
  type DemoService,
  QUICKSTART_SERVICES,
  type QuickstartService,
  readQuickstart,
  renamePort,
  replaceOnce,
} from './run-demo-quickstart.js';
import type { TlsOptions } from './tls-client.js';

/** A service with its application and its sidecar. */
export interface DemoNode {
  readonly name: DemoService;
  /** Where its sidecar listens for callers, on the declared port and the mesh port. */
  readonly address: string;
  readonly port: number;
  /** Prefix of the addresses at which its own application reaches others. */
  readonly outbound: string;
  readonly app: EchoApp;
  readonly envoy: EnvoyProcess;
}

export interface DemoMesh {
  readonly meshPath: string;
  readonly dataPath: string;
  /** `host:port` of the server's two ports. */
  readonly xds: string;
  readonly admin: string;
  readonly nodes: readonly DemoNode[];
  node(name: DemoService): DemoNode;
  /** Where `caller`'s application reaches `callee`: an address on which its own sidecar listens. */
  addressOf(callee: DemoService, caller: DemoService): Promise<string>;
  /** Replaces a text in mesh.yaml and waits until that is in force on every sidecar. */
  edit(change: { from: string; to: string }): Promise<void>;
  /** Key, certificate and trust anchors of a client without a sidecar (`countersign cert`). */
  certificate(service: DemoService): Promise<DemoCertificate>;
}

export interface DemoCertificate {
  /** Holds key.pem, cert.pem and bundle.pem. */
  readonly folder: string;
  readonly tls: TlsOptions;
}

/** What has been started so far, since the logs of a failed start are needed too. */
export interface DemoProcesses {
  serve?: Child;
  readonly envoys: EnvoyProcess[];
}

export interface DemoMeshOptions {
  readonly envoyBinary: string;
  readonly random: Random;
  readonly cleanup: CleanupStack;
  readonly processes: DemoProcesses;
  /** Called with a line about each part once it is there. */
  readonly onPart: (name: string, text: string) => void;
}

/** How long Envoy lets connections of a removed filter chain live; the demo has no long ones. */
const DRAIN_TIME_S = 5;
const ENVOY_ADMIN_PORT = 15_000;

/** What is decided before anything runs. */
interface Place extends QuickstartService {
  readonly address: string;
  readonly outbound: string;
  /** The declared port's number here. */
  readonly ownPort: number;
  readonly appAddress: string;
  readonly appPort: number;
}

export async function startDemoMesh(options: DemoMeshOptions): Promise<DemoMesh> {
  const { cleanup, processes, onPart, random } = options;
  const pool = await createAddressPool(random);
  await cleanup.defer(() => pool.close());
  const folder = await createFolder(cleanup);
  const meshPath = join(folder, 'mesh.yaml');
  const dataPath = join(folder, 'data');
  const places = await choosePlaces(pool);
  await writeFile(meshPath, toMeshText(await readQuickstart(), places));

  const host = pool.address();
  const [xds, admin] = [`${host}:${await pool.port(host)}`, `${host}:${await pool.port(host)}`];
  const listen = ['--xds', xds, '--admin', admin];
  const serve = await startServe(['--mesh', meshPath, '--data', dataPath, ...listen]);
  processes.serve = serve;
  await cleanup.defer(() => serve.stop());
  await serve.waitForLog(/^ready:/, 30_000);
  onPart('countersign serve', `xds ${xds}, admin ${admin}`);

  const nodes: DemoNode[] = [];
  for (const place of places) {
    const app = await startApp(place, cleanup);
    const envoy = await startSidecar(place, { ...options, dataPath, xds, folder });
    const { name, address, ownPort: port, outbound } = place;
    nodes.push({ name, address, port, outbound, app, envoy });
  }
  await Promise.all(nodes.map(({ envoy }) => envoy.waitReady(30_000)));
  await waitInForce(admin);
  for (const { name, address, port, app } of nodes) {
    onPart(name, `Envoy at ${address}:${port}, application at ${app.address}:${app.port}`);
  }
  return toMesh({ meshPath, dataPath, xds, admin, nodes, folder });
}

async function createFolder(cleanup: CleanupStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-demo-'));
  const forgetFolder = removeOnExit(folder);
  await cleanup.defer(async () => {
    await rm(folder, { recursive: true, force: true });
    forgetFolder();
  });
  return folder;
}

async function choosePlaces(pool: AddressPool): Promise<readonly Place[]> {
  const own = new Map<number, number>();
  const places: Place[] = [];
  for (const service of QUICKSTART_SERVICES) {
    const address = pool.address();
    const ownPort = own.get(service.port) ?? (await pool.preferred(address, service.port));
    own.set(service.port, ownPort);
    const appAddress = pool.address();
    const appPort = await pool.port(appAddress);
    places.push({ ...service, address, ownPort, outbound: pool.block(), appAddress, appPort });
  }
  return places;
}

function toMeshText(example: string, places: readonly Place[]): string {
  let text = example;
  for (const { target, appAddress, appPort, port, ownPort } of places) {
    text = replaceOnce(text, { from: `target: ${target}`, to: `target: ${appAddress}:${appPort}` });
    text = renamePort(text, { from: port, to: ownPort });
  }
  return text;
}

async function startApp(place: Place, cleanup: CleanupStack): Promise<EchoApp> {
  const start = place.protocol === 'tcp' ? startEchoTcp : startEchoHttp;
  const app = await start({ name: place.name, address: place.appAddress, port: place.appPort });
  await cleanup.defer(() => app.close());
  return app;
}

interface SidecarOptions extends DemoMeshOptions {
  readonly dataPath: string;
  readonly xds: string;
  readonly folder: string;
}

async function startSidecar(place: Place, options: SidecarOptions): Promise<EnvoyProcess> {
  const { name, address, outbound } = place;
  const { dataPath, xds, folder, cleanup, processes } = options;
  // One of them with its token in a file, as sidecars that run for long should have it.
  const tokenFile =
    name === 'payments/ledger' ? ['--token-file', join(folder, 'ledger.token')] : [];
  const statistics = (await hasStatistics(options.envoyBinary)) ? [] : ['--no-statistics'];
  const text = await countersign([
    ...['bootstrap', name, '--data', dataPath, '--xds', xds],
    ...['--address', address, '--outbound', outbound],
    ...['--envoy-admin-port', String(ENVOY_ADMIN_PORT), ...tokenFile, ...statistics],
  ]);
  const envoy = await startEnvoy({
    binary: options.envoyBinary,
    name: `envoy-${name.replace('/', '-')}`,
    bootstrap: withAdminAt(address, JSON.parse(text) as object),
    drainTimeS: DRAIN_TIME_S,
  });
  processes.envoys.push(envoy);
  await cleanup.defer(() => envoy.stop());
  return envoy;
}

/**
 * Each Envoy's admin port is on an address of its own, since only one with that number fits on
 * 127.0.0.1.
 */
function withAdminAt(address: string, bootstrap: object): object {
  const socket_address = { address, port_value: ENVOY_ADMIN_PORT };
  return { ...bootstrap, admin: { address: { socket_address } } };
}

async function waitInForce(admin: string): Promise<void> {
  await countersign(['wait', '--timeout', '45s', '--server', admin]);
}

interface Started {
  readonly meshPath: string;
  readonly dataPath: string;
  readonly xds: string;
  readonly admin: string;
  readonly nodes: readonly DemoNode[];
  readonly folder: string;
}

function toMesh(started: Started): DemoMesh {
  const { folder, meshPath, dataPath, admin, nodes } = started;
  const node = (name: DemoService): DemoNode => {
    const found = nodes.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`the demo has no service ${name}`);
    return found;
  };
  return {
    ...{ meshPath, dataPath, xds: started.xds, admin, nodes, node },
    async addressOf(callee, caller) {
      const prefix = ['--outbound', node(caller).outbound];
      const line = await countersign(['hosts', callee, ...prefix, '--server', admin]);
      return line.split(' ')[0] ?? '';
    },
    async edit(change) {
      await replaceFile(meshPath, replaceOnce(await readFile(meshPath, 'utf8'), change));
      await waitInForce(admin);
    },
    async certificate(service) {
      const target = join(folder, `tls-${service.replace('/', '-')}`);
      await countersign(['cert', service, '--out', target, '--data', dataPath]);
      const read = (file: string): Promise<string> => readFile(join(target, file), 'utf8');
      const [key, cert, ca] = await Promise.all(['key.pem', 'cert.pem', 'bundle.pem'].map(read));
      return { folder: target, tls: { ...(key && cert && ca ? { key, cert, ca } : {}) } };
    },
  };
}
