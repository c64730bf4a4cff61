// Looks at the files of the data folder while the server runs: one that was there and is gone, is
// damaged, can't be read or can be written by others changes nothing in force, but the next start
// would find it so. It is said by name for as long as it is so. Files that are new become part of
// the manifest.
import { type Logger, MeshError } from '../../base/index.js';
import { type DataDir, damaged } from '../../data/index.js';
import { MANIFEST_FILE, writeManifest } from '../../data/manifest/index.js';
import { DATA_FILES, type DataFile } from './data-files.js';

export interface FileWatchOptions {
  readonly dataDir: DataDir;
  readonly logger: Pick<Logger, 'error' | 'info'>;
}

/** Of larger ones only the ends are looked at. */
const READ_WHOLE_BYTES = 256 * 1024;

/** Files of a sub-folder. */
const LOOK_AT = 100;
/** A sub-folder with more files is listed at each so-many-th look only. */
const LARGE = 1_000;
const LARGE_EVERY = 15;
/** Their readers look at each of their files. */
const LOOKED_AT_BY_OTHERS: readonly string[] = ['revocations', 'orders'];

type Facts = NonNullable<Awaited<ReturnType<DataDir['facts']>>>;

interface Seen {
  readonly look: string;
  readonly problem: string | undefined;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  /** Names in the manifest. */
  #known: ReadonlySet<string> = new Set();
  readonly #seen = new Map<string, Seen>();
  #looks = 0;
  /** Sub-folders as last listed. */
  readonly #folders = new Map<
    string,
    { readonly size: number; readonly problem: string | undefined }
  >();
  /** Where the next look at a sub-folder begins. */
  readonly #next = new Map<string, number>();
  #troubles: ReadonlyMap<string, string> = new Map();

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** What is wrong, in words. */
  get troubles(): readonly string[] {
    return [...this.#troubles.values()];
  }

  /** All that is there belongs to the folder. @throws MeshError data-unwritable */
  async begin(): Promise<void> {
    this.#known = new Set(await this.#findThere());
    await writeManifest(this.#options.dataDir, this.#known);
  }

  /** @throws MeshError data-unwritable where what is new can't be noted */
  async look(): Promise<void> {
    const troubles = new Map<string, string>();
    this.#looks++;
    for (const file of [...DATA_FILES, THE_MANIFEST]) {
      const problem = await this.#problemOf(file);
      if (problem !== undefined) troubles.set(file.name, problem);
    }
    this.#say(troubles);
    const isNew = (await this.#findThere()).filter((name) => !this.#known.has(name));
    if (isNew.length === 0) return;
    const all = new Set([...this.#known, ...isNew]);
    await writeManifest(this.#options.dataDir, all);
    this.#known = all;
  }

  async #findThere(): Promise<readonly string[]> {
    const { dataDir } = this.#options;
    const there: string[] = [];
    for (const { name } of DATA_FILES) {
      const facts = await dataDir.facts(name).catch(() => undefined);
      if (facts !== undefined) there.push(name);
    }
    return there;
  }

  async #problemOf(file: DataFile): Promise<string | undefined> {
    const { dataDir } = this.#options;
    const place = `${dataDir.path}/${file.name}`;
    try {
      const facts = await dataDir.facts(file.name);
      if (facts === undefined) {
        const isLost = this.#known.has(file.name) || file === THE_MANIFEST;
        return isLost ? `${place} is gone: what is in force stays; ${toNext(file)}` : undefined;
      }
      if (file.isFolder !== true) return await this.#fileProblem(file.name, { facts, file });
      const known = this.#folders.get(file.name);
      if (known !== undefined && known.size > LARGE && this.#looks % LARGE_EVERY !== 0) {
        return known.problem;
      }
      const files = await dataDir.list(file.name);
      const problem = await this.#someProblems(file, files);
      this.#folders.set(file.name, { size: files.length, problem });
      return problem;
    } catch (error) {
      return toText(error, file);
    }
  }

  async #fileProblem(
    name: string,
    { facts, file }: { readonly facts: Facts; readonly file: DataFile },
  ): Promise<string | undefined> {
    const seen = this.#seen.get(name);
    if (seen?.look === facts.look) return seen.problem;
    const problem = await this.#contentProblem(name, file);
    this.#seen.set(name, { look: facts.look, problem });
    return problem;
  }

  async #contentProblem(name: string, file: DataFile): Promise<string | undefined> {
    const { dataDir } = this.#options;
    try {
      const content = await dataDir.read(name);
      if (content === undefined || isJson(content)) return undefined;
      return toText(damaged({ dataDir, name, what: 'expected JSON but got other content' }), file);
    } catch (error) {
      return toText(error, file);
    }
  }

  /** So many files of a sub-folder at each look, all of them in turn. */
  async #someProblems(file: DataFile, files: readonly string[]): Promise<string | undefined> {
    if (LOOKED_AT_BY_OTHERS.includes(file.name)) return undefined;
    const { dataDir } = this.#options;
    const names = files.filter((one) => one.endsWith('.json')).map((one) => `${file.name}/${one}`);
    const begin = this.#next.get(file.name) ?? 0;
    const some = names.slice(begin, begin + LOOK_AT);
    this.#next.set(file.name, begin + LOOK_AT < names.length ? begin + LOOK_AT : 0);
    for (const name of some) {
      const facts = await dataDir.facts(name);
      if (facts !== undefined) await this.#fileProblem(name, { facts, file });
    }
    this.#forgetAllBut(file, names);
    const problems = names.map((name) => this.#seen.get(name)?.problem);
    const found = problems.filter((one) => one !== undefined);
    const more = found.length > 1 ? ` (and so are ${found.length - 1} more)` : '';
    return found[0] === undefined ? undefined : `${found[0]}${more}`;
  }

  #forgetAllBut({ name }: DataFile, names: readonly string[]): void {
    const there = new Set(names);
    for (const known of this.#seen.keys()) {
      if (known.startsWith(`${name}/`) && !there.has(known)) this.#seen.delete(known);
    }
  }

  #say(troubles: ReadonlyMap<string, string>): void {
    const { logger } = this.#options;
    for (const [file, reason] of troubles) {
      if (this.#troubles.get(file) === reason) continue;
      logger.error({ file, reason }, 'a file of the data folder is not as it was stored');
    }
    for (const file of this.#troubles.keys()) {
      if (!troubles.has(file)) logger.info({ file }, 'a file of the data folder is whole again');
    }
    this.#troubles = troubles;
  }
}

const THE_MANIFEST: DataFile = {
  name: MANIFEST_FILE,
  holds: 'the names of the others',
  remedy: 'made again',
  without: 'that a file is gone is not noticed',
};

function toText(error: unknown, file: DataFile): string {
  if (!(error instanceof MeshError)) throw error;
  // As told by the folder's own guard.
  if (error.variant === 'replaced') throw error;
  const hint = error.hint === undefined ? '' : ` (${error.hint})`;
  return `${error.message}${hint}: what is in force stays; ${toNext(file)}`;
}

function toNext({ remedy, without }: DataFile): string {
  switch (remedy) {
    case 'refused':
      return `put it back: without it the next start is refused, for ${without}`;
    case 'made again':
      return `put it back, or start the server again, which makes a new one: ${without}`;
    case 'told':
      return `put it back: ${without}`;
  }
}

function isJson(content: Buffer): boolean {
  if (content.length <= READ_WHOLE_BYTES) {
    try {
      JSON.parse(content.toString('utf8'));
      return true;
    } catch {
      return false;
    }
  }
  const [first, last] = [content.subarray(0, 1), content.subarray(-2)].map(String);
  return (first === '{' && last === '}\n') || (first === '[' && last === ']\n');
}
