// Network namespaces on one bridge, as containers have them: each with an address of either family.
// The bridge is in the namespace of the test (own-network.ts), which is their outside.
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Harness } from './index.js';

const BRIDGE = 'pods';
/** Of the test's own end of the bridge. */
export const OUTSIDE = { v4: '10.77.0.1', v6: 'fd77::1' } as const;

export interface Pod {
  readonly v4: string;
  readonly v6: string;
  /** What runs a command there. */
  readonly enter: readonly [string, ...string[]];
  /** A program that runs another one there, as that user, with all that it is given. */
  wrap(program: string, uid: number): Promise<string>;
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

export function setUpBridge(): void {
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', BRIDGE, 'type', 'bridge');
  ip('address', 'add', `${OUTSIDE.v4}/24`, 'dev', BRIDGE);
  ip('address', 'add', `${OUTSIDE.v6}/64`, 'dev', BRIDGE, 'nodad');
  ip('link', 'set', BRIDGE, 'up');
}

/** @param number From 2 to 254; the end of its addresses. */
export async function startPod(harness: Harness, number: number): Promise<Pod> {
  const args = ['--net', 'sh', '-c', 'echo made; exec sleep infinity'];
  const holder = await harness.process({ name: `pod ${number}`, command: 'unshare', args });
  await holder.printed(/made/);
  const { pid } = holder.child;
  const enter = ['nsenter', `--net=/proc/${pid}/ns/net`] as const;
  const [outer, v4, v6] = [`pod${number}`, `10.77.0.${number}`, `fd77::${number.toString(16)}`];
  ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
  ip('link', 'set', outer, 'master', BRIDGE, 'up');
  for (const words of [
    'link set lo up',
    `address add ${v4}/24 dev eth0`,
    `address add ${v6}/64 dev eth0 nodad`,
    'link set eth0 up',
    `route add default via ${OUTSIDE.v4}`,
  ]) {
    execFileSync('nsenter', [...enter.slice(1), 'ip', ...words.split(' ')]);
  }
  return {
    ...{ v4, v6, enter: [...enter] },
    async wrap(program, uid) {
      const path = join(await harness.tempDir(), `${uid}.sh`);
      const user = `--reuid ${uid} --regid ${uid} --clear-groups --pdeathsig KILL`;
      // It reads files of the test's own.
      const reads = '--inh-caps +dac_override --ambient-caps +dac_override';
      const words = `${enter.join(' ')} setpriv ${user} ${reads} ${program}`;
      writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`);
      chmodSync(path, 0o755);
      return path;
    },
  };
}
