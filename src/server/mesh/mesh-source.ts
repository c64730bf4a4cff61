// mesh.yaml as an input: read, checked, read again when it changes. What is wrong changes nothing:
// the last good mesh stays in force and the problems are shown. The mesh in force is stored, so
// that this holds over a restart too.
import assert from 'node:assert';
import { createHash } from 'node:crypto';
import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { type Cancel, type Clock, Listeners, MeshError } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import {
  changedAuthority,
  type Mesh,
  type Problem,
  parseMesh,
  readMeshFiles,
  skippedFiles,
} from '../../policy/index.js';
import { hintOf } from '../../terminal/index.js';
import type { MeshFiles } from './stored-mesh.js';

/** Notices of the file system may be lost (bind mounts, network shares): look again this often. */
const POLL_MS = 2_000;
/** An editor writes in several steps: look when it has been quiet for this long. */
const SETTLE_MS = 50;

export interface MeshState {
  /** The newest good mesh. */
  readonly mesh: Mesh;
  /** Milliseconds since the epoch at which it was read. */
  readonly loadedAtMs: number;
  /** What it was read from. */
  readonly files: MeshFiles;
  /** Of the file as it stands now; errors among them mean that `mesh` is an earlier one. */
  readonly problems: readonly Problem[];
}

export interface MeshSourceOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly store: JsonStore<MeshFiles>;
}

export class MeshSource {
  readonly #options: MeshSourceOptions;
  #state: MeshState;
  #seen: string;
  readonly #remembered: Mesh | undefined;
  #watcher: FSWatcher | undefined;
  #cancelPoll: Cancel | undefined;
  #cancelSettle: Cancel | undefined;
  readonly #listeners = new Listeners<[state: MeshState]>();

  private constructor(
    options: MeshSourceOptions,
    state: MeshState,
    { seen, remembered }: { seen: string; remembered: Mesh | undefined },
  ) {
    this.#options = options;
    this.#state = state;
    this.#seen = seen;
    this.#remembered = remembered;
  }

  /**
   * Reads the mesh for the first time. A file that isn't good falls back on the stored mesh.
   * @throws MeshError mesh-invalid, mesh-unreadable where there is no mesh to start from.
   */
  static async open(options: MeshSourceOptions): Promise<MeshSource> {
    const { mesh, problems, files, seen } = readNow(options.path);
    const loadedAtMs = options.clock.now();
    const stored = await options.store.read();
    const remembered = stored === undefined ? undefined : parseMesh(stored).mesh;
    if (mesh !== undefined) {
      return new MeshSource(options, { mesh, loadedAtMs, problems, files }, { seen, remembered });
    }
    if (remembered === undefined || stored === undefined) throw new MeshProblems(problems);
    const state = { mesh: remembered, loadedAtMs, problems, files: stored };
    return new MeshSource(options, state, { seen, remembered });
  }

  /** The mesh that was in force when the server last ran; undefined where it never did. */
  get remembered(): Mesh | undefined {
    return this.#remembered;
  }

  get state(): MeshState {
    return this.#state;
  }

  /** Calls back on each change of the file's content, good or not. */
  onChange(listener: (state: MeshState) => void): Cancel {
    return this.#listeners.add(listener);
  }

  /** Begins to notice changes. */
  start(): void {
    const { path, clock } = this.#options;
    const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : dirname(path);
    try {
      this.#watcher = watch(folder, { persistent: false }, () => {
        this.#cancelSettle?.();
        this.#cancelSettle = clock.after(SETTLE_MS, () => this.check());
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // No notices from this file system; polling finds the change.
    }
    this.#poll();
  }

  stop(): void {
    this.#watcher?.close();
    this.#cancelPoll?.();
    this.#cancelSettle?.();
  }

  /** Looks at the file now. */
  check(): void {
    const { path, clock } = this.#options;
    const changed = tryRead(path, this.#seen);
    if (changed === undefined) return;
    const read = this.#keepIdentities(changed);
    this.#seen = read.seen;
    this.#state =
      read.mesh === undefined
        ? { ...this.#state, problems: read.problems }
        : { ...read, mesh: read.mesh, loadedAtMs: clock.now() };
    this.#listeners.notify(this.#state);
  }

  /** Stores the files of a mesh that is wholly in force, for the next start. */
  async remember(mesh: Mesh): Promise<void> {
    const { mesh: newest, files } = this.#state;
    if (newest.version === mesh.version) await this.#options.store.write(files);
  }

  /** What can't change while the server runs is a problem of the file: the last good mesh stays. */
  #keepIdentities(read: Read): Read {
    if (read.mesh === undefined) return read;
    const file = read.files[0]?.path ?? this.#options.path;
    const found = identityProblems(this.#state.mesh, read.mesh, file);
    if (found.length === 0) return read;
    return { ...read, mesh: undefined, problems: [...found, ...read.problems] };
  }

  #poll(): void {
    this.#cancelPoll = this.#options.clock.after(POLL_MS, () => {
      this.check();
      this.#poll();
    });
  }
}

function identityProblems(old: Mesh, wanted: Mesh, file: string): Problem[] {
  if (wanted.trustDomain !== old.trustDomain) {
    const domains = `expected "${old.trustDomain}" but got "${wanted.trustDomain}"`;
    return [
      {
        severity: 'error',
        source: { file, line: 1, column: 1 },
        path: 'trustDomain',
        message: `${domains}: the authority is of the former`,
        hint: 'another trust domain is another mesh: start a server with a data folder of its own',
      },
    ];
  }
  const changed = changedAuthority(old.authority, wanted.authority);
  if (changed !== undefined) {
    return [
      {
        severity: 'error',
        source: wanted.authority?.source ?? { file, line: 1, column: 1 },
        path: changed,
        message: 'changing the CA of a running mesh is not supported yet',
        hint: 'restart the server: sidecars are then given certificates of the other CA',
      },
    ];
  }
  return [...wanted.services.values()].flatMap((service): Problem[] => {
    const before = old.services.get(service.name);
    if (before === undefined || before.spiffeId === service.spiffeId) return [];
    const change = `"${before.serviceAccount}" to "${service.serviceAccount}"`;
    return [
      {
        severity: 'error',
        source: service.source,
        path: `services.${service.name}.serviceAccount`,
        message: `changing ${change} in a running mesh is not supported yet`,
        hint: 'remove the service and declare it anew in a second edit: its calls fail in between',
      },
    ];
  });
}

/** A mesh that can't be started from; every problem in one error. */
export class MeshProblems extends MeshError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('mesh-invalid', `the mesh has ${problems.length} problem(s)`);
    this.problems = problems;
  }
}

interface Read {
  readonly mesh: Mesh | undefined;
  readonly problems: readonly Problem[];
  readonly files: MeshFiles;
  /** Changes when anything that was read does. */
  readonly seen: string;
}

function readNow(path: string): Read {
  const read = tryRead(path);
  assert(read !== undefined, 'nothing was seen before');
  return read;
}

/** What is at `path` now; undefined where that is what was seen before. */
function tryRead(path: string, before?: string): Read | undefined {
  try {
    const files = readMeshFiles(path);
    const seen = toDigest(JSON.stringify(files));
    if (seen === before) return undefined;
    const { mesh, problems } = parseMesh(files);
    return { mesh, problems: [...problems, ...skippedFiles(path)], files, seen };
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    const hint = hintOf(error);
    const problem: Problem = {
      severity: 'error',
      source: { file: path, line: 1, column: 1 },
      path: '',
      message: error.message,
      ...(hint === undefined ? {} : { hint }),
    };
    const seen = toDigest(error.message);
    if (seen === before) return undefined;
    return { mesh: undefined, problems: [problem], files: [], seen };
  }
}

function toDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
