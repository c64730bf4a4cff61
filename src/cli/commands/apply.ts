// `apply`: in manual mode, the mesh file as it stands is put in force.
import type { Command } from 'commander';
import { ROLLOUT_ORDERS } from '../../server/mesh/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import {
  dataOption,
  durationOption,
  type ServerOptions,
  serverOptions,
  toExample,
} from '../options.js';
import { orderRollout } from '../rollout-order.js';
import { waitInForce } from '../wait-in-force.js';

interface ApplyOptions extends ServerOptions {
  readonly data: string;
  readonly wait?: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

export function define(command: Command, context: Context): void {
  command
    .option('--wait', 'until it is in force on every connected proxy, or can not be')
    .addOption(
      durationOption({
        flags: '--timeout <duration>',
        name: '--timeout',
        description: 'how long to --wait',
        fallback: '60s',
        range: ['0s', '7d'],
      }),
    )
    .addOption(dataOption());
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText('after', toExample('countersign check mesh.yaml && countersign apply --wait'))
    .action(async (options: ApplyOptions) => {
      const { changed, version } = await orderRollout(ROLLOUT_ORDERS.apply, {
        data: options.data,
        context,
      });
      const text = changed ? `mesh ${version} is being put in force` : `mesh ${version} was taken`;
      writeLine(context.stdout, changed ? text : `${text} before: the file has no other edit`);
      if (options.wait === true) await waitInForce(options, context);
    });
}
