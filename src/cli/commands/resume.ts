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
    .addHelpText('after', toExample('countersign resume && countersign wait'))
    .action(async ({ data, json }: Options) => {
      const report = await orderRollout(ROLLOUT_ORDERS.resume, { data, context });
      if (json === true) writeLine(context.stdout, JSON.stringify(report, undefined, 2));
      else {
        const { changed, running, version } = report;
        const rest = running.length === 0 ? `mesh ${version}` : running.join(', ');
        writeLine(context.stdout, changed ? `goes on: ${rest}` : 'it was not paused');
      }
    });
}
