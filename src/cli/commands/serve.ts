import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { formatProblem, loadMesh } from '../../policy/index.js';
import type { AddressRange } from '../../server/addresses/index.js';
import { DEFAULT_INSTANCE_LIMITS as LIMITS } from '../../server/fleet/index.js';
import { type RunningServer, startServer } from '../../server/index.js';
import { DEFAULT_OF_ADDRESS } from '../../server/join/bounds/index.js';
import { MeshProblems } from '../../server/mesh/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { allowAddressOption } from '../address-options.js';
import { toDefaultData } from '../default-data.js';
import { createLogger, LOG_LEVELS, type LogLevel } from '../logger.js';
import {
  DEFAULT_ADMIN,
  DEFAULT_XDS,
  formatHostPort,
  type HostPort,
  hostPortOption,
  reader,
  textReader,
  toExample,
} from '../options.js';
import { caPassphraseOption, tryCaPassphrase } from '../passphrase.js';
import { count } from '../problems.js';

interface ServeOptions {
  readonly mesh: string;
  readonly data?: string;
  readonly xds: HostPort;
  readonly admin: HostPort;
  readonly apply: 'auto' | 'manual';
  readonly logLevel: LogLevel;
  readonly caPassphraseFile?: string;
  readonly clockOk?: boolean;
  readonly allowAddress?: readonly AddressRange[];
  readonly maxInstances: number;
  readonly maxInstancesPerToken: number;
  readonly maxConnectionsPerAddress: number;
  readonly newAuthority?: boolean;
  readonly newTokenKeys?: boolean;
  readonly newXdsAnchor?: boolean;
  readonly forgetRevocations?: boolean;
}

export function define(command: Command, context: Context): void {
  const listening = { anyPort: true };
  command
    .addOption(
      new Option('--mesh <path>', 'mesh.yaml, or a folder of *.yaml; read again when it changes')
        .env('COUNTERSIGN_MESH')
        .makeOptionMandatory()
        .argParser(textReader('--mesh')),
    )
    .addOption(
      new Option('--data <dir>', 'the data folder; default: .countersign beside the mesh file')
        .env('COUNTERSIGN_DATA')
        .argParser(textReader('--data')),
    )
    .addOption(
      hostPortOption({
        ...listening,
        flags: '--xds <host:port>',
        name: '--xds',
        description: 'where sidecars connect',
        fallback: DEFAULT_XDS,
        env: 'COUNTERSIGN_XDS',
      }),
    )
    .addOption(
      hostPortOption({
        ...listening,
        flags: '--admin <host:port>',
        name: '--admin',
        description: 'where commands connect',
        fallback: DEFAULT_ADMIN,
        env: 'COUNTERSIGN_ADMIN',
      }),
    )
    .addOption(applyOption())
    .addOption(caPassphraseOption())
    .addOption(allowAddressOption())
    .addOption(countOption('--max-instances', 'sidecars of one service at once', LIMITS.perService))
    .addOption(
      countOption('--max-instances-per-token', 'sidecars by one at once', LIMITS.perCredential),
    )
    .addOption(
      countOption('--max-connections-per-address', 'to the xDS port at once', DEFAULT_OF_ADDRESS),
    )
    .option('--clock-ok', 'the time of day is right, whatever was seen before')
    .option('--new-authority', 'the CA is lost: make a new one, which nobody trusts yet')
    .option('--new-token-keys', 'the token keys are lost: make new ones, and every token is void')
    .option('--new-xds-anchor', 'the xDS anchor is lost: every sidecar needs a new bootstrap')
    .option('--forget-revocations', 'the revocations are lost: start with nobody shut out')
    .addOption(
      new Option('--log-level <level>', 'what is logged to stderr')
        .choices(LOG_LEVELS)
        .default('info')
        .env('COUNTERSIGN_LOG_LEVEL'),
    )
    .addHelpText('after', toExample('countersign serve --mesh mesh.yaml'))
    .action((options: ServeOptions) => serve(options, context));
}

function countOption(name: string, description: string, fallback: number): Option {
  const env = `COUNTERSIGN_${name.slice(2).toUpperCase().replaceAll('-', '_')}`;
  return new Option(`${name} <n>`, description)
    .env(env)
    .default(fallback)
    .argParser(
      reader({
        name,
        expected: 'a number from 1 to 1000000',
        read: (text) => (/^[1-9]\d{0,5}$|^1000000$/.test(text) ? Number(text) : undefined),
      }),
    );
}

function applyOption(): Option {
  const read = reader({
    name: '--apply',
    expected: 'auto or manual',
    read: (text) => (text === 'auto' || text === 'manual' ? text : undefined),
  });
  const description =
    'auto: a changed mesh is put in force at once; manual: on `countersign apply`';
  return new Option('--apply <how>', description)
    .env('COUNTERSIGN_APPLY')
    .default('auto')
    .argParser(read);
}

async function serve(options: ServeOptions, context: Context): Promise<void> {
  const { stdout, stderr } = context;
  const dataPath = options.data ?? toDefaultData(options.mesh);
  let cancel = (): void => {};
  // Listens from the beginning: a stop during the start ends the server as soon as it is up.
  const stopped = new Promise<void>((resolve) => {
    cancel = context.onStop(resolve);
  });
  try {
    if (!existsSync(dataPath)) refuseBadMesh(options.mesh);
    const caPassphrase = tryCaPassphrase(options.caPassphraseFile);
    const server = await startServer({
      ...(caPassphrase === undefined ? {} : { caPassphrase }),
      meshPath: options.mesh,
      dataPath,
      xds: options.xds,
      admin: options.admin,
      logger: createLogger(stderr, options.logLevel),
      isManual: options.apply === 'manual',
      isClockRight: options.clockOk === true,
      allowedAddresses: options.allowAddress ?? [],
      maxInstances: {
        perService: options.maxInstances,
        perCredential: options.maxInstancesPerToken,
      },
      connectionsOfAddress: options.maxConnectionsPerAddress,
      anew: toAnew(options),
    });
    writeLine(stdout, describeAuthority(server.authority, dataPath));
    const [xds, admin] = [server.xdsAddress, server.adminAddress].map(formatHostPort);
    const mesh = describeMesh(options.mesh, server.mesh);
    writeLine(stdout, `ready: xds ${xds}, admin ${admin}, mesh ${mesh}`);
    await stopped;
    await server.close();
  } catch (error) {
    if (!(error instanceof MeshProblems)) throw error;
    for (const problem of error.problems) writeLine(stderr, formatProblem(problem));
    const errors = error.problems.filter(({ severity }) => severity === 'error').length;
    writeLine(stderr, `error: expected a mesh to start from but got ${count(errors, 'error')}`);
    context.exitCode = 2;
  } finally {
    cancel();
  }
}

/** What is lost, and the operator goes on without. */
function toAnew(options: ServeOptions) {
  const wanted = {
    authority: options.newAuthority,
    tokenKeys: options.newTokenKeys,
    xdsAnchor: options.newXdsAnchor,
    revocations: options.forgetRevocations,
  } as const;
  const all = ['authority', 'tokenKeys', 'xdsAnchor', 'revocations'] as const;
  return all.filter((one) => wanted[one] === true);
}

function describeAuthority(
  { created, outsideUrl }: RunningServer['authority'],
  dataPath: string,
): string {
  if (outsideUrl !== undefined) return `using the CA at ${outsideUrl}`;
  return `${created ? 'created a new CA in' : 'loaded CA from'} ${dataPath}`;
}

/** Also says if something else than the file is in force; the server has logged what is wrong. */
function describeMesh(path: string, { version, problems }: RunningServer['mesh']): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  if (errors === 0) return path;
  return `${path} (${count(errors, 'error')}: the last good mesh, ${version}, is in force)`;
}

/**
 * Before a first start, so that a mistyped path leaves no data folder behind.
 * @throws MeshError mesh-unreadable, mesh-invalid (MeshProblems)
 */
function refuseBadMesh(path: string): void {
  const { mesh, problems } = loadMesh(path);
  if (mesh === undefined) throw new MeshProblems(problems);
}
