import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import { run } from '../../src/cli/program.js';
import { type DataDir, openDataDir } from '../../src/data/index.js';
import type { Io } from '../../src/terminal/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { keepKnownKeys, keepOutput, PRINTS_TOKENS } from '../secrets/output.js';

/** What a command line did, with the test's folder as `<dir>`. */
export interface Transcript {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Written {
  readonly to: 'stdout' | 'stderr';
  readonly text: string;
}

export interface Running {
  readonly done: Promise<Transcript>;
  /** What was written by now, in its order. */
  written(): readonly Written[];
  /** What is on stdout by now. */
  stdout(): string;
  stderr(): string;
  /** As a signal would. */
  stop(): void;
  /** Resolves when `ready` holds, looked at on each output and timer; rejects if it ends before. */
  until(ready: (running: Running) => boolean): Promise<void>;
}

export interface CliOptions {
  readonly clock?: ManualClock;
  readonly isTTY?: boolean;
}

/** A folder for one test, and the command line in it. */
export class Cli {
  readonly dir = mkdtempSync(join(tmpdir(), 'countersign-cli-'));
  readonly clock: ManualClock;
  readonly #isTTY: boolean;
  readonly #random = seededRandom('cli');

  constructor({ clock = new ManualClock(), isTTY = false }: CliOptions = {}) {
    this.clock = clock;
    this.#isTTY = isTTY;
    onTestFinished(() => {
      for (const name of ['data', '.countersign']) keepKnownKeys(this.path(name));
      rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
    });
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  /** The data folder `<dir>/data`, with MESH in force, as a server's first start leaves it. */
  async prepareData(): Promise<void> {
    const dataDir = await this.makeData();
    await dataDir.write('mesh.json', JSON.stringify([{ path: 'mesh.yaml', text: MESH }]));
  }

  /** A data folder with its CA, which no server has used yet. */
  async makeData(name = 'data'): Promise<DataDir> {
    const { clock } = this;
    const random = seededRandom('server');
    const dataDir = await openDataDir({ path: this.path(name), lock: false, random });
    await loadOrCreateAuthority({ dataDir, clock, random, trustDomain: 'shop.example' });
    return dataDir;
  }

  /** `<dir>` in an argument is the test's folder. */
  run(...argv: readonly string[]): Promise<Transcript> {
    return this.start(...argv).done;
  }

  start(...argv: readonly string[]): Running {
    const text = { stdout: '', stderr: '' };
    const written: Written[] = [];
    const stops = new Set<() => void>();
    const waiters = new Set<() => void>();
    const look = (): void => {
      for (const waiter of [...waiters]) waiter();
    };
    const output = (name: 'stdout' | 'stderr'): Io['stdout'] => ({
      isTTY: this.#isTTY,
      write: (given) => {
        const shown = given.replaceAll(this.dir, '<dir>');
        text[name] += shown;
        written.push({ to: name, text: shown });
        look();
      },
    });
    const io: Io = {
      stdout: output('stdout'),
      stderr: output('stderr'),
      clock: {
        now: () => this.clock.now(),
        after: (delayMs, callback) => {
          const cancel = this.clock.after(delayMs, callback);
          look();
          return cancel;
        },
      },
      random: this.#random,
      onStop(stop) {
        stops.add(stop);
        return () => stops.delete(stop);
      },
    };
    const given = argv.map((word) => word.replaceAll('<dir>', this.dir));
    const done = run(given, io).then((code) => {
      keepOutput(`stderr of ${argv[0]}`, text.stderr);
      if (!PRINTS_TOKENS.includes(argv[0] ?? '')) keepOutput(`stdout of ${argv[0]}`, text.stdout);
      return { code, ...text };
    });
    const running: Running = {
      done,
      written: () => written,
      stdout: () => text.stdout,
      stderr: () => text.stderr,
      stop: () => {
        for (const stop of [...stops]) stop();
      },
      until: (ready) =>
        new Promise((resolve, reject) => {
          const waiter = (): void => {
            if (ready(running)) resolve();
          };
          waiters.add(waiter);
          waiter();
          void done.then((transcript) => reject(new Error(JSON.stringify(transcript))));
        }),
    };
    return running;
  }
}

/** A small good mesh; places in it are what tests expect. */
export const MESH = `trustDomain: shop.example
services:
  web:
    ports:
      8080: http
  payments/ledger:
    mtls: strict
    ports:
      9000:
        protocol: tcp
        allow: [ { from: [web] } ]
  legacy:
    sidecar: false
    endpoints: [10.0.0.7]
    ports: { 3306: tcp }
`;
