// `ca rotate`: a new root replaces the old one, in stages that the server paces; one that is only
// prepared or activated goes on to the end. The command makes the root and leaves an order for the
// server to take it over; with `--finish` the operator says that nobody needs the root that goes.
// It prints what the server of the data folder has answered, and never more.
import type { Command } from 'commander';
import { MeshError } from '../../base/index.js';
import { askFinish, FINISH_CA } from '../../ca/change/index.js';
import { type RootChange, readAuthority } from '../../ca/index.js';
import { assertOwnAuthority } from '../../ca/step-ca/index.js';
import { openDataDir } from '../../data/index.js';
import { createOrderStore, unanswered } from '../../data/orders/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { offerNewRoot, steer } from '../new-root.js';
import { askDependents, type Dependent } from '../old-root.js';
import {
  dataOption,
  type ServerOptions,
  serverOptions,
  toExample,
  usage,
  waitTimeoutOption,
} from '../options.js';
import { hearAnswer, toWayOn } from '../order-answer.js';
import { caPassphraseOption } from '../passphrase.js';
import { type Place, type RootWait, waitForRoot } from '../root-wait.js';

interface RotateOptions extends ServerOptions {
  readonly wait?: boolean;
  readonly finish?: boolean;
  readonly yes?: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly caPassphraseFile?: string;
  readonly data: string;
}

export function defineRotate(command: Command, context: Context): void {
  command
    .description('replace the root, in stages that fail no request')
    .option('--wait', 'wait until the new root stands alone, or something holds on to the old one')
    .option('--finish', 'let the old root go; says whom that cuts off, and does it with --yes')
    .option('--yes', 'with --finish: even if it cuts somebody off')
    .addOption(waitTimeoutOption())
    .addOption(caPassphraseOption())
    .addOption(dataOption());
  // Earlier versions asked the admin port; now the server of the data folder answers.
  for (const option of serverOptions()) command.addOption(option.hideHelp());
  command
    .addHelpText(
      'after',
      toExample('countersign ca rotate --wait', 'countersign ca rotate --finish'),
    )
    .action((options: RotateOptions) => rotate(options, context));
}

async function rotate(options: RotateOptions, context: Context): Promise<void> {
  const { random } = context;
  const dataDir = await openDataDir({ path: options.data, lock: false, create: false, random });
  await assertOwnAuthority(dataDir);
  if (options.yes === true && options.finish !== true) throw usage('expected --yes with --finish');
  const authority = await readAuthority(dataDir);
  const { change } = authority;
  const place = { dataDir, context, options };
  if (options.finish === true) {
    if (change?.stage !== 'sign') {
      const stage = change === undefined ? 'no change of root is under way' : 'it has only begun';
      throw new MeshError('request-invalid', `expected a new root that signs but ${stage}`, {
        hint: 'see `countersign ca show`',
      });
    }
    if (options.yes !== true) refuseCut(await askDependents(authority, dataDir, context), context);
    await finish(place, change);
    if (options.wait === true) await waitForRoot(place, toEnd(change));
  } else if (change === undefined) {
    const { isTaken, rootSha256 } = await offerNewRoot(place, { ...options, until: 'end' });
    if (options.wait !== true) return;
    if (isTaken) await waitForRoot(place, { rootSha256, point: 'alone', done: ALONE });
    else context.exitCode = 1;
  } else if (change.until !== 'end') {
    await steer(place, { rootSha256: change.newRootSha256, step: 'end', taken: GOES_ON });
    if (options.wait === true) await waitForRoot(place, toEnd(change));
  } else if (options.wait === true) {
    await waitForRoot(place, toEnd(change));
  } else {
    throw new MeshError('request-invalid', 'expected no change of root to be under way', {
      hint: 'see `countersign ca show`; `countersign ca rotate --wait` waits for it',
    });
  }
}

const ALONE = 'the new root stands alone';
const GOES_ON = 'the server goes on: the new root signs, and the old one goes when nobody needs it';

/** Where the change ends, whichever of the two roots goes. */
function toEnd({ isBack, newRootSha256, goingRootSha256 }: RootChange): RootWait {
  if (!isBack) return { rootSha256: newRootSha256, point: 'alone', done: ALONE };
  const done = 'the old root stands alone again';
  return { rootSha256: goingRootSha256, point: 'gone', done };
}

/** @throws MeshError confirmation-missing if the end of the old root cuts somebody off */
function refuseCut(dependents: readonly Dependent[], { stderr }: Context): void {
  if (dependents.length === 0) return;
  writeLine(stderr, 'the end of the old root cuts off:');
  const shown = dependents.slice(0, DEPENDENTS_SHOWN);
  for (const { text } of shown) writeLine(stderr, `  ${text}`);
  const more = dependents.length - shown.length;
  if (more > 0) writeLine(stderr, `  and ${more} more`);
  const message = `expected --yes: ${dependents.length} depend on the old root`;
  throw new MeshError('confirmation-missing', message, {
    hint:
      'sidecars and `cert --watch` follow by themselves when they reach the server; cut the rest ' +
      'off with `countersign ca rotate --finish --yes`',
  });
}

const DEPENDENTS_SHOWN = 50;

async function finish(
  { dataDir, context, options }: Place,
  { goingRootSha256, isBack }: RootChange,
): Promise<void> {
  const { stdout } = context;
  const store = createOrderStore(dataDir);
  const id = await askFinish(store, goingRootSha256, context);
  const root = isBack ? 'the new root' : 'the old root';
  const answer = await hearAnswer(FINISH_CA, { id, dataDir }, context);
  if (answer?.state === 'done') {
    writeLine(stdout, `${root} is no longer trusted`);
    return;
  }
  if (answer !== undefined) {
    writeLine(stdout, `the server has seen this, and lets ${root} go as soon as it can`);
    return;
  }
  writeLine(stdout, `${root} goes when the server has seen this`);
  if (options.wait === true) throw await unanswered(store, toWayOn(id));
  writeLine(stdout, `stored; no server has answered: ${toWayOn(id)}`);
}
