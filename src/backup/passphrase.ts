// A passphrase that encrypts what leaves the data folder, or what is kept in it: from a file or an
// environment variable, never from an argument, which every user of the machine could read. It is
// taken byte for byte, as `openssl -passin file:` does; no message repeats any of it.
import { closeSync, openSync, readSync } from 'node:fs';
import { MeshError, systemErrorCode } from '../base/index.js';

export interface PassphraseSource {
  /** Its first line is the passphrase; it goes before the variable. */
  readonly file: string | undefined;
  /** Content of the environment variable. */
  readonly value: string | undefined;
  /** How a message names the two. */
  readonly names: { readonly option: string; readonly variable: string };
}

/** What a new passphrase must have at least, in characters. */
export const MIN_PASSPHRASE_LENGTH = 12;

const MAX_BYTES = 1024;

/**
 * The passphrase; undefined where neither file nor variable is given.
 * @throws MeshError usage where the file can't be read, or what is given is empty or too long.
 */
export function readPassphrase({ file, value, names }: PassphraseSource): string | undefined {
  const { option, variable } = names;
  if (file !== undefined) return checked(firstLineOf(file, option), `${option}: ${file}`);
  return value === undefined ? undefined : checked(value, variable);
}

/** Refuses what is easily guessed, where a new passphrase is set. @throws MeshError usage */
export function requireStrong(passphrase: string): void {
  if ([...passphrase].length >= MIN_PASSPHRASE_LENGTH) return;
  throw new MeshError(
    'usage',
    `expected a passphrase of at least ${MIN_PASSPHRASE_LENGTH} characters but got a shorter one`,
    { hint: 'make one with `openssl rand -base64 24`, and keep it apart from what it encrypts' },
  );
}

function checked(text: string, place: string): string {
  if (text === '') throw unusable(place, 'it is empty');
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw unusable(place, `it has more than ${MAX_BYTES} bytes`);
  }
  return text;
}

function firstLineOf(path: string, option: string): string {
  const bytes = Buffer.alloc(MAX_BYTES + 3);
  const read = reading({ path, option }, () => {
    const fd = openSync(path, 'r');
    try {
      return fill(fd, bytes);
    } finally {
      closeSync(fd);
    }
  });
  const [line = ''] = bytes.subarray(0, read).toString('utf8').split('\n', 1);
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

/** A pipe, such as a shell's `<(…)`, gives what it has in pieces. */
function fill(fd: number, bytes: Buffer): number {
  let size = 0;
  while (size < bytes.length) {
    const got = readSync(fd, bytes, size, bytes.length - size, null);
    if (got === 0) break;
    size += got;
  }
  return size;
}

function reading(
  { path, option }: { readonly path: string; readonly option: string },
  work: () => number,
): number {
  try {
    return work();
  } catch (error) {
    const code = systemErrorCode(error) ?? 'an error';
    const message = `${option}: expected a file to read at ${path} but got ${code}`;
    throw new MeshError('usage', message, { cause: error });
  }
}

function unusable(place: string, but: string): MeshError {
  return new MeshError('usage', `${place}: expected a passphrase in the first line but ${but}`);
}
