import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPassphrase } from '../../src/backup/index.js';
import { requireStrong } from '../../src/backup/passphrase.js';
import { meshErrorOf, temporaryFolder } from '../x509/tools.js';

const names = { option: '--passphrase-file', variable: 'COUNTERSIGN_PASSPHRASE' };

function read(source: { file: string | undefined; value: string | undefined }) {
  return readPassphrase({ ...source, names });
}

describe('a passphrase', () => {
  it.each<[string, string, string]>([
    ['the first line', 'correct horse battery\nsecond line\n', 'correct horse battery'],
    ['without a line feed', 'correct horse battery', 'correct horse battery'],
    ['a line of Windows', 'correct horse battery\r\n', 'correct horse battery'],
    ['spaces stay', ' correct horse \n', ' correct horse '],
    ['any script', 'parole d’été 🐎\n', 'parole d’été 🐎'],
    ['1024 bytes', `${'x'.repeat(1024)}\n`, 'x'.repeat(1024)],
  ])('of a file: %s', async (_name, content, expected) => {
    const file = join(await temporaryFolder(), 'passphrase');
    await writeFile(file, content);
    expect(read({ file, value: 'of the variable' })).toBe(expected);
  });

  it('of the variable, where no file is named', () => {
    expect(read({ file: undefined, value: 'of the variable' })).toBe('of the variable');
    expect(read({ file: undefined, value: undefined })).toBeUndefined();
  });

  it('of a pipe, which gives it in pieces', async () => {
    const file = join(await temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [file]);
    // Another process feeds it: this one waits in `open` until it does.
    const feed = '{ printf "correct "; sleep 0.1; printf "horse\\n"; } > "$0"';
    const feeder = spawn('sh', ['-c', feed, file], { stdio: 'ignore' });
    const ended = once(feeder, 'exit');
    expect(read({ file, value: undefined })).toBe('correct horse');
    await ended;
  });

  it.each<[string, string, RegExp]>([
    ['empty', '', /: expected a passphrase in the first line but it is empty$/],
    ['an empty first line', '\nsecret of line two\n', /but it is empty$/],
    ['1025 bytes', 'y'.repeat(1025), /but it has more than 1024 bytes$/],
    ['no end of it', 'y'.repeat(9000), /but it has more than 1024 bytes$/],
  ])('is refused: %s', async (_name, content, message) => {
    const file = join(await temporaryFolder(), 'passphrase');
    await writeFile(file, content);
    const error = await meshErrorOf(() => read({ file, value: undefined }));
    expect(error).toMatchObject({ code: 'usage', message: expect.stringMatching(message) });
    expect(error.message).not.toMatch(/yyy|secret/);
  });

  it('is refused: no such file, a folder, an empty variable', async () => {
    const folder = await temporaryFolder();
    const told = async (file: string | undefined, value?: string): Promise<string> =>
      (await meshErrorOf(() => read({ file, value: value }))).message.replace(folder, '<dir>');
    expect(await told(join(folder, 'none'))).toBe(
      '--passphrase-file: expected a file to read at <dir>/none but got ENOENT',
    );
    expect(await told(folder)).toBe(
      '--passphrase-file: expected a file to read at <dir> but got EISDIR',
    );
    expect(await told(undefined, '')).toBe(
      'COUNTERSIGN_PASSPHRASE: expected a passphrase in the first line but it is empty',
    );
  });

  it.each<[string, boolean]>([
    ['twelve chars', true],
    ['eleven char', false],
    ['🐎🐎🐎🐎🐎🐎', false],
    ['🐎🐎🐎🐎🐎🐎🐎🐎🐎🐎🐎🐎', true],
  ])('new: %s', async (text, isGood) => {
    if (isGood) return expect(() => requireStrong(text)).not.toThrow();
    const { code, message } = await meshErrorOf(() => requireStrong(text));
    expect({ code, message }).toEqual({
      code: 'usage',
      message: 'expected a passphrase of at least 12 characters but got a shorter one',
    });
  });
});
