// How long an edit of the mesh file waits before it is taken. A file that was renamed into place is
// whole. One that is written in place may be half of what its author means, and to put half a
// mesh in force serves what is forbidden, or refuses what is allowed: so it has to stand still.
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { SECOND_MS } from '../../base/index.js';
import type { Mesh } from '../../policy/index.js';
import { onlyTightens } from './only-tightens.js';
import type { MeshFiles } from './stored-mesh.js';

/** What tells one state of a file from another. */
export interface FileMark {
  readonly inode: bigint;
  readonly size: bigint;
  /** Of the content. */
  readonly modifiedNs: bigint;
  /** Of the content or of anything else, its name among them. */
  readonly changedNs: bigint;
}

/** By path. */
export type Marks = ReadonlyMap<string, FileMark>;

/** Marks of those files that can be looked at. */
export function markFiles(paths: readonly string[]): Marks {
  const marks = new Map<string, FileMark>();
  for (const path of paths) {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) continue;
    const { ino: inode, size, mtimeNs: modifiedNs, ctimeNs: changedNs } = stats;
    marks.set(path, { inode, size, modifiedNs, changedNs });
  }
  return marks;
}

/** Renamed into place. */
const WHOLE_MS = 50;
/** Files of a folder are renamed one after the other, and mean something together. */
const FOLDER_MS = 500;
/** Written in place, and it surely only takes away. */
const TIGHTENING_MS = SECOND_MS / 2;
/** Written in place, and it loosens, adds or removes; or it isn't a mesh. */
const OTHER_MS = 2 * SECOND_MS;
/** Its text stops where nobody ends a file. */
const UNFINISHED_MS = 5 * SECOND_MS;

/** Which names of a folder were written to, as its notices say. */
export class WrittenNames {
  readonly #renamed = new Set<string>();

  /** `node:fs` says "rename" for a name that comes or goes, "change" for content. */
  add(event: string, name: string): void {
    if (event === 'rename') this.#renamed.add(name);
    else this.#renamed.delete(name);
  }

  clear(): void {
    this.#renamed.clear();
  }

  /** Whether the name came, and nobody wrote to it since. */
  cameWhole(name: string): boolean {
    return this.#renamed.has(name);
  }
}

export interface Arrival {
  readonly before: Marks;
  readonly now: Marks;
  readonly names: WrittenNames;
}

/** Whether each file that changed was renamed into its place. */
export function arrivedWhole({ before, now, names }: Arrival): boolean {
  if ([...before.keys()].some((path) => !now.has(path))) return false;
  return [...now].every(([path, mark]) => {
    const old = before.get(path);
    if (old !== undefined && isSameMark(old, mark)) return true;
    if (old?.inode === mark.inode) return false;
    // A rename changes the file's state but not its content.
    return mark.changedNs > mark.modifiedNs || names.cameWhole(basename(path));
  });
}

export function isSameMark(a: FileMark, b: FileMark): boolean {
  return a.inode === b.inode && a.size === b.size && a.modifiedNs === b.modifiedNs;
}

export interface Edit {
  readonly whole: boolean;
  /** What is in force, and what the files say now; undefined where that is no mesh. */
  readonly before: Mesh;
  readonly after: Mesh | undefined;
  readonly files: MeshFiles;
}

/** For how long the files have to stand still before they are taken, in milliseconds. */
export function toStillMs({ whole, before, after, files }: Edit): number {
  if (whole) return files.length > 1 ? FOLDER_MS : WHOLE_MS;
  if (files.some(({ text }) => isUnfinished(text))) return UNFINISHED_MS;
  return after !== undefined && onlyTightens(before, after) ? TIGHTENING_MS : OTHER_MS;
}

/** Whether a text stops in the middle of a line, or at a key whose value would follow. */
function isUnfinished(text: string): boolean {
  // JSON, or a mesh in braces: half of it is no mesh at all.
  if (/^\s*\{/.test(text)) return false;
  const lastLine = text.trimEnd().split('\n').at(-1) ?? '';
  return (
    !text.endsWith('\n') ||
    lastLine
      .replace(/(?:^|\s)#.*$/, '')
      .trimEnd()
      .endsWith(':')
  );
}
