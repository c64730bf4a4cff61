// Bootstraps of sidecars that are in containers of their own, in front of their applications.
import { beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createApi } from '../../src/server/status/api.js';
import { meshOf } from '../policy/helpers.js';
import { Cli } from './cli.js';

const MESH = `trustDomain: shop.example
services:
  web: { ports: { 8080: { protocol: http, target: "web-application:8080" } } }
  db: { ports: { 5432: tcp, 8080: http } }
  payments/ledger: { ports: { 8080: http } }
`;
const DATA = ['--data', '<dir>/data'] as const;

let cli: Cli;
beforeEach(async () => {
  cli = new Cli();
  const data = await cli.makeData();
  await data.write('mesh.json', JSON.stringify([{ path: 'mesh.yaml', text: MESH }]));
  await data.write('mesh.yaml', MESH);
});

const bootstrap = (...argv: readonly string[]) => cli.run('bootstrap', ...argv, ...DATA);

describe('bootstrap', () => {
  test('says where it listens, and for whom, as it was asked', async () => {
    const list = 'payments/ledger=198.18.0.2,db=198.18.0.3';
    const { stdout, code } = await bootstrap('web', '--listen', 'any', '--outbound', list);
    expect(code).toBe(0);
    const { node } = JSON.parse(stdout) as { node: { metadata: unknown } };
    expect(node.metadata).toEqual({ countersign: { listen: 'any', outbound: list } });
  });

  test('names callees that nobody declares, and goes on', async () => {
    const { stderr, code } = await bootstrap('web', '--outbound', 'nobody=198.18.0.2');
    expect(code).toBe(0);
    expect(stderr).toContain(
      'warning: --outbound: the mesh in force declares no service "nobody"\n',
    );
  });

  const clash = (place: string, holder: string, callee: string): string =>
    `error: --outbound: expected one listener at ${place} but got ${holder} and ${callee}\n` +
    `  hint: give ${callee} another address of this sidecar\n`;
  test.each([
    [
      ['--outbound', 'payments/ledger=198.18.0.2,db=198.18.0.2'],
      clash('198.18.0.2:8080', 'db:8080', 'payments/ledger:8080'),
    ],
    [
      ['--outbound', 'db=10.0.0.7', '--address', '10.0.0.7'],
      clash('10.0.0.7:8080', 'inbound:8080', 'db:8080'),
    ],
  ])('refuses two listeners at one place: %j', async (argv, stderr) => {
    expect(await bootstrap('web', ...argv)).toEqual({ code: 2, stdout: '', stderr });
  });

  test('refuses to listen everywhere with an application on loopback', async () => {
    const refused = await bootstrap('db', '--listen', 'any', '--xds', 'countersign:18000');
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected the application of "db" elsewhere than at 127.0.0.1:5432, where its ' +
        'sidecar listens too: it would call itself forever\n' +
        '  hint: a sidecar with `bootstrap --listen any` needs a network namespace of its own: ' +
        'give its application a name or address outside of that (target in mesh.yaml)\n',
    });
  });
});

describe('render', () => {
  const render = (...argv: readonly string[]) =>
    cli.run('render', '<dir>/data/mesh.yaml', 'web', '--type', 'lds', ...argv);

  test('shows the listeners of such a sidecar', async () => {
    const { stdout } = await render('--listen', 'any', '--outbound', 'payments/ledger=198.18.0.2');
    const { resources } = parse(stdout) as {
      resources: { name: string; address: { socket_address: { address: string } } }[];
    };
    expect(resources.map(({ name, address: at }) => [name, at.socket_address.address])).toEqual([
      ['mesh', '0.0.0.0'],
      ['inbound:8080', '0.0.0.0'],
      ['outbound:payments/ledger:8080', '198.18.0.2'],
    ]);
  });

  test('refuses two listeners at one place', async () => {
    const { code, stderr } = await render('--outbound', 'payments/ledger=::1,db=198.18.0.2');
    expect({ code, stderr }).toMatchObject({ code: 2 });
    const both = await render('--outbound', 'payments/ledger=198.18.0.2,db=198.18.0.2');
    expect(both.stderr).toContain('expected one listener at 198.18.0.2:8080');
  });
});

describe('hosts of a list', () => {
  const ask = (query: string) => {
    const wait = { meshState: () => ({ mesh: meshOf(MESH) }) };
    const api = createApi({ wait, indexes: { get: () => 7 } } as never);
    const reply = api.get('/v1/hosts')?.({ query: new URLSearchParams(query) } as never);
    return JSON.parse((reply as { body: string }).body) as unknown;
  };

  test('are its callees, as far as the mesh declares them', () => {
    expect(ask('outbound=payments/ledger=198.18.0.2,nobody=198.18.0.3')).toEqual({
      entries: [
        {
          address: '198.18.0.2',
          service: 'payments/ledger',
          names: ['ledger.payments', 'ledger.payments.mesh'],
        },
      ],
    });
  });

  test('are nothing that is not listed', () => {
    expect(() => ask('service=web&outbound=db=198.18.0.3')).toThrow(
      'expected a callee of the list but got "web"',
    );
  });
});
