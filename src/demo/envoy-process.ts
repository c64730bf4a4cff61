import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeshError } from '../base/index.js';
import { type Child, startChild } from './child.js';
import { EnvoyAdmin } from './envoy-admin.js';
import { removeOnExit } from './reaper.js';
import { eventually } from './wait.js';

export type EnvoyLogLevel = 'trace' | 'debug' | 'info' | 'warning' | 'error' | 'critical' | 'off';

export interface EnvoyOptions {
  /** Path of the binary (findEnvoy). */
  readonly binary: string;
  readonly name: string;
  /**
   * A bootstrap as an object (it may hold a token: written to a 0600 file, deleted at the end), or
   * a path.
   */
  readonly bootstrap: object | string;
  /** How long Envoy lets connections of a removed filter chain live; default 600, as Envoy's. */
  readonly drainTimeS?: number;
  /** Whether connections that drain are closed one by one over that time; default immediate. */
  readonly drainStrategy?: 'gradual' | 'immediate';
  /** Default info. */
  readonly logLevel?: EnvoyLogLevel;
  /** Such as `upstream:debug,connection:trace`. */
  readonly componentLogLevel?: string;
  readonly logLines?: number;
}

/** A stock Envoy that we started. */
export interface EnvoyProcess {
  readonly name: string;
  readonly process: Child;
  readonly admin: EnvoyAdmin;
  /**
   * Waits until it is LIVE; MeshError `child-failed` with the end of its log if it ends first, or
   * isn't live in time.
   */
  waitReady(timeoutMs?: number): Promise<void>;
  /**
   * SIGTERM, SIGKILL after `deadlineMs` (default 10 s); its temporary files are gone afterwards.
   */
  stop(options?: { deadlineMs?: number }): Promise<void>;
}

/**
 * Starts Envoy and returns at once; the bootstrap must name an admin address with a port other than
 * 0.
 */
export async function startEnvoy(options: EnvoyOptions): Promise<EnvoyProcess> {
  const {
    name,
    binary,
    drainTimeS = 600,
    drainStrategy = 'immediate',
    logLevel = 'info',
  } = options;
  const bootstrap = await prepare(options.bootstrap);
  let child: Child;
  try {
    child = await startChild({
      name,
      command: binary,
      args: [
        ...['-c', bootstrap.path],
        ...['--concurrency', '1', '--disable-hot-restart'],
        ...['--drain-time-s', String(drainTimeS), '--drain-strategy', drainStrategy],
        ...['--log-level', logLevel],
        ...(options.componentLogLevel === undefined
          ? []
          : ['--component-log-level', options.componentLogLevel]),
      ],
      ...(options.logLines === undefined ? {} : { logLines: options.logLines }),
    });
  } catch (error) {
    await bootstrap.remove();
    throw error;
  }
  const removed = child.exited.then(() => bootstrap.remove());
  const { admin } = bootstrap;
  return {
    name,
    process: child,
    admin,
    waitReady: (timeoutMs = 20_000) => waitReady(child, admin, timeoutMs),
    async stop(stopOptions) {
      await child.stop(stopOptions);
      await removed;
    },
  };
}

async function waitReady(child: Child, admin: EnvoyAdmin, timeoutMs: number): Promise<void> {
  try {
    await eventually(async () => !child.running || (await admin.ready()), { timeoutMs });
  } catch {
    throw child.failure(`expected ${child.name} to be live within ${timeoutMs} ms but it is not`);
  }
  if (child.running) return;
  const { code, signal } = await child.exited;
  throw child.failure(`expected ${child.name} to be live but it ended with ${signal ?? code}`);
}

interface Prepared {
  readonly path: string;
  readonly admin: EnvoyAdmin;
  remove(): Promise<void>;
}

async function prepare(bootstrap: object | string): Promise<Prepared> {
  if (typeof bootstrap !== 'string') {
    return { admin: adminOf(bootstrap), ...(await writeTemp(bootstrap)) };
  }
  const admin = adminOf(JSON.parse(await readFile(bootstrap, 'utf8')));
  return { path: bootstrap, admin, remove: async () => {} };
}

async function writeTemp(bootstrap: object): Promise<Omit<Prepared, 'admin'>> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-envoy-'));
  const path = join(folder, 'bootstrap.json');
  const forgetFolder = removeOnExit(folder);
  await writeFile(path, JSON.stringify(bootstrap), { mode: 0o600 });
  return {
    path,
    async remove() {
      await rm(folder, { recursive: true, force: true });
      forgetFolder();
    },
  };
}

/** A field has two spellings in protobuf's JSON, and Envoy reads both. */
function field(value: unknown, snake: string, camel: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const record = value as Readonly<Record<string, unknown>>;
  return record[snake] ?? record[camel];
}

function adminOf(bootstrap: unknown): EnvoyAdmin {
  const address = field(field(bootstrap, 'admin', 'admin'), 'address', 'address');
  const socket = field(address, 'socket_address', 'socketAddress');
  const host = field(socket, 'address', 'address');
  const port = field(socket, 'port_value', 'portValue');
  if (typeof host === 'string' && typeof port === 'number' && port > 0) {
    return new EnvoyAdmin(host, port);
  }
  throw new MeshError('usage', 'expected a bootstrap with an admin address but got none', {
    hint: 'set admin.address.socket_address with a port other than 0',
  });
}
