// A command that is one order about the rollout, without anything to choose.
import type { Command } from 'commander';
import type { OrderKind } from '../data/orders/index.js';
import type { RolloutReport } from '../server/mesh/index.js';
import { type Context, writeLine } from '../terminal/index.js';
import { dataOption, jsonOption, toExample } from './options.js';
import { orderRollout } from './rollout-order.js';

export interface RolloutCommand {
  readonly order: OrderKind<object, RolloutReport>;
  readonly example: string;
  /** What came of it, for people. */
  readonly say: (report: RolloutReport, context: Context) => void;
}

interface Options {
  readonly data: string;
  readonly json?: boolean;
}

export function defineRolloutCommand(
  command: Command,
  context: Context,
  { order, example, say }: RolloutCommand,
): void {
  command
    .addOption(jsonOption())
    .addOption(dataOption())
    .addHelpText('after', toExample(example))
    .action(async ({ data, json }: Options) => {
      const report = await orderRollout(order, { data, context });
      if (json === true) writeLine(context.stdout, JSON.stringify(report, undefined, 2));
      else say(report, context);
    });
}
