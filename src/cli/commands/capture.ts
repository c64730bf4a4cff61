// `capture`: the kernel hands the TCP of this network namespace to the sidecar (MODEL.md
// `capture`). It changes rules and nothing else; who listens behind them is the server's and the
// sidecar's. Where no sidecar listens, what is captured is refused.
import type { Command } from 'commander';
import { HOUR_MS } from '../../base/index.js';
import {
  applyRules,
  type CaptureRules,
  DEFAULT_EXCLUDE,
  findHolders,
  listListening,
  toRules,
  undoRules,
} from '../../capture/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { becomeNobody } from '../become-nobody.js';
import { addCaptureOptions, type CaptureOptions } from '../capture-options.js';
import { toClosed, toClosedLines, toDoneLines } from '../capture-text.js';
import { toExample } from '../options.js';

export function define(command: Command, context: Context): void {
  addCaptureOptions(command);
  command
    .addHelpText(
      'after',
      toExample(
        'countersign capture --dry-run',
        'countersign capture --uid 10001 --exclude 22,2222',
        'countersign capture --undo',
      ),
    )
    .action(async (options: CaptureOptions) => {
      const { stdout } = context;
      if (options.undo === true) {
        const were = await undoRules();
        const what = were ? 'took the rules away' : 'there were no rules';
        writeLine(stdout, `${what}: nothing is captured in this network namespace`);
        return;
      }
      const rules = toChosen(options);
      if (options.dryRun === true) {
        await printRules(rules, context);
        return;
      }
      await applyRules(rules);
      for (const line of toDoneLines(rules)) writeLine(stdout, line);
      if (options.sleep === true) await sleep(context);
    });
}

function toChosen(options: CaptureOptions): CaptureRules {
  const { uid, exclude = DEFAULT_EXCLUDE, inboundOnly, outboundOnly } = options;
  return { inbound: outboundOnly !== true, outbound: inboundOnly !== true, exclude, uid };
}

async function printRules(rules: CaptureRules, { stdout }: Context): Promise<void> {
  stdout.write(toRules(rules));
  const closed = toClosed(await listListening(), rules);
  const holders = await findHolders(new Set(closed.map(({ inode }) => inode)));
  for (const line of toClosedLines(closed, holders)) writeLine(stdout, line);
}

/** Until it is told to stop, without a right that could change the rules. */
async function sleep({ clock, stdout, onStop }: Context): Promise<void> {
  becomeNobody(process);
  writeLine(stdout, 'holding this network namespace, as nobody');
  await new Promise<void>((resolve) => {
    // Node ends by itself where nothing is left to wait for.
    let cancel = clock.after(HOUR_MS, again);
    function again(): void {
      cancel = clock.after(HOUR_MS, again);
    }
    onStop(() => {
      cancel();
      resolve();
    });
  });
}
