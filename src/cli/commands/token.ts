import type { Command } from 'commander';
import { createTokenKeys, type SignedToken } from '../../identity/index.js';
import type { ServiceName } from '../../policy/index.js';
import { openOrMakeDataDir } from '../data-folder.js';
import { type Context, writeLine } from '../io.js';
import { DEFAULT_TOKEN_TTL, describeToken, signNodeToken } from '../node-token.js';
import { dataOption, durationOption, instanceOption, toExample, usage } from '../options.js';
import { serviceArgument } from '../service-argument.js';
import { warnUndeclared } from '../stored-mesh.js';

interface TokenOptions {
  readonly admin?: boolean;
  readonly instance?: string;
  /** Milliseconds. */
  readonly ttl: number;
  readonly data: string;
}

const ADMIN = 'admin';

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument('[service]'))
    .option('--admin', 'a token for the admin port, instead of a sidecar')
    .addOption(instanceOption('bind the token to this instance of the service'))
    .addOption(
      durationOption({
        flags: '--ttl <duration>',
        name: '--ttl',
        description: 'until it ends; a connection that stands is never cut by it',
        fallback: DEFAULT_TOKEN_TTL,
        range: ['1s', '36500d'],
      }),
    )
    .addOption(dataOption())
    .addHelpText('after', toExample('countersign token payments/ledger > ledger.token'))
    .action(async (service: ServiceName | undefined, options: TokenOptions) => {
      if ((service === undefined) !== (options.admin === true)) {
        throw usage('expected either a service or --admin', 'countersign token payments/ledger');
      }
      if (options.admin === true && options.instance !== undefined) {
        throw usage('expected --instance with a service but got it with --admin');
      }
      const token =
        service === undefined
          ? await signAdminToken(options, context)
          : await signServiceToken(service, options, context);
      const { instance } = options;
      const holder = instance === undefined ? (service ?? ADMIN) : `${service}~${instance}`;
      writeLine(context.stdout, token.token);
      writeLine(context.stderr, describeToken(token, holder));
    });
}

async function signServiceToken(
  service: ServiceName,
  { data, instance, ttl }: TokenOptions,
  context: Context,
): Promise<SignedToken> {
  const dataDir = await openOrMakeDataDir(data, context);
  await warnUndeclared(dataDir, service, context.stderr);
  return signNodeToken({ ...context, dataDir, service, instance, ttlMs: ttl });
}

async function signAdminToken({ data, ttl }: TokenOptions, context: Context): Promise<SignedToken> {
  const dataDir = await openOrMakeDataDir(data, context);
  const keys = await createTokenKeys({ ...context, dataDir });
  return keys.sign({ audience: 'countersign-admin', subject: ADMIN, ttlMs: ttl });
}
