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
    .addHelpText('after', toExample('countersign abort && countersign status'))
    .action(async ({ data, json }: Options) => {
      const report = await orderRollout(ROLLOUT_ORDERS.abort, { data, context });
      if (json === true) writeLine(context.stdout, JSON.stringify(report, undefined, 2));
      else if (report.changed) {
        const { held, heldEdit } = report;
        for (const one of held) writeLine(context.stdout, `${one} goes back to what it was`);
        if (heldEdit !== null) writeLine(context.stdout, `the edit ${heldEdit} is not taken`);
        writeLine(context.stdout, 'it is not tried again until the mesh file changes');
      } else {
        writeLine(context.stderr, 'error: expected a change that is under way but there is none');
        writeLine(context.stderr, '  hint: `countersign status` shows what is');
        context.exitCode = 1;
      }
    });
}
