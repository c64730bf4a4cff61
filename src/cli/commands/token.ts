import { type Command, Option } from 'commander';
import { tryDurationMs } from '../../base/index.js';
import { openDataDir } from '../../data/index.js';
import type { ServiceName } from '../../policy/index.js';
import type { AddressRange } from '../../server/addresses/index.js';
import { toNodeId } from '../../spiffe/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { issueToken, type SignedToken } from '../../tokens/index.js';
import { addressesOption, allowAddressOption, checkAddresses } from '../address-options.js';
import { DEFAULT_TOKEN_TTL, describeToken, signNodeToken } from '../node-token.js';
import {
  dataOption,
  durationOption,
  instanceOption,
  jsonOption,
  requireOne,
  textReader,
  toExample,
  usage,
} from '../options.js';
import { serviceArgument } from '../service-argument.js';
import { warnUndeclared } from '../stored-mesh.js';
import { type KeyOrder, orderTokenKeys } from '../token-key-commands.js';

interface TokenOptions {
  readonly admin?: boolean;
  readonly instance?: string;
  readonly address?: readonly string[];
  readonly allowAddress?: readonly AddressRange[];
  /** Milliseconds. */
  readonly ttl: number;
  readonly rotateKey?: boolean;
  /** Milliseconds. */
  readonly overlap?: number;
  readonly listKeys?: boolean;
  readonly retireKey?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly data: string;
}

const ADMIN = 'admin';
/** The default lifetime of a token, so that each holder gets a new one in the usual course. */
const DEFAULT_OVERLAP = DEFAULT_TOKEN_TTL;

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument('[service]'))
    .option('--admin', 'make a token for the admin port instead of a sidecar')
    .addOption(instanceOption('bind the token to this instance of the service'))
    .addOption(addressesOption('bind the token to sidecars at these; may be given several times'))
    .addOption(allowAddressOption())
    .addOption(
      durationOption({
        flags: '--ttl <duration>',
        name: '--ttl',
        description: 'lifetime; an open connection is never cut when it ends',
        fallback: DEFAULT_TOKEN_TTL,
        range: ['1s', '36500d'],
      }),
    )
    .option('--rotate-key', 'make a new signing key; also while a server runs')
    .addOption(overlapOption())
    .option('--list-keys', 'show the signing keys')
    .addOption(
      new Option('--retire-key <id>', 'refuse the tokens of an older key from now on').argParser(
        textReader('--retire-key'),
      ),
    )
    .option('--yes', 'with --rotate-key or --retire-key: lock out who joined by its tokens')
    .addOption(jsonOption())
    .addOption(dataOption())
    .addHelpText(
      'after',
      toExample(
        'countersign token payments/ledger > ledger.token',
        'countersign token --rotate-key --overlap 30d',
      ),
    )
    .action(async (service: ServiceName | undefined, options: TokenOptions) => {
      refuseMixture(service, options);
      const order = toKeyOrder(options);
      if (order === undefined) await printToken(service, options, context);
      else await orderTokenKeys(order, options, context);
    });
}

/** Without a default for commander, so that we know whether it was given. */
function overlapOption(): Option {
  const option = durationOption({
    flags: '--overlap <duration>',
    name: '--overlap',
    description: `with --rotate-key: how long older keys verify (default: ${DEFAULT_OVERLAP})`,
    fallback: DEFAULT_OVERLAP,
    range: ['0s', '36500d'],
  });
  return option.default(undefined);
}

function toKeyOrder(options: TokenOptions): KeyOrder | undefined {
  const { rotateKey, overlap = tryDurationMs(DEFAULT_OVERLAP) ?? 0, listKeys, retireKey } = options;
  if (rotateKey === true) return { kind: 'rotate', overlapMs: overlap };
  if (retireKey !== undefined) return { kind: 'retire', id: retireKey };
  return listKeys === true ? { kind: 'list', json: options.json === true } : undefined;
}

function refuseMixture(service: ServiceName | undefined, options: TokenOptions): void {
  const { admin, rotateKey, listKeys, retireKey, overlap, json, yes } = options;
  requireOne(
    {
      ...{ 'a service': service, '--admin': admin },
      ...{ '--rotate-key': rotateKey, '--list-keys': listKeys, '--retire-key': retireKey },
    },
    service !== undefined && admin === undefined
      ? 'the keys sign the tokens of all services: leave the service out'
      : 'countersign token payments/ledger',
  );
  for (const name of ['instance', 'address'] as const) {
    if (service !== undefined || options[name] === undefined) continue;
    throw usage(`expected --${name} with a service but got it without`);
  }
  if (yes === true && rotateKey !== true && retireKey === undefined) {
    throw usage('expected --yes with --rotate-key or --retire-key but got it without');
  }
  if (rotateKey !== true && overlap !== undefined) {
    throw usage('expected --overlap with --rotate-key but got it without');
  }
  if (listKeys !== true && json === true) {
    throw usage('expected --json with --list-keys but got it without');
  }
}

async function printToken(
  service: ServiceName | undefined,
  options: TokenOptions,
  context: Context,
): Promise<void> {
  const { instance, address } = options;
  const token =
    service === undefined
      ? await signAdminToken(options, context)
      : await signServiceToken(service, options, context);
  const holder =
    service === undefined || instance === undefined
      ? (service ?? ADMIN)
      : toNodeId({ service, instance });
  const at = address === undefined ? '' : ` at ${address.join(', ')}`;
  writeLine(context.stdout, token.token);
  writeLine(context.stderr, describeToken(token, `${holder}${at}`));
}

async function signServiceToken(
  service: ServiceName,
  { data, instance, address: addresses, allowAddress, ttl }: TokenOptions,
  context: Context,
): Promise<SignedToken> {
  const { random } = context;
  checkAddresses(addresses ?? [], allowAddress);
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  await warnUndeclared(dataDir, service, context.stderr);
  const bound = { instance, addresses };
  return signNodeToken({ ...context, dataDir, service, ...bound, ttlMs: ttl });
}

async function signAdminToken({ data, ttl }: TokenOptions, context: Context): Promise<SignedToken> {
  const { random } = context;
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  const request = { audience: 'countersign-admin', subject: ADMIN, ttlMs: ttl } as const;
  return issueToken({ ...context, dataDir }, request);
}
