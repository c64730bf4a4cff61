// `capture`: the kernel hands the TCP of this network namespace to the sidecar (MODEL.md
// `capture`). It changes rules and nothing else; who listens behind them is the server's and the
// sidecar's. Where no sidecar listens, what is captured is refused.
import { Argument, type Command } from 'commander';
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
import type { Service } from '../../policy/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { becomeNobody } from '../become-nobody.js';
import { addCaptureOptions, type CaptureOptions } from '../capture-options.js';
import { toClosed, toClosedLines, toDoneLines } from '../capture-text.js';
import { textReader, toExample, usage } from '../options.js';

export function define(command: Command, context: Context): void {
  const description = 'captured as mesh.yaml says; else both directions are';
  command.addArgument(new Argument('[service]', description).argParser(textReader('[service]')));
  addCaptureOptions(command);
  command
    .addHelpText(
      'after',
      toExample(
        'countersign capture --dry-run',
        'countersign capture --uid 10001 --exclude 22,2222',
        'countersign capture payments/ledger --mesh mesh.yaml',
        'countersign capture --undo',
      ),
    )
    .action(async (name: string | undefined, options: CaptureOptions) => {
      const { stdout } = context;
      if (options.undo === true) {
        const were = await undoRules();
        const what = were ? 'took the rules away' : 'there were no rules';
        writeLine(stdout, `${what}: nothing is captured in this network namespace`);
        return;
      }
      const service = name === undefined ? undefined : await read(name, options);
      const rules = toChosen(options, service);
      if (options.dryRun === true) {
        await printRules(rules, service, context);
        return;
      }
      await applyRules(rules);
      for (const line of toDoneLines(rules)) writeLine(stdout, line);
      if (options.sleep === true) await sleep(context);
    });
}

async function read(name: string, { mesh }: CaptureOptions): Promise<Service> {
  const { readCapturedService } = await import('../captured-service.js');
  return readCapturedService(name, mesh);
}

/** @throws MeshError usage where nothing is left to capture */
function toChosen(options: CaptureOptions, service: Service | undefined): CaptureRules {
  const { uid, inboundOnly, outboundOnly } = options;
  const { capture } = service ?? {};
  const is = (direction: string | undefined) => (direction ?? 'transparent') === 'transparent';
  const inbound = outboundOnly !== true && is(capture?.inbound);
  const outbound = inboundOnly !== true && is(capture?.outbound);
  if (!inbound && !outbound) {
    throw usage(
      `expected a direction that "${service?.name}" captures but got the other one`,
      'leave out --inbound-only and --outbound-only: the mesh says it',
    );
  }
  return {
    inbound,
    outbound,
    uid,
    exclude: options.exclude ?? capture?.exclude ?? DEFAULT_EXCLUDE,
  };
}

async function printRules(
  rules: CaptureRules,
  service: Service | undefined,
  { stdout }: Context,
): Promise<void> {
  stdout.write(toRules(rules));
  const closed = toClosed(await listListening(), rules);
  const holders = await findHolders(new Set(closed.map(({ inode }) => inode)));
  for (const line of toClosedLines({ closed, holders, service })) writeLine(stdout, line);
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
