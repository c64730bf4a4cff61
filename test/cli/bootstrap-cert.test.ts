import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;
/** Apart from the application's, which is on 127.0.0.1. */
const AT = ['--address', '127.1.0.1'] as const;
const CERT = ['--cert', '<dir>/tls'] as const;

let cli: Cli;
beforeEach(async () => {
  cli = new Cli();
  await cli.prepareData();
});

interface Printed {
  readonly dynamic_resources: {
    readonly ads_config: {
      readonly grpc_services: readonly { readonly initial_metadata?: unknown }[];
    };
  };
  readonly static_resources: {
    readonly clusters: readonly {
      readonly transport_socket: {
        readonly typed_config: {
          readonly common_tls_context: { readonly tls_certificate_sds_secret_configs?: unknown };
        };
      };
    }[];
  };
}

function secretsOf(stdout: string): unknown {
  const { static_resources } = JSON.parse(stdout) as Printed;
  const [cluster] = static_resources.clusters;
  return cluster?.transport_socket.typed_config.common_tls_context
    .tls_certificate_sds_secret_configs;
}

describe('bootstrap --cert', () => {
  test('the pair is named by an SDS file beside it, and no token is made', async () => {
    await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
    const { code, stdout, stderr } = await cli.run('bootstrap', 'web', ...AT, ...CERT, ...DATA);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr:
        'run: envoy -c <file> --drain-time-s 600 --drain-strategy immediate ' +
        '--disable-hot-restart\n' +
        'renew the certificate: countersign cert web --out <dir>/tls --watch --data <dir>/data\n',
    });
    expect(secretsOf(stdout)).toEqual([
      {
        name: 'countersign-certificate',
        sds_config: {
          path_config_source: { path: '<dir>/tls/xds-client.sds.json' },
          resource_api_version: 'V3',
        },
      },
    ]);
    const { dynamic_resources } = JSON.parse(stdout) as Printed;
    const [service] = dynamic_resources.ads_config.grpc_services;
    expect(service?.initial_metadata).toBeUndefined();
    expect(JSON.parse(readFileSync(cli.path('tls/xds-client.sds.json'), 'utf8'))).toEqual({
      resources: [
        {
          '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
          name: 'countersign-certificate',
          tls_certificate: {
            certificate_chain: { filename: cli.path('tls/cert.pem') },
            private_key: { filename: cli.path('tls/key.pem') },
            watched_directory: { path: cli.path('tls') },
          },
        },
      ],
    });
    expect(statSync(cli.path('tls/xds-client.sds.json')).mode & 0o777).toBe(0o600);
    expect(stdout).not.toContain('PRIVATE');
  });

  test('with --token-file both are used', async () => {
    await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
    const token = ['--token-file', '<dir>/web.token'] as const;
    const { code, stdout } = await cli.run('bootstrap', 'web', ...AT, ...CERT, ...token, ...DATA);
    expect(code).toBe(0);
    expect(secretsOf(stdout)).toHaveLength(1);
    expect(stdout).toContain('"path": "<dir>/web.token.sds.json"');
  });

  test('without it nothing of a certificate is printed', async () => {
    const { stdout } = await cli.run('bootstrap', 'web', ...AT, ...DATA);
    expect(secretsOf(stdout)).toBeUndefined();
  });

  test('a pair that has ended is refused', async () => {
    await cli.run('cert', 'web', '--out', '<dir>/tls', '--ttl', '1h', ...DATA);
    cli.clock.advance(3_600_000);
    const { code, stderr } = await cli.run('bootstrap', 'web', ...AT, ...CERT, ...DATA);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: the client certificate: expected a certificate in force but /);
  });

  test('of two files that can not be read the key is named each time', async () => {
    // It is opened before it shows that it is none: the other fails sooner.
    mkdirSync(cli.path('tls/key.pem'), { recursive: true });
    const { code, stderr } = await cli.run('bootstrap', 'web', ...AT, ...CERT, ...DATA);
    expect(code).toBe(2);
    expect(stderr).toContain('expected a file to read at <dir>/tls/key.pem but got EISDIR');
  });

  test.each<[string, (cli: Cli) => void]>([
    ['that do not belong together', () => undefined],
    ['of which one is no PEM', (one) => void one.write('tls/key.pem', 'SECRET')],
  ])('files %s are refused, and not repeated', async (_name, spoil) => {
    await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
    const key = readFileSync(cli.path('tls/key.pem'), 'utf8');
    await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
    cli.write('tls/key.pem', key);
    spoil(cli);
    expect(await cli.run('bootstrap', 'web', ...AT, ...CERT, ...DATA)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: expected key.pem and cert.pem in <dir>/tls to belong together but they do not\n' +
        '  hint: make them first: countersign cert web --out <dir>/tls --watch\n',
    });
  });
});
