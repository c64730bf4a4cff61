// Files that a project is read from: only plain ones, of a bounded size and number.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { relative } from 'node:path';
import { systemErrorCode } from '../../base/index.js';
import { composeUnreadable } from './compose-error.js';
import { MAX_FILE_SIZE } from './yaml-documents.js';

/** Of one project: includes and extensions may name one another. */
const MAX_FILES = 250;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is a file',
  ELOOP: 'its links lead nowhere',
};

export class SourceFiles {
  readonly #cwd: string;
  #count = 0;

  constructor(cwd: string) {
    this.#cwd = cwd;
  }

  /** A path as messages name it: short where it is below the current folder. */
  show(path: string): string {
    const short = relative(this.#cwd, path);
    return short === '' || short.startsWith('..') ? path : short;
  }

  /** @throws MeshError `compose-unreadable` */
  async read(path: string): Promise<string> {
    if (++this.#count > MAX_FILES) {
      throw composeUnreadable(`expected at most ${MAX_FILES} files but got more`);
    }
    try {
      return await readBounded(path);
    } catch (cause) {
      const code = systemErrorCode(cause) ?? '';
      const reason = cause instanceof TooMuch ? cause.message : (REASONS[code] ?? code);
      throw composeUnreadable(`cannot read ${this.show(path)}: ${reason}`, { cause });
    }
  }
}

class TooMuch extends Error {}

async function readBounded(path: string): Promise<string> {
  // A pipe would have us wait until somebody writes.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new TooMuch(stat.isDirectory() ? 'it is a folder' : 'it is no file');
    if (stat.size > MAX_FILE_SIZE) throw new TooMuch(`it has more than ${MAX_FILE_SIZE} bytes`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
