// mesh.yaml as an input: read, checked, read again when it changes. What is wrong changes nothing:
// the last good mesh stays in force and the problems are shown. The mesh in force is stored, so
// that this holds over a restart too. What somebody may still be writing is waited for.
import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { type Cancel, type Clock, Listeners, MeshError } from '../../base/index.js';
import type { JsonStore } from '../../data/index.js';
import {
  type Mesh,
  type Problem,
  parseMesh,
  type Service,
  type ServiceName,
} from '../../policy/index.js';
import { assertTranslatable } from '../../translate/index.js';
import { arrivedWhole, type Marks, toStillMs, WrittenNames } from './arrival.js';
import { identityProblems } from './fixed-identities.js';
import { isolate } from './isolate.js';
import { isSameLook, type Look, lookAt, lookWhenStill, type Read, toRead } from './look.js';
import type { MeshFiles } from './stored-mesh.js';

/** Notices of the file system may be lost (bind mounts, network shares): look again this often. */
const POLL_MS = 2_000;
/** After a notice, look this much later. */
const NOTICE_MS = 50;

export interface MeshState {
  /** The newest good mesh; without what can't be made of the file's (isolate.ts). */
  readonly mesh: Mesh;
  /** Milliseconds since the epoch at which it was read. */
  readonly loadedAtMs: number;
  /** What it was read from. */
  readonly files: MeshFiles;
  /**
   * Of the file as it stands now; errors among them mean that `mesh` is an earlier one, or what
   * could be made of the file's.
   */
  readonly problems: readonly Problem[];
  /** Services of whose newest form nothing can be made. Absent: none. */
  readonly held?: readonly ServiceName[];
  /** Absent where the files are as they were taken. */
  readonly pendingEdit?: PendingEdit;
}

/** An edit that has been seen and isn't taken yet. */
export interface PendingEdit {
  /** Milliseconds since the epoch at which the files were first seen to differ. */
  readonly sinceMs: number;
  /** For how long the files have to stand still. */
  readonly stillMs: number;
}

export interface MeshSourceOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly store: JsonStore<MeshFiles>;
  /** Default: `assertTranslatable`. @throws where something of the service can't be made */
  readonly assertTranslatable?: (mesh: Mesh, service: Service) => void;
}

export class MeshSource {
  readonly #options: MeshSourceOptions;
  #state: MeshState;
  /** What was last taken. */
  #seen: string;
  #marks: Marks;
  #pending: (PendingEdit & { readonly look: Look; readonly cancel: Cancel }) | undefined;
  readonly #remembered: Mesh | undefined;
  readonly #names = new WrittenNames();
  #watcher: FSWatcher | undefined;
  #cancelPoll: Cancel | undefined;
  #cancelNotice: Cancel | undefined;
  readonly #listeners = new Listeners<[state: MeshState]>();
  /** An edit begins to be waited for, or is taken back before it was taken. */
  readonly pendingChanges = new Listeners();

  private constructor(options: MeshSourceOptions, { state, seen, marks, remembered }: Opened) {
    this.#options = options;
    this.#state = state;
    this.#seen = seen;
    this.#marks = marks;
    this.#remembered = remembered;
  }

  /**
   * Reads the mesh for the first time. A file that isn't good falls back on the stored mesh.
   * @throws MeshError mesh-invalid, mesh-unreadable where there is no mesh to start from.
   */
  static async open(options: MeshSourceOptions): Promise<MeshSource> {
    const stored = await options.store.read();
    const remembered = stored === undefined ? undefined : parseMesh(stored).mesh;
    const { look, read } = await lookWhenStill(options, remembered);
    const { mesh, problems, files, held } = withoutPoison(read, { ...options, before: remembered });
    const { seen, marks } = look;
    const loadedAtMs = options.clock.now();
    if (mesh !== undefined) {
      const state = { mesh, loadedAtMs, problems, files, held };
      return new MeshSource(options, { state, seen, marks, remembered });
    }
    if (remembered === undefined || stored === undefined) throw new MeshProblems(problems);
    const state = { mesh: remembered, loadedAtMs, problems, files: stored };
    return new MeshSource(options, { state, seen, marks, remembered });
  }

  /** The mesh that was in force when the server last ran; undefined where it never did. */
  get remembered(): Mesh | undefined {
    return this.#remembered;
  }

  get state(): MeshState {
    if (this.#pending === undefined) return this.#state;
    const { sinceMs, stillMs } = this.#pending;
    return { ...this.#state, pendingEdit: { sinceMs, stillMs } };
  }

  /** Calls back on each change of the file's content, good or not. */
  onChange(listener: (state: MeshState) => void): Cancel {
    return this.#listeners.add(listener);
  }

  /** Begins to notice changes. */
  start(): void {
    const { path } = this.#options;
    const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : dirname(path);
    try {
      this.#watcher = watch(folder, { persistent: false }, (event, name) => {
        if (name !== null) this.#names.add(event, name);
        // A slow writer causes many notices.
        this.#cancelNotice ??= this.#options.clock.after(NOTICE_MS, () => {
          this.#cancelNotice = undefined;
          this.check();
          // Others may write to that folder without end.
          this.#names.clear();
        });
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // No notices from this file system; polling finds the change.
    }
    this.check();
    this.#poll();
  }

  stop(): void {
    this.#watcher?.close();
    this.#cancelPoll?.();
    this.#cancelNotice?.();
    this.#pending?.cancel();
  }

  /** Looks at the files now. What differs is taken once it has stood still for long enough. */
  check(): void {
    const look = lookAt(this.#options.path);
    const pending = this.#pending;
    if (look.seen === this.#seen) {
      this.#marks = look.marks;
      if (pending !== undefined) this.#drop(pending.cancel);
    } else if (pending === undefined || !isSameLook(pending.look, look)) {
      this.#await(look);
    }
  }

  #drop(cancel: Cancel): void {
    cancel();
    this.#pending = undefined;
    this.pendingChanges.notify();
  }

  #await(look: Look): void {
    const { clock, path } = this.#options;
    const read = toRead(path, look);
    const { mesh: after, files } = read;
    const whole = arrivedWhole({ before: this.#marks, now: look.marks, names: this.#names });
    const stillMs = toStillMs({ whole, before: this.#state.mesh, after, files });
    this.#pending?.cancel();
    const cancel = clock.after(stillMs, () => {
      // Somebody may have written without a notice.
      this.check();
      if (this.#pending?.look === look) this.#take(look, read);
    });
    const sinceMs = this.#pending?.sinceMs ?? clock.now();
    this.#pending = { sinceMs, stillMs, look, cancel };
    this.pendingChanges.notify();
  }

  #take({ marks, seen }: Look, found: Read): void {
    this.#pending = undefined;
    this.#marks = marks;
    this.#seen = seen;
    const before = this.#state.mesh;
    const read = withoutPoison(this.#keepIdentities(found), { ...this.#options, before });
    this.#state =
      read.mesh === undefined
        ? { ...this.#state, problems: read.problems }
        : { ...read, mesh: read.mesh, loadedAtMs: this.#options.clock.now() };
    this.#listeners.notify(this.#state);
  }

  /** Stores the files of a mesh that is wholly in force, for the next start. */
  async remember(mesh: Mesh): Promise<void> {
    const { mesh: newest, files, held = [] } = this.#state;
    // What can't be made of them is not in force: the next start begins with what was before.
    if (newest.version === mesh.version && held.length === 0)
      await this.#options.store.write(files);
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

function withoutPoison(
  read: Read,
  options: Pick<MeshSourceOptions, 'assertTranslatable'> & { readonly before: Mesh | undefined },
): Read & { readonly held: readonly ServiceName[] } {
  if (read.mesh === undefined) return { ...read, held: [] };
  const { mesh, problems, held } = isolate(read.mesh, { assertTranslatable, ...options });
  return { ...read, mesh, held, problems: [...problems, ...read.problems] };
}

/** A mesh that can't be started from; every problem in one error. */
export class MeshProblems extends MeshError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('mesh-invalid', `the mesh has ${problems.length} problem(s)`);
    this.problems = problems;
  }
}

interface Opened {
  readonly state: MeshState;
  readonly seen: string;
  readonly marks: Marks;
  readonly remembered: Mesh | undefined;
}
