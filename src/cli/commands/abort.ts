import type { Command } from 'commander';
import { ROLLOUT_ORDERS, type RolloutReport } from '../../server/mesh/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { defineRolloutCommand } from '../rollout-command.js';

export function define(command: Command, context: Context): void {
  const example = 'countersign abort && countersign status';
  defineRolloutCommand(command, context, { order: ROLLOUT_ORDERS.abort, example, say });
}

function say({ changed, held, heldEdit }: RolloutReport, context: Context): void {
  const { stdout, stderr } = context;
  if (!changed) {
    writeLine(stderr, 'error: expected a change that is under way but there is none');
    writeLine(stderr, '  hint: `countersign status` shows what is');
    context.exitCode = 1;
    return;
  }
  for (const one of held) writeLine(stdout, `${one} goes back to what it was`);
  if (heldEdit !== null) writeLine(stdout, `the edit ${heldEdit} is not taken`);
  writeLine(stdout, 'it is not tried again until the mesh file changes');
}
