// Nothing that we start may outlive us. Three nets, since no single one catches every end:
// 1. the `exit` event (normal end, process.exit, an uncaught exception) kills what still runs;
// 2. a signal that nobody else handles kills them, then us;
// 3. on Linux `setpriv --pdeathsig` has the kernel kill them even when we are killed by SIGKILL,
//    which Node has no call for (PR_SET_PDEATHSIG, prctl(2)).
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

/** To be called as soon as the process was seen to end: its pid may be another's afterwards. */
export function forget(pid: number): void {
  livePids.delete(pid);
}

/** `folder` is deleted when this process ends, but for SIGKILL; what is returned calls that off. */
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
      // Already gone: that is what was wanted.
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
      // Who listens too (the demo, a test runner) stops things in order; `exit` remains.
      if (process.listenerCount(signal) > 1) return;
      killAll();
      process.removeListener(signal, onSignal);
      process.kill(process.pid, signal);
    };
    // First of all, so that who takes itself off the list when the signal comes is still counted.
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
 * The command line that runs `command` so that the kernel ends it with us, where that can be had.
 */
export function boundToUs(
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  deathSignal ??= hasDeathSignal();
  if (!deathSignal) return { command, args };
  return { command: 'setpriv', args: ['--pdeathsig', 'KILL', '--', command, ...args] };
}
