// The command line as a user runs it: child processes of this package's own main.js, so that what
// the demo shows is what a user gets.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MeshError, MINUTE_MS } from '../base/index.js';
import { type Child, startChild } from './child.js';
import { boundToUs, forget, reapOnExit } from './reaper.js';

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const TIMEOUT_MS = MINUTE_MS;

/** What the command wrote to stdout; MeshError `child-failed` if it doesn't exit with 0. */
export function countersign(args: readonly string[]): Promise<string> {
  const bound = boundToUs(process.execPath, [MAIN, ...args]);
  return new Promise((resolve, reject) => {
    const options = { timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024, env: cleanEnvironment() };
    const child = execFile(bound.command, [...bound.args], options, (error, stdout, stderr) => {
      if (child.pid !== undefined) forget(child.pid);
      if (error === null) {
        resolve(stdout);
        return;
      }
      const what = `countersign ${args.join(' ')}`;
      const end = error.signal ?? error.code;
      const message = `expected \`${what}\` to exit with 0 but got ${end}`;
      reject(new MeshError('child-failed', message, { hint: `it wrote:\n${stderr.trim()}` }));
    });
    if (child.pid !== undefined) reapOnExit(child.pid);
  });
}

/** `countersign serve`, as a process that runs until it is stopped. */
export function startServe(args: readonly string[]): Promise<Child> {
  return startChild({
    name: 'countersign serve',
    command: process.execPath,
    args: [MAIN, 'serve', ...args],
    env: cleanEnvironment(),
  });
}

/** Our environment, without what a user has set for their own servers. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_'));
  return Object.fromEntries(ours);
}
