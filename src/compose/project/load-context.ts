// With what files are read: where they stand, the variables in force, and what is learnt on the
// way.
import type { ComposePlace } from './compose-error.js';
import type { Lookup } from './interpolate.js';
import type { SourceFiles } from './source-files.js';
import { type KeyPath, linesKey } from './yaml-documents.js';

export interface Environment {
  readonly lookup: Lookup;
  readonly home: string | undefined;
}

export interface LoadContext {
  readonly sources: SourceFiles;
  readonly environment: Environment;
  /** To which paths in the files are relative. */
  readonly folder: string;
  /** Files that are being read: one that includes itself would never end. */
  readonly included: readonly string[];
  readonly notes: LoadNotes;
  /** Variables stay as they are written. */
  readonly isRaw: boolean;
}

/** What is learnt on the way. */
export class LoadNotes {
  /** Variables that were read as empty because nobody sets them. */
  readonly unset = new Set<string>();
  readonly #places = new Map<string, ComposePlace>();

  addLines(file: string, lines: ReadonlyMap<string, number>): void {
    for (const [key, line] of lines) this.#places.set(key, { file, line });
  }

  /** Where the key stands; where a key above it does, if that is all that is known. */
  placeOf(path: KeyPath): ComposePlace | undefined {
    for (let length = path.length; length > 0; length--) {
      const place = this.#places.get(linesKey(path.slice(0, length)));
      if (place !== undefined) return place;
    }
    return undefined;
  }
}
