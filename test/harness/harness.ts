import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { type AddressPool, createAddressPool } from '../../src/demo/addresses.js';
import type { Child, ChildOptions } from '../../src/demo/child.js';
import {
  type EchoApp,
  type EchoHttpOptions,
  type EchoOptions,
  startEchoHttp,
} from '../../src/demo/echo-app.js';
import { startEchoTcp } from '../../src/demo/echo-tcp.js';
import { type EnvoyOptions, type EnvoyProcess, startEnvoy } from '../../src/demo/envoy-process.js';
import { type Load, type LoadOptions, startLoad } from '../../src/demo/load.js';
import { keepOutput } from '../secrets/output.js';
import { Cleanup } from './cleanup.js';
import {
  type Ended,
  keepPrinted,
  type ProgramOptions,
  printsTokens,
  startProcess,
  type TestProcess,
  toProgram,
} from './process.js';

const LOGS = fileURLToPath(new URL('../../.cache/test-logs/', import.meta.url));

/** Starts what a real-Envoy test needs, and stops all of it at the end. */
export interface Harness {
  /** Addresses of this file's own; claimed at the first call. */
  addresses(): Promise<AddressPool>;
  /** A fresh folder (0700), deleted at the end. */
  tempDir(): Promise<string>;
  envoy(options: EnvoyOptions): Promise<EnvoyProcess>;
  process(options: ChildOptions): Promise<TestProcess>;
  /** The built command, which runs until it ends or is stopped. */
  program(argv: readonly string[], options?: ProgramOptions): Promise<Child>;
  /** What the built command printed when it ended; a MeshError where that was not with 0. */
  command(argv: readonly string[], options?: ProgramOptions): Promise<string>;
  /** The same with what it wrote to stderr. */
  output(argv: readonly string[], options?: ProgramOptions): Promise<Ended>;
  echoHttp(options: EchoHttpOptions): Promise<EchoApp>;
  echoTcp(options: EchoOptions): Promise<EchoApp>;
  load(options: LoadOptions): Load;
  /** To be undone at the end, before everything that was started earlier. */
  defer(name: string, run: () => unknown): void;
  /** More text for the dump of a failure, such as a server's status. */
  onDump(fileName: string, read: () => string | Promise<string>): void;
  /**
   * Writes logs, statistics and configurations to a new folder below `.cache/test-logs`; its path.
   */
  dump(title: string): Promise<string>;
  /** Undoes everything; `useHarness` calls it. */
  close(): Promise<void>;
}

/**
 * A harness for the file or `describe` it is called in: a failed test is dumped before anything is
 * stopped, and everything is stopped after the last one, also when a hook failed.
 */
export function useHarness(name: string): Harness {
  const harness = createHarness(name);
  let dumped = false;
  const dump = async (title: string): Promise<void> => {
    dumped = true;
    process.stderr.write(`state at the failure of "${title}": ${await harness.dump(title)}\n`);
  };
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await dump(task.name);
  });
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads fixture names off this pattern.
  afterAll(async ({}, suite) => {
    try {
      // A failed beforeAll shows only here: no test has run.
      if (suite.result?.state === 'fail' && !dumped) await dump(suite.name);
    } finally {
      await harness.close();
    }
  });
  return harness;
}

export function createHarness(name: string): Harness {
  const cleanup = new Cleanup();
  const files = new Map<string, () => string | Promise<string>>();
  let pool: Promise<AddressPool> | undefined;
  const close = (app: EchoApp): EchoApp => {
    cleanup.defer(`application ${app.name}`, () => app.close());
    return app;
  };
  const start = async (options: ChildOptions): Promise<TestProcess> => {
    const started = await startProcess(options);
    const { child } = started;
    cleanup.defer(`process ${child.name}`, async () => {
      await child.stop();
      keepPrinted(child.name, started);
    });
    const isSecret = printsTokens(child.name);
    files.set(`${child.name}.log`, () => (isSecret ? started.stderr() : logOf(child)));
    return started;
  };
  const output = async (argv: readonly string[], options?: ProgramOptions): Promise<Ended> => {
    const { child, ended } = await start(toProgram(argv, options));
    const result = await ended;
    if (result.code !== 0) throw child.failure(`expected exit 0 but got ${result.code}`);
    return result;
  };
  return {
    addresses() {
      pool ??= createAddressPool().then((created) => {
        cleanup.defer('address pool', () => created.close());
        return created;
      });
      return pool;
    },
    async tempDir() {
      const folder = await mkdtemp(join(tmpdir(), 'countersign-test-'));
      cleanup.defer(folder, () => rm(folder, { recursive: true, force: true }));
      return folder;
    },
    async envoy(options) {
      const envoy = await startEnvoy(options);
      cleanup.defer(`Envoy ${envoy.name}`, async () => {
        await envoy.stop();
        keepOutput(`Envoy ${envoy.name}`, logOf(envoy.process));
      });
      files.set(`${envoy.name}.log`, () => logOf(envoy.process));
      files.set(`${envoy.name}.stats`, () => envoy.admin.statsText());
      files.set(`${envoy.name}.config_dump.json`, async () =>
        JSON.stringify(await envoy.admin.configDump(), null, 1),
      );
      return envoy;
    },
    process: start,
    program: async (argv, options) => (await start(toProgram(argv, options))).child,
    command: async (argv, options) => (await output(argv, options)).stdout,
    output,
    echoHttp: async (options) => close(await startEchoHttp(options)),
    echoTcp: async (options) => close(await startEchoTcp(options)),
    load(options) {
      const load = startLoad(options);
      cleanup.defer('load', () => load.stop());
      return load;
    },
    defer: (what, run) => cleanup.defer(what, run),
    onDump: (fileName, read) => void files.set(fileName, read),
    dump: (title) => dumpFiles(`${name} ${title}`, files),
    close: () => cleanup.run(),
  };
}

function logOf(child: Child): string {
  const end = child.exit === undefined ? 'still running' : `ended: ${JSON.stringify(child.exit)}`;
  return `${child.log().join('\n')}\n[${end}]\n`;
}

/** A file that can't be read says why: the rest is dumped all the same. */
async function dumpFiles(
  title: string,
  files: ReadonlyMap<string, () => string | Promise<string>>,
): Promise<string> {
  const stamp = new Date(systemClock.now()).toISOString().replace(/[:.]/g, '-');
  const folder = join(LOGS, `${stamp}-${toFileName(title)}`);
  await mkdir(folder, { recursive: true });
  for (const [file, read] of files) {
    const text = await Promise.resolve()
      .then(read)
      .catch((error: unknown) => `not to be had: ${String(error)}\n`);
    await writeFile(join(folder, toFileName(file)), text);
  }
  return folder;
}

function toFileName(text: string): string {
  return text.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 100);
}
