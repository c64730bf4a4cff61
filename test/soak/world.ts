// A mesh that is to stand all of it: the built server on a small disk, stock Envoys with the
// shortest leaves, each by a clock that can be set, and calls all the time.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../../src/base/index.js';
import type { AddressPool } from '../../src/demo/addresses.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { replaceFile } from '../../src/demo/replace-file.js';
import type { ServerStatus, WaitAnswer } from '../../src/server/status/index.js';
import { buildClocks, type ProcessClock } from '../faults/clock-of-processes.js';
import { eventually, type Harness } from '../harness/index.js';
import { PROGRAM, type TestProcess } from '../harness/process.js';
import { reconnectingSoon } from '../harness/reconnect.js';
import { Calls } from './calls.js';
import { type Disk, mountDisk } from './disk.js';
import { FIRST_SHAPE, type Shape, type Targets, toMeshText } from './mesh-text.js';
import { allRoutes, expectOpen } from './routes.js';
import { Supervisor } from './supervisor.js';
import type { Windows } from './windows.js';

export const SIDECARS = ['web', 'batch', 'ledger', 'store'] as const;
export type SidecarName = (typeof SIDECARS)[number] | 'rogue';
const READY_MS = 30_000;
const FETCH_MS = 5_000;
const LEAF_LEFT_MS = 2_000;

export interface Places {
  readonly address: string;
  readonly outbound: string;
}

export class World {
  readonly dir: string;
  readonly data: string;
  readonly meshPath: string;
  readonly disk: Disk;
  readonly clocks: { readonly server: ProcessClock; readonly sidecars: ProcessClock };
  readonly server: Supervisor;
  readonly xds: { readonly host: string; readonly port: number };
  readonly places: ReadonlyMap<string, Places>;
  shape: Shape = FIRST_SHAPE;
  /** Of a service of the mesh, for those who attack by it. */
  hostileToken = '';
  /** Of the round that runs. */
  windows!: Windows;
  calls!: Calls;
  readonly #harness: Harness;
  readonly #admin: string;
  readonly #targets: Targets;
  readonly #pool: AddressPool;
  readonly #envoy: string;
  readonly #envoys = new Map<string, EnvoyProcess>();
  readonly #bootstraps = new Map<string, object>();
  #starts = 0;

  private constructor(parts: {
    readonly harness: Harness;
    readonly dir: string;
    readonly disk: Disk;
    readonly pool: AddressPool;
    readonly targets: Targets;
    readonly binary: string;
    readonly ports: { readonly host: string; readonly xds: number; readonly admin: number };
  }) {
    const { harness, dir, disk, pool, targets, binary, ports } = parts;
    this.#harness = harness;
    this.dir = dir;
    this.data = join(dir, 'disk', 'data');
    this.meshPath = join(dir, 'mesh.yaml');
    this.disk = disk;
    this.#pool = pool;
    this.#targets = targets;
    this.xds = { host: ports.host, port: ports.xds };
    this.#admin = `${ports.host}:${ports.admin}`;
    const clock = buildClocks(dir);
    this.clocks = { server: clock('server'), sidecars: clock('sidecars') };
    this.#envoy = this.clocks.sidecars.wrap(binary);
    const names = [...SIDECARS, 'rogue'];
    this.places = new Map(
      names.map((name) => [name, { address: pool.address(), outbound: pool.block() }]),
    );
    writeFileSync(this.meshPath, toMeshText(this.shape, targets));
    this.server = new Supervisor({
      harness,
      env: { ...process.env, ...this.clocks.server.env },
      ...disk.within(process.execPath, [
        ...['--max-old-space-size=256', PROGRAM, 'serve', '--mesh', this.meshPath],
        ...['--data', this.data, '--xds', `${ports.host}:${ports.xds}`, '--admin', this.#admin],
      ]),
    });
    harness.onDump('status.json', async () => JSON.stringify(await this.status(), undefined, 1));
    harness.onDump('mesh.yaml', () => readFileSync(this.meshPath, 'utf8'));
  }

  static async start(harness: Harness, binary: string): Promise<World> {
    const dir = await harness.tempDir();
    const disk = await mountDisk(harness, join(dir, 'disk'));
    const pool = await harness.addresses();
    const host = pool.address();
    const ports = { host, xds: await pool.port(host), admin: await pool.port(host) };
    const at = async () => {
      const address = pool.address();
      return { address, port: await pool.port(address) };
    };
    const apps = { ledger: await at(), store: await at() };
    await harness.echoHttp({ name: 'ledger', ...apps.ledger });
    await harness.echoTcp({ name: 'store', ...apps.store });
    const targets = {
      ledger: `${apps.ledger.address}:${apps.ledger.port}`,
      store: `${apps.store.address}:${apps.store.port}`,
    };
    const world = new World({ harness, dir, disk, pool, targets, binary, ports });
    harness.defer('the server', () => world.server.close());
    await world.server.start();
    await Promise.all([...world.places.keys()].map((name) => world.startSidecar(name)));
    await world.#openAll();
    return world;
  }

  /** Every way is shown to work before it is forbidden: else a refusal would prove nothing. */
  async #openAll(): Promise<void> {
    const waited = await this.wait(READY_MS);
    if (!waited.inForce) throw new Error(`not in force: ${JSON.stringify(waited)}`);
    for (const name of ['web', 'batch', 'rogue']) {
      mkdirSync(join(this.dir, name));
      await this.command('cert', name, '--out', join(this.dir, name), '--data', this.data);
    }
    this.hostileToken = (await this.command('token', 'batch', '--data', this.data)).trim();
    await expectOpen(this);
    await this.command('revoke', 'rogue', '--data', this.data, '--server', this.#admin);
    await this.untilServed(READY_MS);
    this.calls = new Calls(await allRoutes(this));
    this.#harness.defer('calls', () => this.calls.stop());
    await this.untilWell(READY_MS);
    this.calls.takeWrong();
  }

  /** What the built command printed. */
  async command(...argv: readonly string[]): Promise<string> {
    const child = await this.#harness.process({
      name: `countersign ${argv[0]}`,
      ...this.disk.within(process.execPath, [PROGRAM, ...argv]),
    });
    const { code, stdout, stderr } = await child.ended;
    if (code !== 0) throw new Error(`countersign ${argv[0]}: exit ${code}: ${stderr}`);
    return stdout;
  }

  /** Another program, where the disk isn't needed. */
  process(name: string, command: string, args: readonly string[]): Promise<TestProcess> {
    return this.#harness.process({ name, command, args });
  }

  async get(path: string, timeoutMs = FETCH_MS): Promise<unknown> {
    const signal = AbortSignal.timeout(timeoutMs);
    return (await fetch(`http://${this.#admin}${path}`, { signal })).json();
  }

  async status(): Promise<ServerStatus> {
    return (await this.get('/v1/status')) as ServerStatus;
  }

  async wait(timeoutMs: number): Promise<WaitAnswer> {
    const path = `/v1/wait?timeout_ms=${timeoutMs}`;
    return (await this.get(path, timeoutMs + FETCH_MS)) as WaitAnswer;
  }

  envoy(name: string): EnvoyProcess {
    const envoy = this.#envoys.get(name);
    if (envoy === undefined) throw new Error(`there is no sidecar ${name}`);
    return envoy;
  }

  /** Its Envoy, started for the first time or anew with the same bootstrap. */
  async startSidecar(name: string): Promise<void> {
    const bootstrap = this.#bootstraps.get(name) ?? (await this.#toBootstrap(name));
    this.#bootstraps.set(name, bootstrap);
    const envoy = await this.#harness.envoy({
      ...{ binary: this.#envoy, name: `${name}-${++this.#starts}`, bootstrap },
    });
    this.#envoys.set(name, envoy);
  }

  async #toBootstrap(name: string): Promise<object> {
    const { address = '', outbound = '' } = this.places.get(name) ?? {};
    const { host, port } = this.xds;
    const token = ['--token-file', join(this.dir, `${name}.token`)];
    const where = ['--address', address, '--outbound', outbound, '--xds', `${host}:${port}`];
    const argv = ['bootstrap', name, ...where, ...token, '--data', this.data];
    const printed = JSON.parse(await this.command(...argv)) as object;
    const adminPort = await this.#pool.port(address);
    const admin = { address: { socket_address: { address, port_value: adminPort } } };
    return { ...reconnectingSoon(printed), admin };
  }

  toText(shape: Shape): string {
    return toMeshText(shape, this.#targets);
  }

  /** Renamed into place. */
  async edit(shape: Shape): Promise<void> {
    this.shape = shape;
    await replaceFile(this.meshPath, this.toText(shape));
  }

  /** The server answers, and each sidecar that is not shut out has what it is to have. */
  async untilServed(timeoutMs: number): Promise<void> {
    await eventually(
      async () => {
        const { now, proxies } = await this.status();
        const isServed = (name: string): boolean =>
          proxies.some(({ service, state, certificate, node }) => {
            const leftMs = Date.parse(certificate?.notAfter ?? '') - Date.parse(now);
            const isOurs = service === name && !node.includes('hostile');
            return isOurs && state === 'synced' && leftMs > LEAF_LEFT_MS;
          });
        const late = SIDECARS.filter((name) => !isServed(name));
        if (late.length > 0) throw new Error(`not served: ${late.join(', ')}`);
      },
      { what: 'all sidecars served', timeoutMs, intervalMs: 50 },
    );
  }

  /** Nothing is left of what happened. */
  async untilWell(timeoutMs: number): Promise<void> {
    await eventually(
      async () => {
        const waited = await this.wait(1_000);
        if (!waited.inForce) throw new MeshError('timeout', JSON.stringify(waited));
        const { warnings, phase, mesh, revocations } = await this.status();
        const problems = mesh.problems.filter(({ severity }) => severity === 'error');
        const left = { warnings, phase, problems, pending: mesh.pendingEdit };
        const isWell = warnings.length === 0 && phase === null && problems.length === 0;
        if (!isWell || mesh.pendingEdit !== undefined) throw new Error(JSON.stringify(left));
        const subjects = revocations.map(({ subject }) => subject);
        if (subjects.join() !== 'rogue') throw new Error(`revoked: ${subjects.join()}`);
      },
      { what: 'a mesh that is well', timeoutMs, intervalMs: 100 },
    );
    await this.calls.untilGood(10, timeoutMs);
  }
}
