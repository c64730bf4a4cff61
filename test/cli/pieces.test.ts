import { describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { reportError } from '../../src/cli/exit.js';
import { createLogger } from '../../src/cli/logger.js';
import { formatHostPort, tryHostPort } from '../../src/cli/options.js';
import { toTable } from '../../src/terminal/index.js';

describe('an address and port', () => {
  test.each([
    ['127.0.0.1:18000', '127.0.0.1', 18000],
    ['localhost:0', 'localhost', 0],
    ['cp-1.internal:65535', 'cp-1.internal', 65535],
    ['[::1]:18000', '::1', 18000],
  ])('%s, and back', (text, host, port) => {
    expect(tryHostPort(text)).toEqual({ host, port });
    expect(formatHostPort({ host, port })).toBe(text);
  });

  test.each([
    '',
    ':18000',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:1e3',
    '::1:18000',
    '[::1]',
    '[127.0.0.1]:18000',
    '[::1:18000',
    'a b:18000',
    '-a:18000',
    'http://cp:18000',
  ])('not %j', (text) => {
    expect(tryHostPort(text)).toBeUndefined();
  });
});

describe('an error', () => {
  function report(error: unknown): { code: number; stderr: string } {
    let stderr = '';
    const write = (text: string): void => {
      stderr += text;
    };
    const code = reportError(error, { stderr: { isTTY: false, write } });
    return { code, stderr };
  }

  test.each([
    ['usage', 2],
    ['mesh-unreadable', 2],
    ['server-unreachable', 3],
    ['data-locked', 1],
    ['port-in-use', 1],
  ] as const)('%s ends with %i', (code, exitCode) => {
    expect(report(new MeshError(code, 'expected a but got b', { hint: 'do c' }))).toEqual({
      code: exitCode,
      stderr: 'error: expected a but got b\n  hint: do c\n',
    });
  });

  test('of ours is told in full', () => {
    const { code, stderr } = report(new TypeError('a defect'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^internal error: TypeError: a defect\n {4}at .*pieces\.test/);
    expect(report('thrown text')).toEqual({ code: 1, stderr: 'internal error: thrown text\n' });
  });
});

describe('the log', () => {
  function log(isTTY: boolean): string[] {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const logger = createLogger({ isTTY, write }, 'info');
    logger.debug({}, 'not shown');
    logger.info({ node: 'web~1', ports: [80] }, 'sidecar connected');
    logger.error({ err: new Error('disk full') }, 'not stored');
    return lines;
  }

  test('JSON lines for machines', () => {
    const lines = log(false).map((line) => JSON.parse(line));
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.any(Number),
        node: 'web~1',
        ports: [80],
        msg: 'sidecar connected',
      },
      {
        level: 'error',
        time: expect.any(Number),
        err: expect.objectContaining({ message: 'disk full', stack: expect.any(String) }),
        msg: 'not stored',
      },
    ]);
  });

  test('an error of ours has its hint, from the table', () => {
    const lines: string[] = [];
    const output = { isTTY: false, write: (line: string): void => void lines.push(line) };
    createLogger(output, 'info').error({ err: new MeshError('data-foreign', 'no') }, 'not begun');
    const { err } = JSON.parse(lines[0] ?? '') as { err: object };
    expect(err).toMatchObject({
      code: 'data-foreign',
      hint: 'name a folder of its own with --data',
    });
  });

  test('readable lines for a terminal, a stack in full', () => {
    const [info, error] = log(true);
    expect(info).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}sidecar connected node="web~1" ports=\[80\]\n$/,
    );
    expect(error).toMatch(/ error not stored err=Error: disk full\n {4}at /);
  });
});

test('a table has aligned columns and no spaces at the end', () => {
  expect(
    toTable([
      ['A', 'LONG', 'C'],
      ['long', 'b', ''],
    ]),
  ).toEqual(['A     LONG  C', 'long  b']);
});
