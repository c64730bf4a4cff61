import type { Command } from 'commander';
import { ROLLOUT_ORDERS, type RolloutReport } from '../../server/mesh/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { defineRolloutCommand } from '../rollout-command.js';

export function define(command: Command, context: Context): void {
  const example = 'countersign pause && countersign status';
  defineRolloutCommand(command, context, { order: ROLLOUT_ORDERS.pause, example, say });
}

function say({ changed, running }: RolloutReport, { stdout }: Context): void {
  const rest = running.length === 0 ? '' : `; at rest where they are: ${running.join(', ')}`;
  const what = 'no step is taken and no edit of the mesh file, until `countersign resume`';
  writeLine(stdout, `${changed ? 'paused' : 'paused already'}: ${what}${rest}`);
}
