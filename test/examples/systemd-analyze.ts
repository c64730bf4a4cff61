import { spawnSync } from 'node:child_process';

export function analyze(...args: readonly string[]) {
  return spawnSync('systemd-analyze', args, { encoding: 'utf8' });
}

/** Undefined where units can be checked; where CI=true it is an error that they can't. */
export function lackOfAnalyze(): string | undefined {
  if (analyze('--version').error === undefined) return undefined;
  if (process.env['CI'] === 'true') throw new Error('no systemd-analyze');
  return 'no systemd-analyze';
}
