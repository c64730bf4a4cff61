import type { Command } from 'commander';
import type { ServiceName } from '../../policy/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { ask } from '../admin-client.js';
import { jsonOption, type ServerOptions, serverOptions, toExample } from '../options.js';
import { outboundOption } from '../outbound-option.js';
import { serviceArgument } from '../service-argument.js';

interface HostsOptions extends ServerOptions {
  readonly outbound?: string;
  readonly json?: boolean;
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
    .addOption(jsonOption());
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText('after', toExample('countersign hosts >> /etc/hosts'))
    .action(async (service: ServiceName | undefined, options: HostsOptions) => {
      const query = new URLSearchParams();
      if (service !== undefined) query.set('service', service);
      if (options.outbound !== undefined) query.set('outbound', options.outbound);
      const path = query.size === 0 ? '/v1/hosts' : `/v1/hosts?${query}`;
      const hosts = (await ask({ ...options, path })) as Hosts;
      if (options.json === true) {
        writeLine(context.stdout, JSON.stringify(hosts, undefined, 2));
        return;
      }
      for (const { address, names } of hosts.entries) {
        writeLine(context.stdout, [address, ...names].join(' '));
      }
    });
}
