import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;
const ALONE = ['bootstrap', 'web', '--secrets-only'] as const;

let cli: Cli;
beforeEach(async () => {
  cli = new Cli();
  await cli.prepareData();
});

interface Part {
  readonly node: { readonly id: string };
  readonly static_resources: { readonly clusters: readonly { readonly name: string }[] };
}

describe('bootstrap --secrets-only', () => {
  test('is a part for an Envoy of somebody’s own: its node and our cluster', async () => {
    const out = ['--out', '<dir>/web'] as const;
    const { code, stdout, stderr } = await cli.run(...ALONE, ...out, ...DATA);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'wrote <dir>/web, which may be copied anywhere\n',
    });
    expect(stderr).toContain('run: envoy -c <yours> --config-yaml "$(cat <dir>/web/node.json)"\n');
    expect(stderr).toContain('renew the token: ');
    expect(readdirSync(cli.path('web')).sort()).toEqual([
      ...['node.json', 'token', 'token.sds.json', 'xds.pem'],
    ]);
    const part = JSON.parse(readFileSync(cli.path('web/node.json'), 'utf8')) as Part;
    expect(Object.keys(part)).toEqual(['node', 'static_resources']);
    expect(part.node.id).toBe('web');
    expect(part.static_resources.clusters.map(({ name }) => name)).toEqual(['countersign-xds']);
    expect(statSync(cli.path('web/token')).mode & 0o777).toBe(0o600);
    const text = JSON.stringify(part);
    expect(text).toContain('"./token.sds.json"');
    expect(text).not.toContain(readFileSync(cli.path('web/token'), 'utf8').trim());
  });

  test('without a folder it is printed, and its token is in the file that is named', async () => {
    const file = ['--token-file', '<dir>/web.token', '--instance', 'a'] as const;
    const { code, stdout, stderr } = await cli.run(...ALONE, ...file, ...DATA);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as Part).node.id).toBe('web~a');
    expect(stderr).toContain('run: envoy -c <yours> --config-yaml "$(cat <file>)"\n');
    expect(existsSync(cli.path('web.token'))).toBe(true);
  });

  test('where a sidecar would call itself it is as good as anywhere', async () => {
    expect((await cli.run('bootstrap', 'web', ...DATA)).code).toBe(1);
    expect((await cli.run(...ALONE, '--out', '<dir>/web', ...DATA)).code).toBe(0);
  });
});

describe('bootstrap --secrets-only is refused', () => {
  test.each([
    [['--address', '127.1.0.1'], '--address'],
    [['--listen', 'any'], '--listen'],
    [['--outbound', 'none'], '--outbound'],
    [['--envoy-admin-port', '19000'], '--envoy-admin-port'],
  ])('%s is for the Envoy itself to say', async (more, flag) => {
    const out = ['--out', '<dir>/web'] as const;
    expect(await cli.run(...ALONE, ...out, ...more, ...DATA)).toEqual({
      code: 2,
      stdout: '',
      stderr:
        `error: expected --secrets-only or ${flag} but got both\n` +
        '  hint: that is for the Envoy itself to say\n',
    });
  });

  test('where its token would be in what is printed', async () => {
    expect(await cli.run(...ALONE, ...DATA)).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: expected --secrets-only with --out, --token-file or --cert but got it alone\n' +
        '  hint: the token is in a file of its own, to be renewed without a restart\n',
    });
  });
});
