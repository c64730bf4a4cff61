import type { Command } from 'commander';
import { MeshError } from '../../base/index.js';
import type { ServerStatus } from '../../server/status/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { ask } from '../admin-client.js';
import { jsonOption, type ServerOptions, serverOptions, toExample } from '../options.js';
import { startRepetition } from '../repetition.js';
import { filterStatus } from '../status-filter.js';
import { toStatusLines } from '../status-text.js';

interface StatusOptions extends ServerOptions {
  readonly service: string | undefined;
  readonly notSynced?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const WATCH_EVERY_MS = 1_000;
/** ANSI: moves the cursor to the corner and erases everything below it. */
const CLEAR_SCREEN = '\x1b[H\x1b[2J';

export function define(command: Command, context: Context): void {
  command
    .argument('[service]', 'only this one: web, or payments/ledger with a namespace')
    .option('--not-synced', 'of the proxies, only those that lack something')
    .option('--watch', 'show it again whenever it changes, until stopped')
    .addOption(jsonOption());
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText(
      'after',
      toExample('countersign status --watch', 'countersign status payments/ledger --not-synced'),
    )
    .action(async (service: string | undefined, given: Omit<StatusOptions, 'service'>) => {
      const options = { ...given, service };
      if (options.watch === true) await watch(options, context);
      else writeLine(context.stdout, toText(await fetchStatus(options), options, context));
    });
}

async function fetchStatus(options: StatusOptions): Promise<ServerStatus> {
  const { service, notSynced = false, json } = options;
  const status = (await ask({ ...options, path: '/v1/status' })) as ServerStatus;
  const isPlain = json === true && service === undefined && !notSynced;
  if (!isPlain && status.summary === undefined) {
    throw new MeshError('server-error', 'expected the status of a server of this version', {
      hint: 'use the version of countersign that the server runs, or see --json',
    });
  }
  return filterStatus(status, { service, notSynced });
}

function toText(status: ServerStatus, { json, watch }: StatusOptions, { clock }: Context): string {
  // One document per line if several follow each other.
  if (json === true) return JSON.stringify(status, undefined, watch === true ? 0 : 2);
  return toStatusLines(status, clock.now()).join('\n');
}

async function watch(options: StatusOptions, context: Context): Promise<void> {
  const { stdout } = context;
  const redraws = stdout.isTTY && options.json !== true;
  const repetition = startRepetition(context);
  try {
    let shown: string | undefined;
    do {
      const status = await fetchStatus(options);
      const text = toText(status, options, context);
      // On a screen the ages keep changing; elsewhere only news is worth a line.
      const content = JSON.stringify({ ...status, now: undefined }, withoutCounts);
      if (redraws) {
        context.screen.write(CLEAR_SCREEN);
        writeLine(stdout, text);
      } else if (content !== shown) {
        if (shown !== undefined && options.json !== true) writeLine(stdout, '');
        writeLine(stdout, text);
      }
      shown = content;
    } while (await repetition.pause(WATCH_EVERY_MS));
  } finally {
    repetition.end();
  }
}

/** That something is tried once more is no news. */
function withoutCounts(key: string, value: unknown): unknown {
  return key === 'tries' || key === 'nextTryAt' ? undefined : value;
}
