import { execFileSync, spawnSync } from 'node:child_process';

// A network of the test's own, in which addresses of 127.0.0.0/8 can vanish without a FIN, as a
// host does whose power fails. What leads there is a network device that nobody reads.
const HOLE = 'hole';
const TABLE = '100';

/** Set for a test that runs in such a network. */
export const OWN_NETWORK = 'COUNTERSIGN_OWN_NETWORK';

/**
 * Undefined where one can be had. Otherwise a reason to skip with: no right to make one, which a
 * machine may refuse to everybody. Where it is only a program that is missing, CI=true makes it an
 * error: there a skipped test would pass for a proof.
 */
export function lackOfOwnNetwork(env = process.env): string | undefined {
  const missing = ['unshare', 'ip', 'sysctl'].filter(
    (name) => spawnSync(name, ['--version']).error !== undefined,
  );
  if (missing.length > 0) {
    const reason = `${missing.join(' and ')} is missing: see util-linux, iproute2 and procps`;
    if (env['CI'] === 'true') throw new Error(reason);
    return reason;
  }
  const args = ['--net', 'ip', 'tuntap', 'add', 'dev', HOLE, 'mode', 'tun'];
  return spawnSync('unshare', args).status === 0 ? undefined : 'no right to make a network';
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** To be called once in a network that `unshare --net` has made. */
export function setUpOwnNetwork(): void {
  ip('link', 'set', 'lo', 'up');
  ip('tuntap', 'add', 'dev', HOLE, 'mode', 'tun');
  ip('link', 'set', HOLE, 'up');
  execFileSync('sysctl', ['-qw', `net.ipv4.conf.${HOLE}.route_localnet=1`]);
  // Rules of ours come before the one for the host's own addresses.
  ip('rule', 'add', 'pref', '10', 'lookup', 'local');
  ip('rule', 'del', 'pref', '0', 'lookup', 'local');
  ip('route', 'add', 'default', 'dev', HOLE, 'src', '127.0.0.1', 'table', TABLE);
}

/** From now on nothing arrives at that address, and nothing from it. */
export function vanish(address: string): void {
  ip('rule', 'add', 'pref', '5', 'to', address, 'lookup', TABLE);
  ip('rule', 'add', 'pref', '5', 'from', address, 'lookup', TABLE);
}
