// The walk's mesh as it runs: the built server under a supervisor, eight stock Envoys, their
// applications, and clients with certificates.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { loadOrCreateAnchorPem } from '../../src/ca/xds/index.js';
import { openDataDir } from '../../src/data/index.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { replaceFile } from '../../src/demo/replace-file.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { buildClocks, type ProcessClock } from '../faults/clock-of-processes.js';
import type { Harness } from '../harness/index.js';
import { PROGRAM } from '../harness/process.js';
import { reconnectingSoon } from '../harness/reconnect.js';
import { Supervisor } from '../soak/supervisor.js';
import { startApps } from './apps.js';
import { Clients } from './clients.js';
import { type MeshDoc, type Targets, toText } from './mesh-doc.js';
import type { StubKind } from './moves.js';
import { Stub } from './stub.js';
import { DRAIN_S } from './timeline.js';

/** Its service, by sidecar. */
export const SIDECARS = {
  ...{ web: 'web', batch: 'batch', 'ledger-a': 'ledger', 'ledger-b': 'ledger' },
  ...{ quotes: 'quotes', store: 'store', db: 'db', extra: 'extra' },
} as const;
export type SidecarName = keyof typeof SIDECARS;
export const SIDECAR_NAMES = Object.keys(SIDECARS) as readonly SidecarName[];
const ONE_PHASE = fileURLToPath(new URL('one-phase.mjs', import.meta.url));
/** Preloaded, so that the server's disk can be full or slow. */
const FAULT = new URL('../faults/fault.mjs', import.meta.url).href;
const FETCH_MS = 5_000;
const TOKEN_MS = 86_400_000;
const READY_MS = 40_000;

export interface WorldOptions {
  readonly harness: Harness;
  readonly binary: string;
  /** Of PostgreSQL. */
  readonly bin: string;
  readonly first: MeshDoc;
  readonly isOnePhase?: boolean;
}

interface Place {
  readonly address: string;
  readonly outbound: string;
}

export class World {
  readonly dir: string;
  readonly server: Supervisor;
  readonly clients: Clients;
  readonly serverClock: ProcessClock;
  readonly targets: Targets;
  readonly places: ReadonlyMap<string, Place>;
  readonly #options: WorldOptions;
  readonly #ports: { readonly host: string; readonly xds: number; readonly admin: number };
  readonly #bootstraps = new Map<string, object>();
  readonly #envoys = new Map<string, EnvoyProcess>();
  #starts = 0;
  #stub: Stub | undefined;

  private constructor(
    options: WorldOptions,
    parts: Pick<World, 'dir' | 'targets' | 'places'> & {
      ports: { host: string; xds: number; admin: number };
    },
  ) {
    this.#options = options;
    this.dir = parts.dir;
    this.targets = parts.targets;
    this.places = parts.places;
    this.#ports = parts.ports;
    const { host, xds, admin } = parts.ports;
    const program = options.isOnePhase === true ? [ONE_PHASE] : [PROGRAM, 'serve'];
    const where = ['--xds', `${host}:${xds}`, '--admin', `${host}:${admin}`];
    this.clients = new Clients({ harness: options.harness, dir: parts.dir, data: this.data });
    this.serverClock = buildClocks(parts.dir)('server');
    const fault = { FAULT_ROOT: this.data, FAULT_SWITCH: this.#diskSwitch };
    this.server = new Supervisor({
      ...{ harness: options.harness, command: process.execPath },
      env: { ...process.env, ...this.serverClock.env, ...fault },
      args: ['--import', FAULT, ...program, '--mesh', this.meshPath, '--data', this.data, ...where],
    });
  }

  static async start(options: WorldOptions): Promise<World> {
    const { harness, bin, first } = options;
    const dir = await harness.tempDir();
    const pool = await harness.addresses();
    const host = pool.address();
    const ports = { host, xds: await pool.port(host), admin: await pool.port(host) };
    const targets = await startApps(harness, bin);
    const places = new Map<string, Place>();
    for (const name of SIDECAR_NAMES) {
      places.set(name, { address: pool.address(), outbound: pool.block() });
    }
    const world = new World(options, { dir, targets, places, ports });
    writeFileSync(world.meshPath, toText(first, targets));
    harness.defer('the server', () => world.server.close());
    harness.defer('the stub', () => world.setStub(undefined));
    harness.onDump('status.json', async () => JSON.stringify(await world.status(), undefined, 1));
    harness.onDump('mesh.yaml', () => readFileSync(world.meshPath, 'utf8'));
    await world.server.start();
    await Promise.all(SIDECAR_NAMES.map((name) => world.startSidecar(name)));
    await Promise.all(SIDECAR_NAMES.map((name) => world.envoy(name).waitReady(READY_MS)));
    await Promise.all(['web', 'batch'].map((service) => world.clients.start(service)));
    return world;
  }

  get data(): string {
    return join(this.dir, 'data');
  }

  get meshPath(): string {
    return join(this.dir, 'mesh.yaml');
  }

  get #diskSwitch(): string {
    return join(this.dir, 'disk.switch');
  }

  /** What the server's disk is like: an error's name, or `slow <ms>`; undefined: well. */
  setDisk(trouble: string | undefined): void {
    if (trouble === undefined) rmSync(this.#diskSwitch, { force: true });
    else writeFileSync(this.#diskSwitch, trouble);
  }

  envoy(name: string): EnvoyProcess {
    const envoy = this.#envoys.get(name);
    if (envoy === undefined) throw new Error(`there is no sidecar ${name}`);
    return envoy;
  }

  /** For the first time, or anew with the same bootstrap. */
  async startSidecar(name: string): Promise<void> {
    const bootstrap = this.#bootstraps.get(name) ?? (await this.#toBootstrap(name as SidecarName));
    this.#bootstraps.set(name, bootstrap);
    const { harness, binary } = this.#options;
    const start = { binary, name: `${name}-${++this.#starts}`, bootstrap, drainTimeS: DRAIN_S };
    this.#envoys.set(name, await harness.envoy(start));
  }

  async write(doc: MeshDoc): Promise<void> {
    await replaceFile(this.meshPath, toText(doc, this.targets));
  }

  async get(path: string, timeoutMs = FETCH_MS): Promise<unknown> {
    const { host, admin } = this.#ports;
    const signal = AbortSignal.timeout(timeoutMs);
    return (await fetch(`http://${host}:${admin}${path}`, { signal })).json();
  }

  async status(): Promise<ServerStatus> {
    return (await this.get('/v1/status')) as ServerStatus;
  }

  /** What the built command printed, of any exit code that is no misuse. */
  async command(...argv: readonly string[]): Promise<string> {
    const { harness } = this.#options;
    const { host, admin } = this.#ports;
    const server = argv[0] === 'revoke' ? ['--server', `${host}:${admin}`] : [];
    const args = [PROGRAM, ...argv, '--data', this.data, ...server];
    const name = `countersign ${argv[0]}`;
    const { ended } = await harness.process({ name, command: process.execPath, args });
    const { code, stdout, stderr } = await ended;
    if (code !== 0) throw new Error(`countersign ${argv.join(' ')}: exit ${code}: ${stderr}`);
    return stdout;
  }

  async setStub(kind: StubKind | undefined): Promise<void> {
    await this.#stub?.close();
    this.#stub = undefined;
    if (kind === undefined) return;
    const { host, xds } = this.#ports;
    const { anchorPem, token } = await this.#identity('reports');
    this.#stub = new Stub({
      ...{ kind, anchorPem, token, id: 'reports~stub', address: `${host}:${xds}` },
    });
  }

  /** Where `caller`'s application reaches `callee` by its own sidecar. */
  async outbound(caller: string, callee: string): Promise<string> {
    const query = { service: callee, outbound: this.places.get(caller)?.outbound ?? '' };
    const answer = await this.get(`/v1/hosts?${new URLSearchParams(query)}`);
    const { entries } = answer as { entries: readonly { address: string }[] };
    const [entry] = entries;
    if (entry === undefined) throw new Error(`no address of ${callee} for ${caller}`);
    return entry.address;
  }

  async #identity(service: string): Promise<{ anchorPem: string; token: string }> {
    const dataDir = await openDataDir({ path: this.data, lock: false });
    const parts = { dataDir, clock: systemClock, random: systemRandom };
    const keys = await createTokenKeys(parts);
    const request = { audience: 'countersign-xds', subject: service, ttlMs: TOKEN_MS } as const;
    const { token } = keys.sign(request);
    return { anchorPem: await loadOrCreateAnchorPem(parts), token };
  }

  async #toBootstrap(name: SidecarName): Promise<object> {
    const { address = '', outbound = '' } = this.places.get(name) ?? {};
    const { host, xds } = this.#ports;
    const token = ['--token-file', join(this.dir, `${name}.token`)];
    const where = ['--address', address, '--outbound', outbound, '--xds', `${host}:${xds}`];
    const own = ['--instance', name, ...where, ...token];
    const printed = JSON.parse(await this.command('bootstrap', SIDECARS[name], ...own)) as object;
    const port = await (await this.#options.harness.addresses()).port(address);
    const admin = { address: { socket_address: { address, port_value: port } } };
    return { ...reconnectingSoon(printed), admin };
  }
}
