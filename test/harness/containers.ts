import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Containers as far as a network knows them: network namespaces of their own on one bridge, inside
// of namespaces of the test's, which are gone when its processes are. It needs no Docker.
const BRIDGE = 'mesh0';

/** Set for a test that runs in namespaces of its own. */
export const OWN_NAMESPACES = 'COUNTERSIGN_OWN_NAMESPACES';
export const NAMESPACES = ['--net', '--mount'] as const;

/** What every container reaches: the test itself, with its name server. */
export const HOST = '10.77.0.1';

/**
 * Undefined where they can be had. Otherwise a reason to skip with: no right to make them, which a
 * machine may refuse to everybody; where it is only a program that is missing, CI=true makes it an
 * error.
 */
export function lackOfContainers(env = process.env): string | undefined {
  const missing = ['unshare', 'nsenter', 'ip', 'mount'].filter(
    (name) => spawnSync(name, ['--version']).error !== undefined,
  );
  if (missing.length > 0) {
    const reason = `${missing.join(' and ')} is missing: see util-linux, iproute2 and mount`;
    if (env['CI'] === 'true') throw new Error(reason);
    return reason;
  }
  const args = [...NAMESPACES, 'ip', 'link', 'add', BRIDGE, 'type', 'bridge'];
  return spawnSync('unshare', args).status === 0 ? undefined : 'no right to make namespaces';
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

const ip = (...args: readonly string[]): void => run('ip', ...args);

/** To be called once, within NAMESPACES. `dir` is for files that go with the test. */
export function setUpHost(dir: string): { close(): void } {
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', BRIDGE, 'type', 'bridge');
  ip('addr', 'add', `${HOST}/24`, 'dev', BRIDGE);
  ip('link', 'set', BRIDGE, 'up');
  const names = join(dir, 'resolv.conf');
  writeFileSync(names, `nameserver ${HOST}\noptions ndots:0\n`);
  run('mount', '--bind', names, '/etc/resolv.conf');
  return { close: () => run('umount', '/etc/resolv.conf') };
}

/** More addresses of the bridge, for applications that the test runs itself. */
export function addHostAddress(address: string): void {
  ip('addr', 'add', `${address}/24`, 'dev', BRIDGE);
}

export interface Container {
  /** A program that runs `binary` in the container. */
  program(binary: string): string;
  stop(): Promise<void>;
}

export interface ContainerOptions {
  readonly name: string;
  readonly dir: string;
  /** On the bridge. */
  readonly address: string;
  /** Of another network that it is on, which the host reaches too. */
  readonly also: string;
}

export async function startContainer(options: ContainerOptions): Promise<Container> {
  const { name, dir, address, also } = options;
  // Ends with the pipe, and so with the test.
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo up; cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  const pid = String(holder.pid);
  ip('link', 'add', `to-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid);
  ip('link', 'set', `to-${name}`, 'master', BRIDGE, 'up');
  const inside = (...args: readonly string[]): void =>
    run('nsenter', '--target', pid, '--net', 'ip', ...args);
  inside('link', 'set', 'lo', 'up');
  inside('addr', 'add', `${address}/24`, 'dev', 'eth0');
  inside('addr', 'add', `${also}/32`, 'dev', 'eth0');
  inside('link', 'set', 'eth0', 'up');
  ip('route', 'add', also, 'via', address);
  return {
    program(binary) {
      const path = join(dir, `${name}-program`);
      writeFileSync(path, `#!/bin/sh\nexec nsenter --target ${pid} --net -- '${binary}' "$@"\n`);
      chmodSync(path, 0o755);
      return path;
    },
    async stop() {
      const ended = once(holder, 'exit');
      holder.stdin.end();
      await ended;
    },
  };
}
