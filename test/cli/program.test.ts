import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { Cli } from './cli.js';

describe('help', () => {
  test('lists every command and an example, on stdout', async () => {
    const { code, stdout, stderr } = await new Cli().run('--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(COMMANDS.length).toBeGreaterThan(0);
    for (const { name, summary } of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`^  ${name} +${summary}`, 'm'));
    }
    expect(stdout).toMatch(/\nExample:\n {2}countersign init /);
  });

  test.each([...COMMANDS.map(({ name }) => name), 'ca show', 'ca bundle'])(
    'of a command has an example: %s',
    async (words) => {
      const names = words.split(' ');
      const { code, stdout, stderr } = await new Cli().run(...names, '--help');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`Usage: countersign ${names.join(' ')}`);
      expect(stdout).toMatch(new RegExp(`\\nExamples?:\\n.*countersign ${names.join(' ')}`));
      expect(await new Cli().run('help', ...names.slice(0, 1))).toMatchObject({ code: 0 });
    },
  );

  test('without a command: on stderr, as wrong use', async () => {
    const { code, stdout, stderr } = await new Cli().run();
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: countersign /);
  });

  test('the version', async () => {
    const { code, stdout } = await new Cli().run('--version');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
