// Nothing that we start may outlive us. There are three nets, since no single one catches every
// end:
// 1. the `exit` event (normal end, process.exit, an uncaught exception) kills what still runs;
// 2. a signal that nobody else handles kills them, then us;
// 3. on Linux `setpriv --pdeathsig` has the kernel kill them even when we are killed by SIGKILL,
//    for which Node has no call (PR_SET_PDEATHSIG, prctl(2)).
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const livePids = new Set<number>();
const folders = new Set<string>();
let installed = false;

/** From now until `forget`, `pid` is killed when this process ends. */
export function reapOnExit(pid: number): void {
  install();
  livePids.add(pid);
}

/** Call this as soon as the process has ended, since another may get its pid afterwards. */
export function forget(pid: number): void {
  livePids.delete(pid);
}

/** Deletes `folder` when this process ends, except by SIGKILL. @returns what cancels that */
export function removeOnExit(folder: string): () => void {
  install();
  folders.add(folder);
  return () => folders.delete(folder);
}

function killAll(): void {
  for (const pid of livePids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has already gone, which is what we want.
    }
  }
  livePids.clear();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

function install(): void {
  if (installed) return;
  installed = true;
  process.on('exit', killAll);
  for (const signal of SIGNALS) {
    const onSignal = (): void => {
      // Another listener (the demo, a test runner) stops things in order; then `exit` follows.
      if (process.listenerCount(signal) > 1) return;
      killAll();
      process.removeListener(signal, onSignal);
      process.kill(process.pid, signal);
    };
    // First, so that a listener that removes itself when the signal comes is still counted.
    process.prependListener(signal, onSignal);
  }
}

let deathSignal: boolean | undefined;

function hasDeathSignal(): boolean {
  if (process.platform !== 'linux') return false;
  const help = spawnSync('setpriv', ['--help'], { encoding: 'utf8' });
  return help.status === 0 && help.stdout.includes('--pdeathsig');
}

/**
 * The command line that runs `command` so that the kernel ends it with us, where that is possible.
 */
export function boundToUs(
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  deathSignal ??= hasDeathSignal();
  if (!deathSignal) return { command, args };
  return { command: 'setpriv', args: ['--pdeathsig', 'KILL', '--', command, ...args] };
}
