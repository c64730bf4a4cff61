// Whether the data folder is still the one that this server opened. Somebody may remove it, replace
// it by another or lose a part of it under the running server. What is gone must not be taken for
// news: while the folder is another, nothing is read from it or written to it; while a part of it
// is lost, what is decided by an absence (no record, no holder) is not decided. Everything in force
// stays, and that is said. It ends when the folder is back.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, HOUR_MS, type Logger, MeshError, systemErrorCode } from '../base/index.js';
import { LOCK_FILE } from '../data/index.js';

export interface DataGuardOptions {
  /** The data folder, which this server holds the lock of. */
  readonly path: string;
  /** Files and folders of it that are there now, and must stay. */
  readonly parts: readonly string[];
  /** Those that must be there as long as something in force came from them. */
  readonly moreParts: () => readonly string[];
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'error' | 'info'>;
}

/** It stays in the log of one who looks at the end only. */
const SAY_AGAIN_MS = HOUR_MS;
const WAY_ON =
  'what is in force stays, nothing can be stored and no command is heard: put it back as it was, ' +
  'or stop the server and start it on a backup';
const WAY_ON_WITHOUT = 'what is in force stays: put it back, or start the server on a backup';

export class DataGuard {
  readonly #options: DataGuardOptions;
  readonly #lock: string | undefined;
  #trouble: string | undefined;
  #isInPlace = true;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  private constructor(options: DataGuardOptions, lock: string | undefined) {
    this.#options = options;
    this.#lock = lock;
  }

  static async open(options: DataGuardOptions): Promise<DataGuard> {
    const { path } = options;
    const found = await Promise.all(options.parts.map((part) => identify(join(path, part))));
    const parts = options.parts.filter((_part, i) => found[i] !== undefined);
    return new DataGuard({ ...options, parts }, await identify(join(path, LOCK_FILE)));
  }

  /** What is wrong with the folder, as last looked at. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Looks now: whether what is read from the folder may be believed. */
  async isWhole(): Promise<boolean> {
    const { logger, clock, path } = this.#options;
    const found = await this.#look();
    const before = this.#trouble;
    const wayOn = this.#isInPlace ? WAY_ON_WITHOUT : WAY_ON;
    this.#trouble = found === undefined ? undefined : `${found}: ${wayOn}`;
    if (found === undefined) {
      if (before !== undefined) logger.info({ path }, 'the data folder is back as it was');
      return true;
    }
    const nowMs = clock.now();
    // By its distance: a clock that was set back must not silence it.
    if (this.#trouble === before && Math.abs(nowMs - this.#saidAtMs) < SAY_AGAIN_MS) return false;
    this.#saidAtMs = nowMs;
    logger.error(
      { path, reason: this.#trouble },
      'the data folder was taken away under the server',
    );
    return false;
  }

  /** Looks now: whether the folder is the one that was opened, whole or not. */
  async isSame(): Promise<boolean> {
    await this.isWhole();
    return this.#isInPlace;
  }

  /** @throws MeshError data-unreadable */
  async assertWhole(): Promise<void> {
    if (await this.isWhole()) return;
    throw new MeshError('data-unreadable', this.#trouble ?? 'the data folder is gone');
  }

  async #look(): Promise<string | undefined> {
    const { path, parts, moreParts } = this.#options;
    this.#isInPlace = false;
    if ((await identify(path)) === undefined) return `the data folder ${path} is gone`;
    if ((await identify(join(path, LOCK_FILE))) !== this.#lock) {
      return `the data folder ${path} is another than the one that this server opened`;
    }
    this.#isInPlace = true;
    const all = [...parts, ...moreParts()];
    const found = await Promise.all(all.map((part) => identify(join(path, part))));
    const lost = all.filter((_part, i) => found[i] === undefined);
    return lost.length === 0 ? undefined : `the data folder ${path} lacks ${lost.join(', ')}`;
  }
}

/** The file behind a name; undefined where there is none. What can't be told is taken for whole. */
async function identify(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}`;
  } catch (error) {
    const code = systemErrorCode(error) ?? '';
    return ['ENOENT', 'ENOTDIR'].includes(code) ? undefined : code;
  }
}
