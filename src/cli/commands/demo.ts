import type { Command } from 'commander';
import { runDemo } from '../../demo/index.js';
import type { Context } from '../../terminal/index.js';
import { toExample } from '../options.js';

export function define(command: Command, context: Context): void {
  command
    .option('--keep', 'leave it running, and print the addresses to try')
    .addHelpText('after', toExample('countersign demo --keep'))
    .action(async ({ keep = false }: { readonly keep?: boolean }) => {
      context.exitCode = await runDemo({ keep, io: { ...context, stdout: context.screen } });
    });
}
