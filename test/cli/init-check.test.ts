import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Cli, MESH } from './cli.js';

describe('init', () => {
  test('writes a mesh that check accepts', async () => {
    const cli = new Cli();
    expect(await cli.run('init', '<dir>/new')).toEqual({
      code: 0,
      stdout: 'wrote <dir>/new/mesh.yaml\nnext: countersign check <dir>/new/mesh.yaml\n',
      stderr: '',
    });
    const { code, stderr } = await cli.run('check', '<dir>/new/mesh.yaml', '--strict');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('quotes the path for the next command', async () => {
    expect(await new Cli().run('init', "<dir>/a b's")).toMatchObject({
      stdout:
        "wrote <dir>/a b's/mesh.yaml\n" + "next: countersign check '<dir>/a b'\\''s/mesh.yaml'\n",
    });
  });

  test('never replaces a mesh', async () => {
    const cli = new Cli();
    cli.write('mesh.yaml', 'mine');
    expect(await cli.run('init', '<dir>')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected no file at <dir>/mesh.yaml but there is one\n' +
        '  hint: it is left as it is: name another folder, or move that file away\n',
    });
    expect(readFileSync(cli.path('mesh.yaml'), 'utf8')).toBe('mine');
  });

  test('into a file', async () => {
    const cli = new Cli();
    cli.write('file', '');
    expect(await cli.run('init', '<dir>/file')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected to write <dir>/file/mesh.yaml but <dir>/file is not a folder\n' +
        '  hint: name a folder\n',
    });
  });
});

describe('check', () => {
  const EXEMPT =
    'trustDomain: a\nmtls: strict\nservices:\n  web:\n    mtls: disable\n    ports: { 80: http }\n';
  const EXEMPTION =
    '<dir>/mesh.yaml:5:5 services.web.mtls: exemption: ' +
    'disable inside the strict scope of <dir>/mesh.yaml:2:1\n';

  test('a good mesh', async () => {
    const cli = new Cli();
    cli.write('mesh.yaml', MESH);
    expect(await cli.run('check', '<dir>/mesh.yaml')).toEqual({
      code: 0,
      stdout: '<dir>/mesh.yaml: 3 services, 3 ports; no problems\n',
      stderr: '',
    });
  });

  test('every error at once, with place and hint', async () => {
    const cli = new Cli();
    cli.write(
      'mesh.yaml',
      'trustDomain: a\nservices:\n  web: { mtls: stirct }\n  b: { prots: {} }\n',
    );
    const { code, stdout, stderr } = await cli.run('check', '<dir>/mesh.yaml');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '<dir>/mesh.yaml: 2 errors\n' });
    expect(stderr).toBe(
      '<dir>/mesh.yaml:3:10 services.web.mtls: expected strict, permissive or disable but got ' +
        '"stirct" (did you mean "strict"?)\n' +
        '<dir>/mesh.yaml:4:8 services.b.prots: unknown key "prots" (did you mean "ports"?)\n',
    );
  });

  test('a warning leaves the exit code at 0', async () => {
    const cli = new Cli();
    cli.write('mesh.yaml', 'trustDomain: a\nservices:\n  web:\n    certificates: { ttl: 1m }\n');
    const { code, stdout, stderr } = await cli.run('check', '<dir>/mesh.yaml', '--strict');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: '<dir>/mesh.yaml: 1 service, 0 ports; 1 warning\n',
    });
    expect(stderr).toMatch(/^<dir>\/mesh\.yaml:4:21 services\.web\.certificates\.ttl: warning: /);
  });

  test('a namespace that no service has passes, but not --strict', async () => {
    const cli = new Cli();
    const text =
      'trustDomain: a\nnamespaces: { shpo: { mtls: strict } }\nservices: { shop/a: {} }\n';
    cli.write('mesh.yaml', text);
    const at = '<dir>/mesh.yaml:2:15 namespaces.shpo:';
    const problem = 'no service is in namespace shpo (did you mean "shop"?)\n';
    expect(await cli.run('check', '<dir>/mesh.yaml')).toEqual({
      code: 0,
      stdout: '<dir>/mesh.yaml: 1 service, 0 ports; 1 warning\n',
      stderr: `${at} warning: ${problem}`,
    });
    expect(await cli.run('check', '<dir>/mesh.yaml', '--strict')).toEqual({
      code: 1,
      stdout: '<dir>/mesh.yaml: 1 service, 0 ports; 1 error\n',
      stderr: `${at} ${problem}`,
    });
  });

  test('an exemption is listed, and fails --strict only', async () => {
    const cli = new Cli();
    cli.write('mesh.yaml', EXEMPT);
    const stdout = `${EXEMPTION}<dir>/mesh.yaml: 1 service, 1 port; 1 exemption\n`;
    const plain = await cli.run('check', '<dir>/mesh.yaml');
    expect(plain).toEqual({ code: 0, stdout, stderr: '' });
    const strict = await cli.run('check', '<dir>/mesh.yaml', '--strict');
    expect(strict).toEqual({ code: 1, stdout, stderr: '' });
  });

  test('--json', async () => {
    const cli = new Cli();
    cli.write('mesh.yaml', 'trustDomain: a\nservices:\n  web: { mtls: stirct }\n');
    const bad = await cli.run('check', '<dir>/mesh.yaml', '--json');
    expect({ ...bad, stdout: JSON.parse(bad.stdout) }).toEqual({
      code: 1,
      stderr: '',
      stdout: {
        mesh: null,
        problems: [
          {
            severity: 'error',
            place: '<dir>/mesh.yaml:3:10',
            path: 'services.web.mtls',
            message:
              'expected strict, permissive or disable but got "stirct" (did you mean "strict"?)',
          },
        ],
      },
    });
    const none = await cli.run('check', '<dir>/none.yaml', '--json');
    expect({ ...none, stdout: JSON.parse(none.stdout) }).toEqual({
      code: 2,
      stderr: '',
      stdout: {
        mesh: null,
        problems: [
          {
            severity: 'error',
            place: '<dir>/none.yaml:1:1',
            path: '',
            message: 'expected a mesh file or folder at <dir>/none.yaml but got nothing at all',
            hint: '`countersign init` writes a mesh.yaml to start from',
          },
        ],
      },
    });
    cli.write('mesh.yaml', MESH);
    const good = await cli.run('check', '<dir>/mesh.yaml', '--json');
    expect({ ...good, stdout: JSON.parse(good.stdout) }).toEqual({
      code: 0,
      stderr: '',
      stdout: {
        mesh: {
          version: expect.stringMatching(/^[0-9a-f]{12}$/),
          services: ['legacy', 'payments/ledger', 'web'],
        },
        problems: [],
      },
    });
  });
});
