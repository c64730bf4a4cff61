import { type Command, Option } from 'commander';
import { toRfc3339 } from '../../base/index.js';
import { type DataDir, openDataDir } from '../../data/index.js';
import { readHandedOut } from '../../leaves/index.js';
import type { ServiceName } from '../../policy/index.js';
import {
  findCertificates,
  findRevokedCertificates,
  loadRevocations,
} from '../../revocation/index.js';
import { KEY_TYPES, type KeyType } from '../../spiffe/index.js';
import { type Context, toTable, writeLine } from '../../terminal/index.js';
import { issue } from '../cert-files.js';
import { createServerSource, type ServerSourceOptions } from '../cert-server.js';
import { createDataSource } from '../cert-source.js';
import { watchCertificate } from '../cert-watch.js';
import {
  dataOption,
  durationOption,
  type HostPort,
  instanceOption,
  jsonOption,
  reader,
  textReader,
  toExample,
  tryHostPort,
  usage,
} from '../options.js';
import { openP12Output, type P12Given, p12Options } from '../p12-output.js';
import { caPassphraseOption, tryCaPassphrase } from '../passphrase.js';
import { renewLeaves } from '../renewal-order.js';
import { serviceArgument } from '../service-argument.js';

interface CertOptions extends P12Given {
  readonly out?: string;
  /** Milliseconds. */
  readonly ttl: number;
  readonly xds?: HostPort;
  readonly xdsCa?: string;
  readonly tokenFile?: string;
  readonly key?: KeyType;
  readonly watch?: boolean;
  readonly list?: boolean;
  readonly renew?: boolean;
  readonly instance?: string;
  readonly json?: boolean;
  readonly caPassphraseFile?: string;
  readonly data: string;
}

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument('[service]'))
    .addOption(
      new Option(
        '--out <dir>',
        'where to write key.pem, cert.pem (leaf first) and bundle.pem',
      ).argParser(textReader('--out')),
    )
    .addOption(
      durationOption({
        flags: '--ttl <duration>',
        name: '--ttl',
        description:
          'lifetime; at most that of the issuing CA; with --xds at most what the mesh allows',
        fallback: '24h',
        range: ['10s', '90d'],
      }),
    )
    .option(
      '--watch',
      'renew it at half of its lifetime, and follow a new root at once, until stopped',
    )
    .option('--list', 'show what was handed out')
    .option('--renew', "give the service's sidecars new certificates now")
    .addOption(instanceOption('with --renew: only this instance'))
    .addOption(jsonOption())
    .addOption(caPassphraseOption())
    .addOption(dataOption());
  for (const option of [...p12Options(), ...serverSideOptions()]) command.addOption(option);
  command
    .addHelpText(
      'after',
      toExample(
        'countersign cert web --out ./tls --watch',
        'countersign cert web --out ./tls --watch --p12 ./tls/web.p12',
        'countersign cert --list',
        'countersign cert web --out ./tls --xds mesh:18000 --xds-ca xds.pem --token-file web.token',
      ),
    )
    .action((service: ServiceName | undefined, options: CertOptions, self: Command) => {
      const isDefaultTtl = self.getOptionValueSource('ttl') === 'default';
      return act(service, { ...options, isDefaultTtl }, context);
    });
}

/** For machines without a data folder. */
function serverSideOptions(): readonly Option[] {
  const file = (flags: string, name: string, what: string): Option =>
    new Option(flags, what).argParser(textReader(name));
  return [
    new Option('--xds <host:port>', 'ask a running server, at its xDS port').argParser(
      reader({
        name: '--xds',
        expected: 'an address and port',
        hint: 'such as 127.0.0.1:18000',
        read: (text) => {
          const parsed = tryHostPort(text);
          return parsed?.port === 0 ? undefined : parsed;
        },
      }),
    ),
    file(
      '--xds-ca <file>',
      '--xds-ca',
      "the anchor that proves the server's identity (`ca bundle --xds`)",
    ),
    file('--token-file <file>', '--token-file', 'a token of the service; renewals need none'),
    new Option('--key <type>', 'type of the key made with --xds (default: "ecdsa-p256")').choices(
      KEY_TYPES,
    ),
  ];
}

type Given = CertOptions & { readonly isDefaultTtl: boolean };

async function act(
  service: ServiceName | undefined,
  options: Given,
  context: Context,
): Promise<void> {
  const { out, data, list, json, xds, watch: isWatch } = options;
  const isOrder = service !== undefined && out !== undefined;
  const p12Given = options.p12 ?? options.p12PasswordFile;
  if (options.renew === true) {
    const others = [out, list, isWatch, p12Given].filter((one) => one !== undefined);
    return renewLeaves({ ...options, service, isAlone: others.length === 0 }, context);
  }
  if (options.instance !== undefined) throw usage('expected --renew with --instance');
  if (list === true ? service !== undefined || out !== undefined : !isOrder) {
    throw usage('expected a service and --out, or --list', 'countersign cert web --out ./tls');
  }
  refuseWithoutXds(options);
  const open = (): Promise<DataDir> =>
    openDataDir({ path: data, lock: false, create: false, random: context.random });
  if (!isOrder) {
    if (p12Given !== undefined) throw usage('expected --list without --p12');
    await printList(await open(), options, context);
    return;
  }
  const source =
    xds === undefined
      ? createDataSource({
          ...{ dataDir: await open(), service, ttlMs: options.ttl, context },
          passphrase: tryCaPassphrase(options.caPassphraseFile),
        })
      : createServerSource(toServerOptions({ service, out, xds, context }, options));
  const p12 = openP12Output({ given: options, service, out, random: context.random });
  const order = { service, out, json: json === true, p12 };
  if (isWatch === true) await watchCertificate(source, order, context);
  else await issue(source, order, context);
}

function refuseWithoutXds({ xds, xdsCa, tokenFile, key, list }: Given): void {
  const given = Object.entries({ '--xds-ca': xdsCa, '--token-file': tokenFile, '--key': key });
  const [stray] = given.find(([, value]) => value !== undefined) ?? [];
  if (xds === undefined && stray !== undefined) throw usage(`expected --xds with ${stray}`);
  if (xds !== undefined && list === true) throw usage('expected --list without --xds');
}

function toServerOptions(
  order: Pick<ServerSourceOptions, 'service' | 'out' | 'xds' | 'context'>,
  { xdsCa, tokenFile, key = 'ecdsa-p256', ttl, isDefaultTtl }: Given,
): ServerSourceOptions {
  if (xdsCa === undefined) {
    throw usage(
      'expected --xds-ca with --xds, since the anchor proves that it is the server',
      "print it with `countersign ca bundle --xds` on the server's data folder",
    );
  }
  return { ...order, anchorFile: xdsCa, tokenFile, key, ttlMs: isDefaultTtl ? undefined : ttl };
}

async function printList(
  dataDir: DataDir,
  { json }: CertOptions,
  { stdout, stderr, clock }: Context,
): Promise<void> {
  const revoked = await revokedSerials(dataDir, clock.now());
  const { records, damaged } = await readHandedOut(dataDir);
  for (const name of damaged) writeLine(stderr, `warning: ${name} is damaged`);
  const listed = records.map((one) => ({
    serial: one.serialHex,
    service: one.service,
    spiffeId: one.spiffeId,
    notAfter: toRfc3339(one.notAfterMs),
    ended: one.notAfterMs <= clock.now(),
    revoked: revoked.has(one.serialHex),
  }));
  if (json === true) {
    writeLine(stdout, JSON.stringify({ certificates: listed }, undefined, 2));
    return;
  }
  if (listed.length === 0) {
    writeLine(stdout, 'no certificates have been handed out');
    return;
  }
  const rows = listed.map(({ serial, service, spiffeId, notAfter, ended, revoked: isRevoked }) => {
    const mark = ended ? ' (ended)' : isRevoked ? ' (revoked)' : '';
    return [serial, service, spiffeId, `${notAfter}${mark}`];
  });
  for (const line of toTable([['SERIAL', 'SERVICE', 'SPIFFE ID', 'ENDS'], ...rows])) {
    writeLine(stdout, line);
  }
}

async function revokedSerials(dataDir: DataDir, nowMs: number): Promise<ReadonlySet<string>> {
  const revocations = await loadRevocations(dataDir);
  const { certificates } = await findCertificates(dataDir, nowMs);
  const revoked = findRevokedCertificates(revocations, certificates, nowMs);
  return new Set(revoked.map(({ serialHex }) => serialHex));
}
