import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { tryDurationMs } from '../../base/index.js';
import { loadOrCreateAnchorPem, XDS_SERVER_NAME } from '../../ca/xds/index.js';
import { type DataDir, openDataDir } from '../../data/index.js';
import { envoy } from '../../gen/bootstrap.js';
import type { ServiceName } from '../../policy/index.js';
import { type AddressRange, DEFAULT_OUTBOUND } from '../../server/addresses/index.js';
import { type Context, type Output, writeLine } from '../../terminal/index.js';
import {
  type BootstrapOptions,
  toBootstrap,
  toStaticPart,
} from '../../translate/bootstrap/index.js';
import { assertNoLoop, checkedPorts } from '../../translate/index.js';
import {
  addressOption,
  allowAddressOption,
  checkAddresses,
  listenOption,
} from '../address-options.js';
import {
  type BootstrapFolder,
  type FolderGiven,
  folderOptions,
  type NamedFile,
  toFolder,
  writeFolder,
  writeStaticPart,
} from '../bootstrap-folder.js';
import { toRemarks } from '../bootstrap-remarks.js';
import { provideCertificate } from '../certificate-source.js';
import { toEnvoyCommand } from '../envoy-command.js';
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
  usage,
} from '../options.js';
import { checkListed, outboundOption } from '../outbound-option.js';
import { toProtoJson } from '../proto-json.js';
import { checkSecretsOnly, secretsOnlyOption } from '../secrets-only-option.js';
import { serviceArgument } from '../service-argument.js';
import { tryStoredMesh, warnUndeclared } from '../stored-mesh.js';
import { provideToken } from '../token-source.js';

interface Options extends FolderGiven {
  readonly instance?: string;
  readonly address?: string;
  readonly allowAddress?: readonly AddressRange[];
  readonly listen?: 'any';
  readonly outbound?: string;
  readonly tokenFile?: string;
  readonly cert?: string;
  readonly xds: HostPort;
  readonly envoyAdminPort?: number;
  readonly secretsOnly?: boolean;
  readonly statistics: boolean;
  readonly data: string;
}

/** Of a folder. */
const TOKEN_FILE = 'token';

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument())
    .addOption(instanceOption("this sidecar's name within its service; default: its address"))
    .addOption(addressOption('where it listens; default: the address that the server sees'))
    .addOption(listenOption())
    .addOption(allowAddressOption())
    .addOption(
      outboundOption(
        `loopback prefix for calls, or callees: ledger=<ip>,...; default: ${DEFAULT_OUTBOUND}`,
      ),
    )
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
    .addOption(secretsOnlyOption())
    .addOption(
      new Option('--no-statistics', 'without its own word on what is in force (Envoy before 1.37)'),
    )
    .addOption(dataOption());
  for (const option of folderOptions()) command.addOption(option);
  command
    .addHelpText(
      'after',
      toExample(
        toEnvoyCommand('<(countersign bootstrap web)'),
        'countersign bootstrap payments/ledger --out ledger && ledger/run.sh',
        'countersign bootstrap payments/ledger --token-file ledger.token > ledger.json',
        'countersign bootstrap payments/ledger --cert ./tls > ledger.json',
        'countersign bootstrap gateway --secrets-only --out gateway',
      ),
    )
    .action((service: ServiceName, options: Options) => print(service, options, context));
}

async function print(service: ServiceName, options: Options, context: Context): Promise<void> {
  const { clock, random, stdout, stderr } = context;
  const { tokenFile, cert, data, address, allowAddress, secretsOnly = false } = options;
  const folder = toFolder(options);
  if (folder !== undefined && tokenFile !== undefined) {
    throw usage('expected --out or --token-file but got both', 'the folder of --out has its own');
  }
  checkSecretsOnly(options);
  if (address !== undefined) checkAddresses([address], allowAddress);
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  await warnUndeclared(dataDir, service, stderr);
  if (!secretsOnly) await checkPlaces(service, dataDir, { options, stderr });
  const xdsAnchorPem = await loadOrCreateAnchorPem({ dataDir, clock, random });
  const bootstrap = (secretsOnly ? toStaticPart : toBootstrap)({
    ...chosen(options),
    service,
    xds: options.xds,
    xdsAnchorPem,
    xdsServerName: XDS_SERVER_NAME,
    reportsHealth: await hasHealth(dataDir, service),
    reportsStatistics: options.statistics,
    ...(await provideProof({ service, dataDir, options, folder, context })),
  });
  const bytes = envoy.config.bootstrap.v3.Bootstrap.encode(bootstrap).finish();
  const json = toProtoJson('envoy.config.bootstrap.v3.Bootstrap', bytes);
  const text = `${JSON.stringify(json, undefined, 2)}\n`;
  if (folder === undefined) stdout.write(text);
  const script =
    folder === undefined
      ? undefined
      : await (secretsOnly ? writeStaticPart : writeFolder)(folder, {
          ...{ json: text, xdsAnchorPem, random },
        });
  if (folder !== undefined) writeLine(stdout, `wrote ${folder.path}, which may be copied anywhere`);
  for (const remark of toRemarks({ ...options, service, cert, folder, script })) {
    writeLine(stderr, remark);
  }
}

/**
 * On the server's own host a sidecar without an address is seen at the loopback address, where its
 * application listens. The server refuses that too, and gives no two callees one place.
 * @throws MeshError address-in-use, usage
 */
async function checkPlaces(
  name: ServiceName,
  dataDir: DataDir,
  { options, stderr }: { readonly options: Options; readonly stderr: Output },
): Promise<void> {
  const mesh = await tryStoredMesh(dataDir);
  const service = mesh?.services.get(name);
  if (mesh === undefined || service === undefined) return;
  const { outbound: text, listen = 'address', xds } = options;
  const address = options.address ?? toLoopback(xds.host);
  assertNoLoop(service, { address, listen });
  for (const callee of checkListed({ text, mesh, service, address, listen })) {
    writeLine(stderr, `warning: --outbound: the mesh in force declares no service "${callee}"`);
  }
}

/** From where a connection to a loopback address comes; undefined for any other address. */
function toLoopback(host: string): string | undefined {
  if (host === '::1') return host;
  return host === 'localhost' || (isIP(host) === 4 && host.startsWith('127.'))
    ? '127.0.0.1'
    : undefined;
}

interface ProofRequest {
  readonly service: ServiceName;
  readonly dataDir: DataDir;
  readonly options: Options;
  readonly folder: BootstrapFolder | undefined;
  readonly context: Context;
}

/** A token, a client certificate, or both if both are asked for. */
async function provideProof(
  request: ProofRequest,
): Promise<Pick<BootstrapOptions, 'token' | 'certificate'>> {
  const { service, dataDir, options, folder, context } = request;
  const { instance, cert: dir } = options;
  const ttlMs = tryDurationMs(DEFAULT_TOKEN_TTL) ?? 0;
  const tokenFile = folder?.toFile(TOKEN_FILE) ?? toNamedFile(options.tokenFile);
  const toToken = () => provideToken({ ...context, dataDir, service, instance, tokenFile, ttlMs });
  if (dir === undefined) return { token: await toToken() };
  const mesh = await tryStoredMesh(dataDir);
  const certificate = await provideCertificate({ ...context, dir, folder, service, mesh });
  return options.tokenFile === undefined
    ? { certificate }
    : { certificate, token: await toToken() };
}

function toNamedFile(file: string | undefined): NamedFile | undefined {
  if (file === undefined) return undefined;
  const path = resolve(file);
  return { path, named: path };
}

type Chosen = Pick<
  BootstrapOptions,
  'instance' | 'address' | 'listen' | 'outbound' | 'envoyAdminPort'
>;

/** Only what was given, since the server has defaults for the rest. */
function chosen({ instance, address, listen, outbound, envoyAdminPort }: Options): Chosen {
  return {
    ...(instance === undefined ? {} : { instance }),
    ...(address === undefined ? {} : { address }),
    ...(listen === undefined ? {} : { listen }),
    ...(outbound === undefined ? {} : { outbound }),
    ...(envoyAdminPort === undefined ? {} : { envoyAdminPort }),
  };
}

/** Whether a port of the service says where its application tells how it is. */
async function hasHealth(dataDir: DataDir, service: ServiceName): Promise<boolean> {
  return checkedPorts((await tryStoredMesh(dataDir))?.services.get(service)).length > 0;
}
