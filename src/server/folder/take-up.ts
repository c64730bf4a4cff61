// Files without which a start goes on: one that is damaged, or can't be read, is set aside for
// examination and made again, and that is said, in the log at once and in `status` until the next
// start.
import { type Logger, MeshError } from '../../base/index.js';
import type { DataDir } from '../../data/index.js';
import { withoutFile } from './data-files.js';

export class Losses {
  readonly #dataDir: DataDir;
  readonly #logger: Pick<Logger, 'error'>;
  readonly #texts: string[] = [];
  readonly #names = new Set<string>();

  constructor(dataDir: DataDir, logger: Pick<Logger, 'error'>) {
    this.#dataDir = dataDir;
    this.#logger = logger;
  }

  /** In words, since the start. */
  get texts(): readonly string[] {
    return this.#texts;
  }

  /** Whether the file of that name was lost, damaged or gone. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** The manifest has it, and the folder doesn't. */
  noteGone(name: string): void {
    const text = `${this.#dataDir.path}/${name} is gone: ${withoutFile(name)}`;
    this.#note(name, text, undefined);
  }

  note(text: string): void {
    this.#texts.push(text);
    this.#logger.error({ reason: text }, 'the data folder is not as it was left');
  }

  /**
   * What a file says; undefined where it was damaged, and is set aside now.
   * @throws MeshError data-unwritable where it can't be; data-exposed
   */
  async takeUp<T>(name: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!isOfFile(error)) throw error;
      const aside = await this.#dataDir.setAside(name);
      const text = `${error.message}: set aside as ${aside}: ${withoutFile(name)}`;
      this.#note(name, text, error);
      return undefined;
    }
  }

  #note(name: string, text: string, err: MeshError | undefined): void {
    this.#names.add(name);
    this.#texts.push(text);
    const fields = err === undefined ? { file: name } : { file: name, err };
    this.#logger.error({ ...fields, reason: text }, 'a file was lost, and is made again');
  }
}

/** That file is at fault; where the folder was taken away, or others can write it, none is. */
export function isOfFile(error: unknown): error is MeshError {
  if (!(error instanceof MeshError) || error.variant === 'replaced') return false;
  return error.code === 'data-damaged' || error.code === 'data-unreadable';
}
