import type { Command } from 'commander';
import { ROLLOUT_ORDERS, type RolloutReport } from '../../server/mesh/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { defineRolloutCommand } from '../rollout-command.js';

export function define(command: Command, context: Context): void {
  const example = 'countersign resume && countersign wait';
  defineRolloutCommand(command, context, { order: ROLLOUT_ORDERS.resume, example, say });
}

function say({ changed, running, version }: RolloutReport, { stdout }: Context): void {
  const rest = running.length === 0 ? `mesh ${version}` : running.join(', ');
  writeLine(stdout, changed ? `goes on: ${rest}` : 'it was not paused');
}
