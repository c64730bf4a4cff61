import { type Command, Option } from 'commander';
import type { ServiceName } from '../../policy/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { ask } from '../admin-client.js';
import { changeHosts } from '../hosts-block.js';
import {
  jsonOption,
  type ServerOptions,
  serverOptions,
  textReader,
  toExample,
  usage,
} from '../options.js';
import { outboundOption } from '../outbound-option.js';
import { openSystemFile } from '../replace-in-place.js';
import { serviceArgument } from '../service-argument.js';

interface HostsOptions extends ServerOptions {
  readonly outbound?: string;
  readonly json?: boolean;
  readonly update?: string;
}

interface Hosts {
  readonly entries: readonly {
    readonly address: string;
    readonly service: string;
    readonly names: readonly string[];
  }[];
}

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument('[service]'))
    .addOption(outboundOption("the sidecar's own prefix or list (`bootstrap --outbound`)"))
    .addOption(
      new Option(
        '--update <file>',
        'put them into this hosts file, in a marked block that each run replaces',
      ).argParser(textReader('--update')),
    )
    .addOption(jsonOption());
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText('after', toExample('countersign hosts', 'countersign hosts --update /etc/hosts'))
    .action(async (service: ServiceName | undefined, options: HostsOptions) => {
      refuseBoth(service, options);
      const query = new URLSearchParams();
      if (service !== undefined) query.set('service', service);
      if (options.outbound !== undefined) query.set('outbound', options.outbound);
      const path = query.size === 0 ? '/v1/hosts' : `/v1/hosts?${query}`;
      const hosts = (await ask({ ...options, path })) as Hosts;
      if (options.json === true) {
        writeLine(context.stdout, JSON.stringify(hosts, undefined, 2));
        return;
      }
      const lines = hosts.entries.map(({ address, names }) => [address, ...names].join(' '));
      if (options.update !== undefined) await update(options.update, lines, context);
      else for (const line of lines) writeLine(context.stdout, line);
    });
}

/** @throws MeshError usage */
function refuseBoth(service: ServiceName | undefined, { json, update }: HostsOptions): void {
  if (update === undefined) return;
  if (json === true) throw usage('expected --update or --json but got both');
  if (service === undefined) return;
  throw usage(`expected --update without a service but got "${service}"`, 'it replaces all lines');
}

async function update(
  given: string,
  lines: readonly string[],
  { stdout, stderr, random }: Context,
): Promise<void> {
  const file = await openSystemFile(given, random);
  const { text, added, removed, taken } = changeHosts(file.text, lines, file.path);
  for (const { name, line } of taken) {
    writeLine(stderr, `warning: line ${line} of ${file.path} has ${name} too: the first counts`);
  }
  if (text === file.text) {
    writeLine(stdout, `nothing to change in ${file.path}`);
    return;
  }
  await file.replace(text);
  for (const line of removed) writeLine(stdout, `- ${line}`);
  for (const line of added) writeLine(stdout, `+ ${line}`);
  writeLine(stdout, `updated ${file.path}`);
}
