import type { Command } from 'commander';
import { ROLLOUT_ORDERS } from '../../server/mesh/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { dataOption, jsonOption, toExample } from '../options.js';
import { orderRollout } from '../rollout-order.js';

interface Options {
  readonly data: string;
  readonly json?: boolean;
}

export function define(command: Command, context: Context): void {
  command
    .addOption(jsonOption())
    .addOption(dataOption())
    .addHelpText('after', toExample('countersign pause && countersign status'))
    .action(async ({ data, json }: Options) => {
      const report = await orderRollout(ROLLOUT_ORDERS.pause, { data, context });
      if (json === true) writeLine(context.stdout, JSON.stringify(report, undefined, 2));
      else {
        const { changed, running } = report;
        const rest = running.length === 0 ? '' : `; at rest where they are: ${running.join(', ')}`;
        const what = 'no step is taken and no edit of the mesh file, until `countersign resume`';
        writeLine(context.stdout, `${changed ? 'paused' : 'paused already'}: ${what}${rest}`);
      }
    });
}
