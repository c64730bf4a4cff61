// The folder of revocations as its server reads it: what is in force is what was in force, with
// what was added and without what was taken back. A file that is gone or makes no sense says
// neither: what it said stays, and is told by name. After a start the server knows it from what it
// stored with the marks.
import { inParts, type MeshError } from '../base/index.js';
import type { DataDir } from '../data/index.js';
import { type Revocation, type Revocations, toRevocationKey } from './revocation.js';
import {
  addRevocation,
  forgetUndone,
  isUndone,
  listRevocationFiles,
  REVOCATIONS_FOLDER,
  readLastInForce,
  readRevocations,
  toRevocationFile,
  toRevocations,
} from './revocation-store.js';

/** A revocation in force whose file doesn't say so any more. */
export interface LostRevocation {
  readonly revocation: Revocation;
  /** Within the data folder. */
  readonly file: string;
  /** Why it can't be read; undefined: it is gone. */
  readonly error: MeshError | undefined;
}

export interface RevocationStock {
  /** To be in force, oldest first. */
  readonly list: Revocations;
  readonly lost: readonly LostRevocation[];
  /** Files that make no sense, and of which nobody knows what they said; by name. */
  readonly unknown: ReadonlyMap<string, MeshError>;
  /** Taken back. */
  readonly undone: Revocations;
}

/** So many files are looked at each time; all of them in turn. */
const LOOK_AT = 500;
const LOOK_AT_ONCE = 64;

export class RevocationFolder {
  readonly #dataDir: DataDir;
  /** By file. */
  #looks = new Map<string, string>();
  #next = 0;

  constructor(dataDir: DataDir) {
    this.#dataDir = dataDir;
  }

  /** Another text where something may have changed. @throws MeshError data-unreadable */
  async look(): Promise<string> {
    const files = await listRevocationFiles(this.#dataDir);
    const start = this.#next < files.length ? this.#next : 0;
    const some = files.slice(start, start + LOOK_AT);
    this.#next = start + some.length;
    await inParts(some, {
      atOnce: LOOK_AT_ONCE,
      work: async (file) => {
        const facts = await this.#dataDir.facts(`${REVOCATIONS_FOLDER}/${file}`);
        this.#looks.set(file, facts?.look ?? '');
      },
    });
    this.#looks = new Map(files.map((file) => [file, this.#looks.get(file) ?? '']));
    return JSON.stringify([...this.#looks]);
  }

  /**
   * What is to be in force.
   * @param before What was, by this process; undefined: by the one before it.
   * @throws MeshError data-unreadable
   */
  async take(before?: Revocations): Promise<RevocationStock> {
    const known = before ?? (await readLastInForce(this.#dataDir));
    const { list, undone, damaged } = await readRevocations(this.#dataDir);
    const kept = [...known.values()].filter(
      (one) => !list.has(toRevocationKey(one)) && !isUndone(one, undone),
    );
    const lost = kept.map((revocation): LostRevocation => {
      const file = toRevocationFile(revocation);
      return { revocation, file, error: damaged.get(file) };
    });
    const files = new Set(lost.map(({ file }) => file));
    return {
      list: toRevocations([...list.values(), ...kept]),
      lost,
      unknown: new Map([...damaged].filter(([name]) => !files.has(name))),
      undone,
    };
  }

  /** Writes files anew that were lost; damaged ones are set aside. @throws data-unwritable */
  async makeAgain(lost: readonly LostRevocation[]): Promise<void> {
    for (const { revocation, file, error } of lost) {
      if (error !== undefined) await this.#dataDir.setAside(file);
      await addRevocation(this.#dataDir, revocation);
    }
  }

  /** They are not in force any more. @throws MeshError data-unwritable */
  forget({ undone }: RevocationStock): Promise<void> {
    return forgetUndone(this.#dataDir, undone);
  }
}
