import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { Cli } from './cli.js';

const HELP_HINT = (command: string): string =>
  `  hint: see \`countersign ${command === '' ? '' : `${command} `}--help\`\n`;

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

describe('wrong use: exit 2, nothing on stdout, a hint', () => {
  const service =
    '  hint: names look like web, or payments/ledger with a namespace, in lower case\n';
  const duration = '  hint: a number and a unit: 90s, 15m, 24h, 30d\n';
  const rows: readonly (readonly [argv: string, stderr: string])[] = [
    ['chekc', `error: unknown command 'chekc'\n(Did you mean check?)\n${HELP_HINT('')}`],
    ['--nope', `error: unknown option '--nope'\n${HELP_HINT('')}`],
    ['check', `error: missing required argument 'mesh'\n${HELP_HINT('check')}`],
    [
      'check mesh.yaml --strikt',
      `error: unknown option '--strikt'\n(Did you mean --strict?)\n${HELP_HINT('check')}`,
    ],
    [
      'check a b',
      "error: too many arguments for 'check'. Expected 1 argument but got 2.\n" +
        HELP_HINT('check'),
    ],
    [
      'check <dir>/none.yaml',
      'error: expected a mesh file or folder at <dir>/none.yaml but got nothing at all\n' +
        '  hint: `countersign init` writes a mesh.yaml to start from\n',
    ],
    ['render mesh.yaml', `error: missing required argument 'service'\n${HELP_HINT('render')}`],
    ['render mesh.yaml Web', `error: <service>: expected a service name but got "Web"\n${service}`],
    [
      'render mesh.yaml web --type lds,xds',
      'error: --type: expected one or more of lds, cds, eds, rds, ecds, sds, with commas ' +
        'but got "lds,xds"\n',
    ],
    ['serve', `error: required option '--mesh <path>' not specified\n${HELP_HINT('serve')}`],
    ['serve --mesh mesh.yaml --apply manual', 'error: --apply: "manual" is not supported yet\n'],
    ['serve --mesh mesh.yaml --apply later', 'error: --apply: expected auto but got "later"\n'],
    [
      'serve --mesh mesh.yaml --xds 18000',
      'error: --xds: expected an address and port but got "18000"\n' +
        '  hint: such as 127.0.0.1:18000, or [::1]:18000\n',
    ],
    [
      'serve --mesh mesh.yaml --log-level loud',
      "error: option '--log-level <level>' argument 'loud' is invalid. " +
        `Allowed choices are debug, info, warn, error, silent.\n${HELP_HINT('serve')}`,
    ],
    [
      'token',
      `error: expected one of a service, --admin, --rotate-key, --list-keys and --retire-key
  hint: countersign token payments/ledger
`,
    ],
    [
      'token web --admin',
      `error: expected one of a service, --admin, --rotate-key, --list-keys and --retire-key
  hint: countersign token payments/ledger
`,
    ],
    [
      'token --admin --instance a',
      'error: expected --instance with a service but got it without\n',
    ],
    [
      'token web --ttl 1y',
      `error: --ttl: expected a duration from 1s to 36500d but got "1y"\n${duration}`,
    ],
    [
      'token web --instance a/b',
      'error: --instance: expected a name of at most 128 letters, digits, dots, dashes, colons ' +
        'and underscores but got "a/b"\n',
    ],
    [
      'bootstrap web --address localhost',
      'error: --address: expected an IP address but got "localhost"\n',
    ],
    [
      'bootstrap web --outbound 10.0.0.0/8',
      'error: --outbound: expected a prefix within 127.0.0.0/8 but got "10.0.0.0/8"\n' +
        '  hint: an IPv4 network address with its length, such as 127.64.0.0/10 or 127.65.3.0/24\n',
    ],
    [
      'bootstrap web --xds server:0',
      'error: --xds: expected an address and port but got "server:0"\n' +
        '  hint: such as 127.0.0.1:18000, or [::1]:18000\n',
    ],
    [
      'bootstrap web --envoy-admin-port 70000',
      'error: --envoy-admin-port: expected a port from 1 to 65535 but got "70000"\n',
    ],
    [
      'cert web',
      'error: expected a service and --out, or --list\n  hint: countersign cert web --out ./tls\n',
    ],
    [
      'cert web --list',
      'error: expected a service and --out, or --list\n  hint: countersign cert web --out ./tls\n',
    ],
    [
      'cert web --out <dir> --ttl 5s',
      `error: --ttl: expected a duration from 10s to 90d but got "5s"\n${duration}`,
    ],
    ['token web --data=', 'error: --data: expected a value but got ""\n'],
    [
      'status --server 127.0.0.1',
      'error: --server: expected an address and port but got ' +
        '"127.0.0.1"\n  hint: such as 127.0.0.1:18080, or [::1]:18080\n',
    ],
    [
      'status --admin-token-file <dir>/none',
      'error: --admin-token-file: expected a file to read at <dir>/none but got ENOENT\n',
    ],
    [
      'wait --timeout soon',
      `error: --timeout: expected a duration from 0s to 7d but got "soon"\n${duration}`,
    ],
    ['hosts UPPER', `error: <service>: expected a service name but got "UPPER"\n${service}`],
    ['ca shwo', `error: unknown command 'shwo'\n(Did you mean show?)\n${HELP_HINT('ca')}`],
  ];

  test.each(rows)('%s', async (argv, stderr) => {
    expect(await new Cli().run(...argv.split(' '))).toEqual({ code: 2, stdout: '', stderr });
  });
});
