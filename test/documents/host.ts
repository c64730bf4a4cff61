// A host of a test's own: network, mounts and processes apart from the machine's, so that what a
// document says about fixed ports, /etc/hosts and `kill` can be done as it stands there. All of it
// ends with the one process that holds it.
import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../src/demo/wait.js';
import type { Harness } from '../harness/index.js';

export interface Host {
  readonly name: string;
  /** Of this test, removed at the end. */
  readonly folder: string;
  /** First on its PATH: stand-ins for what the machine hasn't. */
  readonly programs: string;
  /** The process that is its first one, as the machine counts. */
  readonly pid: number;
  /** Words that run a command there. */
  enter(command: string, ...args: readonly string[]): readonly string[];
}

const TOOLS = ['unshare', 'nsenter', 'ip', 'bash', 'curl', 'setpriv'] as const;

/**
 * Undefined where hosts can be made. Otherwise a reason to skip with; with CI=true an error, since
 * there a skipped test would pass for a proof.
 */
export function lackOfHosts(env = process.env): string | undefined {
  const missing = TOOLS.filter((name) => spawnSync(name, ['--version']).error !== undefined);
  const isAllowed = (): boolean =>
    spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', 'true']).status === 0;
  const reason =
    missing.length > 0
      ? `${missing.join(' and ')} missing`
      : isAllowed()
        ? undefined
        : 'no right to make namespaces';
  if (reason !== undefined && env['CI'] === 'true') throw new Error(`[skipped: ${reason}]`);
  return reason;
}

/** How a host differs from the plain one. */
export interface HostKind {
  /** Lines of a script for before the host has its /etc/hosts. */
  prepare(folder: string): string;
}

const PLAIN: HostKind = { prepare: () => '' };
const ISOLATED = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

/** @param name Also what other hosts call it. */
export async function startHost(harness: Harness, name: string, kind = PLAIN): Promise<Host> {
  const folder = await harness.tempDir();
  // Other users of the host have to pass through.
  chmodSync(folder, 0o755);
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  const hosts = join(folder, 'hosts');
  writeFileSync(hosts, '127.0.0.1 localhost\n');
  const script = `set -e
ip link set lo up
mount -t tmpfs tmpfs /dev/shm
${kind.prepare(folder)}
mount --bind ${hosts} /etc/hosts
echo up
exec sleep infinity`;
  const { child } = await harness.process({
    name: `host ${name}`,
    command: 'unshare',
    args: [...ISOLATED, 'sh', '-c', script],
  });
  // It ignores SIGTERM, as a first process does.
  harness.defer(`host ${name}`, () => child.kill());
  await child.waitForLog(/^up$/);
  const pid = await eventually(() => childOf(child.pid), { what: `the process of ${name}` });
  const enter = (...words: readonly string[]): readonly string[] => [
    ...['nsenter', '--target', String(pid), '--net', '--mount', '--pid', '--wd=.'],
    ...words,
  ];
  return { name, folder, programs, pid, enter };
}

/** `unshare --fork` is one process, and its child, which is the first of the namespace, another. */
function childOf(pid: number): number | false {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return child === undefined || child === '' ? false : Number(child);
}

/** A cable between two hosts; both ends go when one of the hosts does. */
export function connectHosts(
  first: { readonly host: Host; readonly address: string },
  second: { readonly host: Host; readonly address: string },
): void {
  const ip = (host: Host, ...args: readonly string[]): void => run(host.enter('ip', ...args));
  const ends = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', String(second.host.pid)];
  // `ip` finds the other end's namespace by a pid of the machine's, so it is made from there.
  const there = ['nsenter', '--target', String(first.host.pid), '--net'];
  run([...there, 'ip', 'link', 'add', 'eth0', ...ends]);
  for (const { host, address } of [first, second]) {
    ip(host, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    ip(host, 'link', 'set', 'eth0', 'up');
  }
}

/** A line more in its /etc/hosts. */
export function nameHost(host: Host, line: string): void {
  appendFileSync(join(host.folder, 'hosts'), `${line}\n`);
}

/** Puts a program on its PATH, for users of it who can't reach the place where the program is. */
export function bind(host: Host, program: string, name: string): void {
  const path = join(host.programs, name);
  writeFileSync(path, '');
  run(host.enter('mount', '--bind', program, path));
}

function run(words: readonly string[]): void {
  const [command = '', ...args] = words;
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
}
