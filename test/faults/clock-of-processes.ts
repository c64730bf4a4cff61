// A clock that is set under processes: set-clock.c, built with the machine's own compiler.
import { execFileSync } from 'node:child_process';
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ProcessClock {
  /** How far it is ahead of the machine's, in seconds. */
  set(aheadS: number): void;
  /** What the environment of its processes needs. */
  readonly env: Readonly<Record<string, string>>;
  /** A command in a file of its own, which runs by this clock. */
  wrap(command: string): string;
}

/** One library for all clocks of a folder. */
export function buildClocks(dir: string): (name: string) => ProcessClock {
  const library = join(dir, 'set-clock.so');
  const source = join(import.meta.dirname, 'set-clock.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source]);
  return (name) => {
    const file = join(dir, `${name}.ahead`);
    const env = { LD_PRELOAD: library, CLOCK_FILE: file };
    const set = (aheadS: number): void => {
      writeFileSync(`${file}.new`, `${aheadS}`);
      renameSync(`${file}.new`, file);
    };
    set(0);
    return {
      set,
      env,
      wrap(command) {
        const path = join(dir, `${name}.sh`);
        const sets = Object.entries(env).map(([key, value]) => `${key}='${value}'`);
        writeFileSync(path, `#!/bin/sh\nexec env ${sets.join(' ')} '${command}' "$@"\n`);
        chmodSync(path, 0o700);
        return path;
      },
    };
  };
}
