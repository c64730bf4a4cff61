// `ca rotate`: a new root replaces the old one, in stages that the server paces. The command makes
// the root and leaves an order for the server to take it over; with `--finish` the operator says
// that nobody needs the old root any more. It prints what the server of the data folder has
// answered, and never more.
import type { Command } from 'commander';
import { MeshError } from '../../base/index.js';
import {
  askFinish,
  type CaChain,
  type CaProgress,
  createCaChain,
  FINISH_CA,
  loadAuthority,
  offerCaChain,
  ROOT_ALONE,
  readAuthority,
  TAKE_CA,
} from '../../ca/index.js';
import { assertOwnAuthority } from '../../ca/step-ca/index.js';
import { type DataDir, openDataDir } from '../../data/index.js';
import { type Answer, createOrderStore, giveOrder, unanswered } from '../../data/orders/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { generateKeys, sha256Hex } from '../../x509/keys/index.js';
import { askDependents, type Dependent } from '../old-root.js';
import {
  dataOption,
  durationOption,
  type ServerOptions,
  serverOptions,
  toExample,
  usage,
} from '../options.js';
import { hearAnswer, toWayOn } from '../order-answer.js';
import { caPassphraseOption, tryCaPassphrase } from '../passphrase.js';

interface RotateOptions extends ServerOptions {
  readonly wait?: boolean;
  readonly finish?: boolean;
  readonly yes?: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly caPassphraseFile?: string;
  readonly data: string;
}

interface Place {
  readonly dataDir: DataDir;
  readonly context: Context;
  readonly options: RotateOptions;
}

export function defineRotate(command: Command, context: Context): void {
  command
    .description('replace the root, in stages that fail no request')
    .option('--wait', 'wait until the new root stands alone, or something holds on to the old one')
    .option('--finish', 'let the old root go; says whom that cuts off, and does it with --yes')
    .option('--yes', 'with --finish: even if it cuts somebody off')
    .addOption(
      durationOption({
        flags: '--timeout <duration>',
        name: '--timeout',
        description: 'how long to --wait',
        fallback: '5m',
        range: ['0s', '7d'],
      }),
    )
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
  const { clock, random } = context;
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
    await finish(place, change.oldRootSha256);
    if (options.wait === true) await waitForEnd(place, change.newRootSha256);
  } else if (change === undefined) {
    const passphrase = tryCaPassphrase(options.caPassphraseFile);
    // Whether that passphrase opens the keys that are there.
    const { trustDomain } = await loadAuthority({ dataDir, clock, random, passphrase });
    const chain = await createCaChain(trustDomain, { clock, random, keySource: generateKeys });
    const isTaken = await offer(place, chain, passphrase);
    if (options.wait !== true) return;
    if (isTaken) await waitForEnd(place, sha256Hex(chain.root.facts.der));
    else context.exitCode = 1;
  } else if (options.wait === true) {
    await waitForEnd(place, change.newRootSha256);
  } else {
    throw new MeshError('request-invalid', 'expected no change of root to be under way', {
      hint: 'see `countersign ca show`; `countersign ca rotate --wait` waits for it',
    });
  }
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

/**
 * Offers the new root. @returns whether the server has taken it over. @throws where none answers
 */
async function offer(
  { dataDir, context, options }: Place,
  chain: CaChain,
  passphrase: string | undefined,
): Promise<boolean> {
  const { stdout } = context;
  const store = createOrderStore(dataDir);
  const id = await offerCaChain(store, chain, { ...context, passphrase });
  const wait = {
    until: ({ state }: Answer) => options.wait !== true || state !== 'waiting',
    ...(options.wait === true ? { limitMs: options.timeout + TAKING_MS } : {}),
  };
  const answer = await hearAnswer(TAKE_CA, { id, dataDir }, { ...context, ...wait });
  if (answer?.state === 'done') {
    writeLine(stdout, 'the server has taken over a new root, which replaces the old one in stages');
    return true;
  }
  writeLine(stdout, 'a new root waits for the server, which takes it over in stages');
  if (answer !== undefined) {
    writeLine(stdout, `the server waits for ${answer.report.waitingFor.join(', ')}`);
    return false;
  }
  if (options.wait === true) throw await unanswered(store, toWayOn(id));
  writeLine(stdout, `stored; no server has answered: ${toWayOn(id)}`);
  return false;
}

async function finish({ dataDir, context, options }: Place, oldRootSha256: string): Promise<void> {
  const { stdout } = context;
  const store = createOrderStore(dataDir);
  const id = await askFinish(store, oldRootSha256, context);
  const answer = await hearAnswer(FINISH_CA, { id, dataDir }, context);
  if (answer?.state === 'done') {
    writeLine(stdout, 'the old root is no longer trusted');
    return;
  }
  if (answer !== undefined) {
    writeLine(stdout, 'the server has seen this, and lets the old root go as soon as it can');
    return;
  }
  writeLine(stdout, 'the old root goes when the server has seen this');
  if (options.wait === true) throw await unanswered(store, toWayOn(id));
  writeLine(stdout, `stored; no server has answered: ${toWayOn(id)}`);
}

/** Waits until that root stands alone, and says who holds it up if the time runs out. */
async function waitForEnd({ dataDir, context, options }: Place, rootSha256: string): Promise<void> {
  const { clock, random, stdout, stderr } = context;
  const store = createOrderStore(dataDir);
  const { timeout } = options;
  const payload = { rootSha256 };
  // The server stops answering once this command can no longer be there to read it.
  const endMs = clock.now() + timeout;
  const deadlineMs = endMs + timeout + SPARE_MS;
  const tools = { store, clock, random };
  const { id } = await giveOrder(ROOT_ALONE, { payload, deadlineMs }, tools);
  let stage: CaProgress['stage'];
  let isStopped = false;
  const cancel = context.onStop(() => {
    isStopped = true;
  });
  const answer = await hearAnswer(
    ROOT_ALONE,
    { id, dataDir },
    {
      ...context,
      limitMs: timeout,
      until: (one) => {
        if (one.state !== 'waiting') return false;
        if (one.report.stage !== stage) {
          stage = one.report.stage;
          if (stage !== undefined) writeLine(stderr, STAGES[stage]);
        }
        return isHeld(one.report, endMs);
      },
    },
  ).finally(cancel);
  if (answer?.state === 'done') {
    writeLine(stdout, 'the new root stands alone');
    return;
  }
  await store.withdraw(id);
  if (isStopped) return;
  if (answer === undefined) {
    throw await unanswered(store, 'see its log; `countersign ca show` says how far the change is');
  }
  const who = answer.report.waitingFor.join(', ');
  writeLine(stderr, `error: expected the new root to stand alone but it waits for ${who}`);
  const hint = 'countersign ca rotate --finish` says whom the end of the old root cuts off';
  if (answer.report.stage === 'sign') writeLine(stderr, `  hint: \`${hint}`);
  context.exitCode = 1;
}

/** Something that no waiting until then ends holds on to the old root. */
function isHeld({ holders = [] }: CaProgress, endMs: number): boolean {
  return holders.some(({ untilMs = Number.POSITIVE_INFINITY }) => untilMs > endMs);
}

/** A server that has just started looks for orders after two seconds. */
const TAKING_MS = 5_000;
const SPARE_MS = 60_000;

export const STAGES: Readonly<Record<NonNullable<CaProgress['stage']>, string>> = {
  trust: 'both roots are trusted, the old one signs',
  sign: 'both roots are trusted, the new one signs',
};
