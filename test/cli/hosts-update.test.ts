import {
  chmodSync,
  linkSync,
  lstatSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { changeHosts } from '../../src/cli/hosts-block.js';
import { startFakeAdmin } from '../fakes/admin-server.js';
import { Cli } from './cli.js';

const BLOCK =
  '# begin countersign\n127.64.0.17 ledger.payments\n127.64.0.18 web\n# end countersign\n';
const LINES = ['127.64.0.17 ledger.payments', '127.64.0.18 web'];
const ENTRIES = [
  { address: '127.64.0.17', service: 'payments/ledger', names: ['ledger.payments'] },
  { address: '127.64.0.18', service: 'web', names: ['web'] },
];
const change = (text: string, lines: readonly string[] = LINES): string =>
  changeHosts(text, lines, '/etc/hosts').text;

describe('the block', () => {
  test.each([
    ['is added at the end', '127.0.0.1 localhost\n', `127.0.0.1 localhost\n${BLOCK}`],
    ['ends a last line that has no end', '127.0.0.1 localhost', `127.0.0.1 localhost\n${BLOCK}`],
    ['is all of an empty file', '', BLOCK],
    [
      'is replaced where it is',
      'a\n# begin countersign\nold\n# end countersign\r\n\n\tb \xff\r\n',
      `a\n${BLOCK}\n\tb \xff\r\n`,
    ],
    [
      'is replaced where it ends the file without a line end',
      '# begin countersign\n# end countersign',
      BLOCK,
    ],
    ['stays the same, byte for byte', `a\n${BLOCK}b`, `a\n${BLOCK}b`],
  ])('%s', (_, before, after) => {
    expect(change(before)).toBe(after);
    expect(change(after)).toBe(after);
  });
});

describe('a file with a block', () => {
  test('goes when there is nothing to be in it', () => {
    expect(change(`a\n${BLOCK}b\n`, [])).toBe('a\nb\n');
    expect(change('a\n', [])).toBe('a\n');
  });

  test.each([
    ['begins and never ends', 'a\n# begin countersign\nb\n', 2],
    ['ends and never begins', 'a\nb\n# end countersign\n', 3],
    ['begins twice', '# begin countersign\n# begin countersign\n# end countersign\n', 1],
    ['is there twice', `${BLOCK}a\n${BLOCK}`, 6],
    ['ends before it begins', '# end countersign\n# begin countersign\n', 1],
  ])('is left alone where it %s', (_, text, line) => {
    expect(() => change(text)).toThrow(
      expect.objectContaining({
        code: 'file-unwritable',
        message:
          'expected one block from "# begin countersign" to "# end countersign" in /etc/hosts ' +
          `but got another mark in line ${line}`,
      }),
    );
  });

  test('changes nothing else, whatever that is', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab1.: #\t\r\n\xff') });
    fc.assert(
      fc.property(text, text, (before, after) => {
        const head = before === '' || before.endsWith('\n') ? before : `${before}\n`;
        const old = `${head}# begin countersign\nold\n# end countersign\n${after}`;
        expect(change(old)).toBe(`${head}${BLOCK}${after}`);
        expect(change(change(old), [])).toBe(`${head}${after}`);
      }),
      { seed: 20_261_128, numRuns: 500 },
    );
  });

  test('says which names the file has for somebody else', () => {
    const text = `127.0.0.1 localhost\n10.0.0.7\tdb  web # old\n# 10.0.0.7 web\n${BLOCK}`;
    expect(changeHosts(text, LINES, '/etc/hosts').taken).toEqual([{ name: 'web', line: 2 }]);
  });
});

let cli: Cli;
let server: readonly string[];
beforeEach(async () => {
  cli = new Cli();
  const { address } = await startFakeAdmin(() => ({ body: { entries: ENTRIES } }));
  server = ['--server', address];
});
const update = (name: string) => cli.run('hosts', '--update', `<dir>/${name}`, ...server);

describe('hosts --update', () => {
  test('says what it changed, and when there is nothing', async () => {
    writeFileSync(cli.path('hosts'), '# begin countersign\n127.64.0.9 gone\n# end countersign\n');
    expect(await update('hosts')).toEqual({
      code: 0,
      stderr: '',
      stdout: `- 127.64.0.9 gone\n+ ${LINES[0]}\n+ ${LINES[1]}\nupdated <dir>/hosts\n`,
    });
    const { ino } = statSync(cli.path('hosts'));
    expect((await update('hosts')).stdout).toBe('nothing to change in <dir>/hosts\n');
    expect(statSync(cli.path('hosts')).ino).toBe(ino);
  });

  test('leaves the mode as it was, and follows links', async () => {
    writeFileSync(cli.path('real'), 'a\n');
    chmodSync(cli.path('real'), 0o640);
    symlinkSync('real', cli.path('hosts'));
    expect((await update('hosts')).stdout).toContain('updated <dir>/real\n');
    expect(lstatSync(cli.path('hosts')).isSymbolicLink()).toBe(true);
    expect(statSync(cli.path('real')).mode & 0o777).toBe(0o640);
    expect(readFileSync(cli.path('real'), 'utf8')).toBe(`a\n${BLOCK}`);
  });

  test('writes it where it is, where it has another name too', async () => {
    writeFileSync(cli.path('hosts'), `a\n${BLOCK}${'b\n'.repeat(100)}`);
    linkSync(cli.path('hosts'), cli.path('other'));
    writeFileSync(cli.path('hosts'), 'a\n# begin countersign\n# end countersign\n');
    expect((await update('hosts')).code).toBe(0);
    expect(readFileSync(cli.path('other'), 'utf8')).toBe(`a\n${BLOCK}`);
  });
});

describe('hosts --update of a file that is not as it should be', () => {
  test('warns of a name that the file has for another address', async () => {
    writeFileSync(cli.path('hosts'), '10.0.0.7 web\n');
    expect((await update('hosts')).stderr).toBe(
      'warning: line 1 of <dir>/hosts has web too: the first counts\n',
    );
  });

  test('makes no file, and changes none that has half a block', async () => {
    expect(await update('none')).toMatchObject({ code: 1, stdout: '' });
    writeFileSync(cli.path('hosts'), '# begin countersign\n');
    const { code, stderr } = await update('hosts');
    expect(code).toBe(1);
    expect(stderr).toContain('another mark in line 1\n  hint: make line 1 right, or remove it\n');
    expect(readFileSync(cli.path('hosts'), 'utf8')).toBe('# begin countersign\n');
  });

  test.each([[['--json']], [['web']]])('is for all lines of a file: not with %j', async (more) => {
    const argv = ['hosts', ...more, '--update', '<dir>/hosts', ...server];
    expect(await cli.run(...argv)).toMatchObject({ code: 2, stdout: '' });
  });
});
