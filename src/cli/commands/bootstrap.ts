import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { tryDurationMs } from '../../base/index.js';
import { loadOrCreateAnchorPem, XDS_SERVER_NAME } from '../../ca/xds/index.js';
import type { DataDir } from '../../data/index.js';
import { envoy } from '../../gen/bootstrap.js';
import type { ServiceName } from '../../policy/index.js';
import { DEFAULT_OUTBOUND } from '../../server/addresses/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { type BootstrapOptions, toBootstrap } from '../../translate/bootstrap/index.js';
import { provideCertificate } from '../certificate-source.js';
import { openOrMakeDataDir } from '../data-folder.js';
import { DEFAULT_TOKEN_TTL } from '../node-token.js';
import {
  DEFAULT_XDS,
  dataOption,
  type HostPort,
  hostPortOption,
  instanceOption,
  reader,
  textReader,
  toExample,
  tryPort,
} from '../options.js';
import { outboundOption } from '../outbound-option.js';
import { toProtoJson } from '../proto-json.js';
import { serviceArgument } from '../service-argument.js';
import { quote } from '../shell.js';
import { tryStoredMesh, warnUndeclared } from '../stored-mesh.js';
import { provideToken } from '../token-source.js';

interface Options {
  readonly instance?: string;
  readonly address?: string;
  readonly outbound?: string;
  readonly tokenFile?: string;
  readonly cert?: string;
  readonly xds: HostPort;
  readonly envoyAdminPort?: number;
  readonly data: string;
}

/**
 * How long after the removal of a filter chain Envoy cuts its connections; it is a flag, not
 * configuration. This is Envoy's default, printed so that users know it: a change of a port's mode
 * cuts streams that last longer. Envoy's default strategy closes HTTP connections one by one over
 * that time; immediate closes each after its next answer.
 */
const ENVOY_FLAGS = '--drain-time-s 600 --drain-strategy immediate';

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument())
    .addOption(instanceOption("this sidecar's name within its service; default: its address"))
    .addOption(
      new Option(
        '--address <ip>',
        'where it listens; default: the address that the server sees',
      ).argParser(
        reader({
          name: '--address',
          expected: 'an IP address',
          read: (text) => (isIP(text) === 0 ? undefined : text),
        }),
      ),
    )
    .addOption(outboundOption(`loopback prefix for calls; default: ${DEFAULT_OUTBOUND}`))
    .addOption(
      new Option(
        '--token-file <file>',
        'keep the token in a file, made if missing; replace it with mv, without a restart',
      ).argParser(textReader('--token-file')),
    )
    .addOption(
      new Option(
        '--cert <dir>',
        'use key.pem and cert.pem of a folder that `cert --out` made, instead of a token',
      ).argParser(textReader('--cert')),
    )
    .addOption(
      hostPortOption({
        flags: '--xds <host:port>',
        name: '--xds',
        description: "the server's xDS port, as the sidecar reaches it",
        fallback: DEFAULT_XDS,
      }),
    )
    .addOption(
      new Option('--envoy-admin-port <n>', "Envoy's own admin port, on 127.0.0.1").argParser(
        reader({ name: '--envoy-admin-port', expected: 'a port from 1 to 65535', read: tryPort }),
      ),
    )
    .addOption(dataOption())
    .addHelpText(
      'after',
      toExample(
        `envoy -c <(countersign bootstrap web) ${ENVOY_FLAGS}`,
        'countersign bootstrap payments/ledger --token-file ledger.token > ledger.json',
        'countersign bootstrap payments/ledger --cert ./tls > ledger.json',
      ),
    )
    .action((service: ServiceName, options: Options) => print(service, options, context));
}

async function print(service: ServiceName, options: Options, context: Context): Promise<void> {
  const { clock, random, stdout, stderr } = context;
  const dataDir = await openOrMakeDataDir(options.data, context);
  await warnUndeclared(dataDir, service, stderr);
  const { instance, tokenFile, cert } = options;
  // Anchor and token are made here if necessary, since a bootstrap may be made before the server's
  // first start.
  const xdsAnchorPem = await loadOrCreateAnchorPem({ dataDir, clock, random });
  const bootstrap = toBootstrap({
    ...chosen(options),
    service,
    xds: options.xds,
    xdsAnchorPem,
    xdsServerName: XDS_SERVER_NAME,
    ...(await provideProof({ service, dataDir, options, context })),
  });
  const bytes = envoy.config.bootstrap.v3.Bootstrap.encode(bootstrap).finish();
  const json = toProtoJson('envoy.config.bootstrap.v3.Bootstrap', bytes);
  writeLine(stdout, JSON.stringify(json, undefined, 2));
  writeLine(stderr, `run: envoy -c <file> ${ENVOY_FLAGS}`);
  if (tokenFile !== undefined) {
    const renewal = toRenewal({ service, instance, data: options.data, tokenFile });
    writeLine(stderr, `renew the token: ${renewal}`);
  }
  if (cert !== undefined) {
    const watch = `countersign cert ${service} --out ${quote(resolve(cert))} --watch`;
    writeLine(stderr, `renew the certificate: ${watch} --data ${quote(resolve(options.data))}`);
  }
}

interface ProofRequest {
  readonly service: ServiceName;
  readonly dataDir: DataDir;
  readonly options: Options;
  readonly context: Context;
}

/** A token, a client certificate, or both if both are asked for. */
async function provideProof(
  request: ProofRequest,
): Promise<Pick<BootstrapOptions, 'token' | 'certificate'>> {
  const { service, dataDir, options, context } = request;
  const { instance, tokenFile, cert: dir } = options;
  const ttlMs = tryDurationMs(DEFAULT_TOKEN_TTL) ?? 0;
  const toToken = () => provideToken({ ...context, dataDir, service, instance, tokenFile, ttlMs });
  if (dir === undefined) return { token: await toToken() };
  const mesh = await tryStoredMesh(dataDir);
  const certificate = await provideCertificate({ ...context, dir, service, mesh });
  return tokenFile === undefined ? { certificate } : { certificate, token: await toToken() };
}

interface Renewal {
  readonly service: ServiceName;
  readonly instance: string | undefined;
  readonly data: string;
  readonly tokenFile: string;
}

/** A shell command that renews the token, from any folder. */
function toRenewal({ service, instance, data, tokenFile }: Renewal): string {
  const [file, renewed] = [tokenFile, `${tokenFile}.new`].map((path) => quote(resolve(path)));
  const bound = instance === undefined ? '' : ` --instance ${quote(instance)}`;
  const sign = `countersign token ${service}${bound} --data ${quote(resolve(data))}`;
  return `(umask 077; ${sign} > ${renewed}) && mv ${renewed} ${file}`;
}

type Chosen = Pick<BootstrapOptions, 'instance' | 'address' | 'outbound' | 'envoyAdminPort'>;

/** Only what was given, since the server has defaults for the rest. */
function chosen({ instance, address, outbound, envoyAdminPort }: Options): Chosen {
  return {
    ...(instance === undefined ? {} : { instance }),
    ...(address === undefined ? {} : { address }),
    ...(outbound === undefined ? {} : { outbound }),
    ...(envoyAdminPort === undefined ? {} : { envoyAdminPort }),
  };
}
