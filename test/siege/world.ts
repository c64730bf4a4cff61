// A built server with little memory, two stock Envoys and traffic between them, and floods of
// hostile clients from a process of their own (bench/floods.mjs).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/index.js';
import { XDS_SERVER_NAME } from '../../src/ca/xds/index.js';
import type { AddressPool } from '../../src/demo/addresses.js';
import type { Child } from '../../src/demo/child.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { eventually, type Harness } from '../harness/index.js';
import { reconnectingSoon } from '../harness/reconnect.js';

export const PORT = 8080;
/** Of the server's heap, in MiB. */
const HEAP_MIB = 256;
const FLOODS = fileURLToPath(new URL('../../bench/floods.mjs', import.meta.url));
const SAMPLE_MS = 50;

/** What was seen of the server while something else went on. */
export interface Seen {
  /** In MiB. */
  readonly peakRss: number;
  /** In milliseconds. */
  readonly slowestHealth: number;
  readonly peakFiles: number;
  /** How many connections and streams the floods have opened. */
  readonly opened: number;
}

export interface FloodOptions {
  readonly forMs: number;
  /** How many connections that do nothing. */
  readonly idle: number;
  /** How many streams of a kind that holds streams. */
  readonly most: number;
  /** The server may be killed meanwhile. */
  readonly isKilled?: boolean;
}

/** `pid` of a Linux process: what it has of memory, in MiB, and of files. */
function readRss(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) / 1_024;
}

const countFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

interface Place {
  readonly dir: string;
  readonly pool: AddressPool;
  readonly host: string;
  readonly xdsPort: number;
  readonly adminPort: number;
}

async function findPlace(harness: Harness): Promise<Place> {
  const dir = await harness.tempDir();
  const pool = await harness.addresses();
  const host = pool.address();
  return { dir, pool, host, xdsPort: await pool.port(host), adminPort: await pool.port(host) };
}

/** The mesh and the application of its one callee. */
async function writeMesh(harness: Harness, { dir, pool }: Place): Promise<void> {
  const address = pool.address();
  const app = { name: 'ledger', address, port: await pool.port(address) };
  await harness.echoHttp(app);
  const target = `"${app.address}:${app.port}"`;
  const mesh = `trustDomain: siege.example
mtls: strict
services:
  web: {}
  ledger: { ports: { ${PORT}: { protocol: http, target: ${target} } } }
`;
  writeFileSync(join(dir, 'mesh.yaml'), mesh);
}

/** The built server, which can be killed and started again. */
class Server {
  readonly #harness: Harness;
  readonly #place: Place;
  #child: Child | undefined;

  constructor(harness: Harness, place: Place) {
    this.#harness = harness;
    this.#place = place;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const { dir, host, xdsPort, adminPort } = this.#place;
    const ports = ['--xds', `${host}:${xdsPort}`, '--admin', `${host}:${adminPort}`];
    const files = ['--mesh', 'mesh.yaml', '--data', 'data', '--log-level', 'error'];
    const nodeArgs = [`--max-old-space-size=${HEAP_MIB}`];
    this.#child = await this.#harness.program(['serve', ...files, ...ports], {
      ...{ cwd: dir, nodeArgs },
    });
    await this.#child.waitForLog(/^ready: /, 20_000);
  }

  async kill(): Promise<void> {
    this.#child?.signal('SIGKILL');
    await this.#child?.exited;
  }

  get(path: string): Promise<Response> {
    const { host, adminPort } = this.#place;
    return fetch(`http://${host}:${adminPort}${path}`);
  }

  async status(): Promise<ServerStatus> {
    return (await (await this.get('/v1/status')).json()) as ServerStatus;
  }

  /** Of the sidecars that aren't hostile. */
  async ownProxies(): Promise<ServerStatus['proxies']> {
    return (await this.status()).proxies.filter(({ node }) => !node.includes('hostile'));
  }

  /** `countersign` on its data folder. */
  command(...argv: string[]): Promise<string> {
    return this.#harness.command([...argv, '--data', 'data'], { cwd: this.#place.dir });
  }
}

interface SidecarOptions {
  readonly name: string;
  readonly binary: string;
  readonly outbound: string;
}

async function startSidecar(
  harness: Harness,
  { place, server }: { readonly place: Place; readonly server: Server },
  { name, binary, outbound }: SidecarOptions,
): Promise<void> {
  const { dir, pool, host, xdsPort } = place;
  const address = pool.address();
  const token = ['--token-file', join(dir, `${name}.token`)];
  const where = ['--address', address, '--outbound', outbound, '--xds', `${host}:${xdsPort}`];
  const printed = await server.command('bootstrap', name, ...where, ...token);
  const port = await pool.port(address);
  const own = { admin: { address: { socket_address: { address, port_value: port } } } };
  const bootstrap = { ...reconnectingSoon(JSON.parse(printed) as object), ...own };
  const envoy = await harness.envoy({ binary, name, bootstrap });
  await envoy.waitReady();
}

/** What the server is like while something goes on, which is over when `ended` is. */
async function watch(
  server: Server,
  { ended, isKilled }: { readonly ended: Promise<unknown>; readonly isKilled: boolean },
): Promise<Omit<Seen, 'opened'>> {
  const seen = { peakRss: 0, slowestHealth: 0, peakFiles: 0 };
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  while (!isOver) {
    const beganMs = systemClock.now();
    await server.get('/healthz').catch((error: unknown) => {
      if (!isKilled) throw error;
    });
    seen.slowestHealth = Math.max(seen.slowestHealth, systemClock.now() - beganMs);
    if (!isKilled) seen.peakRss = Math.max(seen.peakRss, readRss(server.pid));
    if (!isKilled) seen.peakFiles = Math.max(seen.peakFiles, countFiles(server.pid));
    await sleep(SAMPLE_MS);
  }
  return seen;
}

export async function startWorld(harness: Harness, binary: string) {
  const place = await findPlace(harness);
  await writeMesh(harness, place);
  const server = new Server(harness, place);
  await server.start();
  const outbound = place.pool.block();
  const parts = { place, server };
  await startSidecar(harness, parts, { name: 'ledger', binary, outbound: place.pool.block() });
  await startSidecar(harness, parts, { name: 'web', binary, outbound });
  await server.get('/v1/wait?timeout_ms=20000');
  const query = new URLSearchParams({ service: 'ledger', outbound });
  const { entries } = (await (await server.get(`/v1/hosts?${query}`)).json()) as {
    entries: { address: string }[];
  };
  const token = (await server.command('token', 'web')).trim();
  const { host, xdsPort: port } = place;
  const to = { host, port, servername: XDS_SERVER_NAME, service: 'web', token };
  return {
    address: entries[0]?.address ?? '',
    status: () => server.status(),
    files: () => countFiles(server.pid),
    rss: () => readRss(server.pid),
    /** When each of our own sidecars connected: another time is another stream. */
    async streams(): Promise<readonly string[]> {
      const own = await server.ownProxies();
      return own.map(({ node, connectedAt }) => `${node} ${connectedAt}`).sort();
    },
    /** Floods for a time, and looks at the server meanwhile, which may be killed in between. */
    async flood(kinds: readonly string[], options: FloodOptions): Promise<Seen> {
      const { isKilled = false, ...bounds } = options;
      const { ended } = await harness.process({
        ...{ name: `floods of ${kinds.join(', ')}`, command: process.execPath },
        args: [FLOODS, JSON.stringify({ kinds, ...to, ...bounds })],
      });
      const seen = await watch(server, { ended, isKilled });
      const { code, stdout, stderr } = await ended;
      if (code !== 0) throw new Error(`the floods ended with ${code}: ${stderr}`);
      return { ...seen, opened: (JSON.parse(stdout) as { opened: number }).opened };
    },
    /** Killed and started again; how long until both sidecars have all that they are to have. */
    async restart(): Promise<number> {
      await server.kill();
      const beganMs = systemClock.now();
      await server.start();
      const areBack = async (): Promise<boolean> => {
        const own = await server.ownProxies();
        return own.length === 2 && own.every(({ state }) => state === 'synced');
      };
      await eventually(areBack, { what: 'both sidecars back', timeoutMs: 60_000 });
      return systemClock.now() - beganMs;
    },
  };
}
