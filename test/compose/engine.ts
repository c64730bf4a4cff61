// Runs around the compose tests. Uses the Docker engine that there is; where none runs, starts one
// of its own below a temporary folder (needs root and dockerd), with Compose v2 from PyPI, and ends
// it. Where no image can be pulled, stand-ins are made under the same tags (stand-ins.ts).
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, startChild } from '../../src/demo/child.js';
import { eventually } from '../../src/demo/wait.js';
import { fetchCompose } from './fetch-compose.js';
import { makeStandIns } from './stand-ins.js';

let folder: string | undefined;
let daemon: Child | undefined;
let undo = (): void => {};

export async function setup(): Promise<void> {
  if (!isThere(['info']) || !isThere(['compose', 'version'])) await startOwn();
  if (!isThere(['pull', '--quiet', 'debian:bookworm-slim'])) await makeStandIns();
}

export async function teardown(): Promise<void> {
  if (folder === undefined) return;
  // Perhaps one that a test started in the place of ours.
  await stopEngine(folder);
  await daemon?.stop();
  undo();
  // One that was killed leaves this behind.
  spawnSync('umount', ['--lazy', join(folder, 'data')], { stdio: 'ignore' });
  rmSync(folder, { recursive: true, force: true });
}

function isThere(args: readonly string[]): boolean {
  try {
    execFileSync('docker', args, { stdio: 'ignore', timeout: 60_000 });
    return true;
  } catch {
    return false;
  }
}

async function startOwn(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error('expected a running Docker engine with Compose v2, or root to start one');
  }
  folder = mkdtempSync(join(tmpdir(), 'countersign-engine-'));
  undo = keepForwarding();
  process.env['DOCKER_CONFIG'] = await fetchCompose(join(folder, 'config'));
  process.env['DOCKER_HOST'] = `unix://${join(folder, 'socket')}`;
  process.env['COMPOSE_ENGINE'] = folder;
  daemon = await startEngine(folder);
}

/** Starts dockerd in that folder, and waits until it answers. */
export async function startEngine(folder: string): Promise<Child> {
  const at = (name: string): string => join(folder, name);
  const places = ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid')];
  const child = await startChild({
    name: 'dockerd',
    command: 'dockerd',
    args: [...places, '--host', `unix://${at('socket')}`],
  });
  await eventually(() => isThere(['info']), { what: 'dockerd to answer', timeoutMs: 60_000 });
  return child;
}

/** dockerd turns forwarding on, and lets only its own through: as it was before, at the end. */
function keepForwarding(): () => void {
  const path = '/proc/sys/net/ipv4/ip_forward';
  const before = readFileSync(path, 'utf8');
  const policy = /-P FORWARD (\w+)/.exec(
    execFileSync('iptables', ['-S', 'FORWARD'], { encoding: 'utf8' }),
  );
  return () => {
    writeFileSync(path, before);
    execFileSync('iptables', ['-P', 'FORWARD', policy?.[1] ?? 'ACCEPT']);
  };
}

/** Ends the engine of that folder, and its containers with it, and waits until it has ended. */
export async function stopEngine(folder: string): Promise<void> {
  const file = join(folder, 'pid');
  // It ends in order with the worker whose test started it anew, and takes the file away.
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8'));
  const isGone = (): boolean => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  };
  if (isGone()) return;
  process.kill(pid, 'SIGTERM');
  await eventually(isGone, { what: 'dockerd to end', timeoutMs: 60_000 });
}
