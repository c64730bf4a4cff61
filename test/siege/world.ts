// A built server with little memory, two stock Envoys and traffic between them, and floods of
// hostile clients from a process of their own (bench/floods.mjs).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/index.js';
import { XDS_SERVER_NAME } from '../../src/ca/xds/index.js';
import type { Child } from '../../src/demo/child.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
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
  /** The server may be killed meanwhile. */
  readonly isKilled?: boolean;
}

/** `pid` of a Linux process: what it has of memory, in MiB, and of files. */
function readRss(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) / 1_024;
}

const countFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

export async function startWorld(harness: Harness, binary: string) {
  const dir = await harness.tempDir();
  const pool = await harness.addresses();
  const host = pool.address();
  const [xdsPort, adminPort] = [await pool.port(host), await pool.port(host)];
  const [xds, admin] = [`${host}:${xdsPort}`, `${host}:${adminPort}`];
  const appAddress = pool.address();
  const app = { name: 'ledger', address: appAddress, port: await pool.port(appAddress) };
  await harness.echoHttp(app);
  const target = `"${app.address}:${app.port}"`;
  const mesh = `trustDomain: siege.example
mtls: strict
services:
  web: {}
  ledger: { ports: { ${PORT}: { protocol: http, target: ${target} } } }
`;
  writeFileSync(join(dir, 'mesh.yaml'), mesh);
  const world: { server?: Child } = {};
  const command = (...argv: string[]): Promise<string> =>
    harness.command([...argv, '--data', 'data'], { cwd: dir });
  const serve = async (): Promise<void> => {
    const places = ['--mesh', 'mesh.yaml', '--data', 'data', '--xds', xds, '--admin', admin];
    const argv = ['serve', ...places, '--log-level', 'error'];
    const nodeArgs = [`--max-old-space-size=${HEAP_MIB}`];
    world.server = await harness.program(argv, { cwd: dir, nodeArgs });
    await world.server.waitForLog(/^ready: /, 20_000);
  };
  const get = async (path: string): Promise<Response> => fetch(`http://${admin}${path}`);
  const status = async (): Promise<ServerStatus> =>
    (await (await get('/v1/status')).json()) as ServerStatus;
  await serve();
  const outbounds = new Map<string, string>();
  const sidecar = async (name: string): Promise<EnvoyProcess> => {
    const [address, outbound] = [pool.address(), pool.block()];
    outbounds.set(name, outbound);
    const token = ['--token-file', join(dir, `${name}.token`)];
    const where = ['--address', address, '--outbound', outbound, '--xds', xds];
    const printed = await command('bootstrap', name, ...where, ...token);
    const port = await pool.port(address);
    const own = { admin: { address: { socket_address: { address, port_value: port } } } };
    const bootstrap = { ...reconnectingSoon(JSON.parse(printed) as object), ...own };
    const envoy = await harness.envoy({ binary, name, bootstrap });
    await envoy.waitReady();
    return envoy;
  };
  await sidecar('ledger');
  await sidecar('web');
  await get('/v1/wait?timeout_ms=20000');
  const query = new URLSearchParams({ service: 'ledger', outbound: outbounds.get('web') ?? '' });
  const hosts = (await (await get(`/v1/hosts?${query}`)).json()) as {
    entries: { address: string }[];
  };
  const token = (await command('token', 'web')).trim();
  const pid = (): number => world.server?.pid ?? 0;

  /** When each of our own sidecars connected: another time is another stream. */
  const streams = async (): Promise<readonly string[]> => {
    const own = (await status()).proxies.filter(({ node }) => !node.includes('hostile'));
    return own.map(({ node, connectedAt }) => `${node} ${connectedAt}`).sort();
  };

  /** Floods for a time, and looks at the server meanwhile, which may be killed in between. */
  const flood = async (
    kinds: readonly string[],
    { forMs, idle, isKilled = false }: FloodOptions,
  ): Promise<Seen> => {
    const to = { host, port: xdsPort, servername: XDS_SERVER_NAME, service: 'web', token };
    const options = { kinds, ...to, forMs, most: 100, idle };
    const { ended } = await harness.process({
      ...{ name: `floods of ${kinds.join(', ')}`, command: process.execPath },
      args: [FLOODS, JSON.stringify(options)],
    });
    const seen = { peakRss: 0, slowestHealth: 0, peakFiles: 0 };
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    while (!isOver) {
      const beganMs = systemClock.now();
      await get('/healthz').catch((error: unknown) => {
        if (!isKilled) throw error;
      });
      seen.slowestHealth = Math.max(seen.slowestHealth, systemClock.now() - beganMs);
      if (!isKilled) seen.peakRss = Math.max(seen.peakRss, readRss(pid()));
      if (!isKilled) seen.peakFiles = Math.max(seen.peakFiles, countFiles(pid()));
      await sleep(SAMPLE_MS);
    }
    const { code, stdout, stderr } = await ended;
    if (code !== 0) throw new Error(`the floods ended with ${code}: ${stderr}`);
    return { ...seen, opened: (JSON.parse(stdout) as { opened: number }).opened };
  };

  return {
    get,
    status,
    streams,
    flood,
    address: hosts.entries[0]?.address ?? '',
    files: () => countFiles(pid()),
    rss: () => readRss(pid()),
    /** Killed and started again; how long until both sidecars have all that they are to have. */
    async restart(): Promise<number> {
      world.server?.signal('SIGKILL');
      await world.server?.exited;
      const beganMs = systemClock.now();
      await serve();
      await eventually(
        async () => {
          const { proxies } = await status();
          const own = proxies.filter(({ node }) => !node.includes('hostile'));
          return own.length === 2 && own.every(({ state }) => state === 'synced');
        },
        { what: 'both sidecars back', timeoutMs: 60_000 },
      );
      return systemClock.now() - beganMs;
    },
  };
}
