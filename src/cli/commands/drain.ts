// `drain`: an instance is about to be stopped. The server takes it out of its callers' endpoints,
// waits for every caller, then withdraws its listeners; what is open there ends by itself. The
// command follows that, and with Envoy's admin port says when nothing is open any more.
import { type Command, Option } from 'commander';
import { MINUTE_MS, SECOND_MS } from '../../base/index.js';
import { type DataDir, openDataDir } from '../../data/index.js';
import {
  createOrderStore,
  giveOrder,
  type OrderKind,
  unanswered,
} from '../../data/orders/index.js';
import { DRAIN_INSTANCE, DRAIN_STATE, type DrainReport, UNDO_DRAIN } from '../../drains/index.js';
import type { ServiceName } from '../../policy/index.js';
import { toNodeId } from '../../spiffe/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import {
  toDrainedLine,
  toOpenProblem,
  toStageLine,
  toStopLines,
  toWaitingProblem,
} from '../drain-text.js';
import { readStillOpen, type StillOpen } from '../envoy-open.js';
import {
  dataOption,
  durationOption,
  type HostPort,
  instanceOption,
  jsonOption,
  reader,
  toExample,
  tryHostPort,
  usage,
} from '../options.js';
import { type Accepted, hearAnswer } from '../order-answer.js';
import { startRepetition } from '../repetition.js';
import { serviceArgument } from '../service-argument.js';

interface DrainOptions {
  readonly instance?: string;
  readonly envoyAdmin?: HostPort;
  readonly undo?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly data: string;
}

interface Drain {
  readonly service: ServiceName;
  readonly instance: string;
  readonly options: DrainOptions;
  readonly dataDir: DataDir;
  readonly context: Context;
}

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument())
    .addOption(instanceOption('which one, as `countersign status` names it after the ~'))
    .addOption(
      new Option(
        '--envoy-admin <host:port>',
        "its Envoy's admin port: wait until nothing is open there",
      ).argParser(
        reader({ name: '--envoy-admin', expected: 'an address and port', read: tryHostPort }),
      ),
    )
    .option('--undo', 'it is called again')
    .option('--yes', 'also where no other instance is left to call')
    .addOption(
      durationOption({
        flags: '--timeout <duration>',
        name: '--timeout',
        description: 'give up waiting after this long; the instance stays drained',
        fallback: '5m',
        range: ['0s', '7d'],
      }),
    )
    .addOption(jsonOption())
    .addOption(dataOption())
    .addHelpText(
      'after',
      toExample(
        'countersign drain payments/ledger --instance one',
        'countersign drain web --instance one --envoy-admin 127.0.0.1:19000 && kill <Envoy>',
        'countersign drain payments/ledger --instance one --undo',
      ),
    )
    .action(async (service: ServiceName, options: DrainOptions) => {
      const { instance, data } = options;
      if (instance === undefined) {
        throw usage('expected --instance', `countersign drain ${service} --instance one`);
      }
      const { random } = context;
      const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
      const drain = { service, instance, options, dataDir, context };
      await (options.undo === true ? takeBack(drain) : carryOut(drain));
    });
}

async function carryOut(drain: Drain): Promise<void> {
  const { service, instance, options, context } = drain;
  const endMs = context.clock.now() + options.timeout;
  const payload = { service, instance, evenLast: options.yes === true };
  await order(DRAIN_INSTANCE, { drain, payload });
  const answer = await follow(drain, endMs);
  if (answer === undefined) return;
  const { others, waitingFor } = answer.report;
  const isDrained = answer.state === 'done';
  const open = isDrained ? await waitForQuiet(drain, endMs) : undefined;
  const node = toNodeId(drain);
  if (options.json === true) {
    const state = isDrained ? 'drained' : 'draining';
    const shown = { node, state, others, waitingFor, open: open ?? null };
    writeLine(context.stdout, JSON.stringify(shown, undefined, 2));
  } else if (isDrained) {
    writeLine(context.stdout, toDrainedLine(node, others));
  }
  const problem = isDrained ? toOpenProblem(open) : toWaitingProblem(answer.report);
  if (problem !== undefined) {
    for (const line of problem) writeLine(context.stderr, line);
    context.exitCode = 1;
  } else if (options.json !== true) {
    for (const line of toStopLines(drain, open)) writeLine(context.stdout, line);
  }
}

async function takeBack(drain: Drain): Promise<void> {
  const { service, instance, context } = drain;
  const payload = { service, instance };
  const { wasDrained } = (await order(UNDO_DRAIN, { drain, payload })).report;
  const node = toNodeId(drain);
  if (wasDrained) {
    writeLine(context.stdout, `${node} is called again, as soon as it listens`);
    return;
  }
  writeLine(context.stderr, `error: expected a drain of "${node}" but there is none`);
  writeLine(context.stderr, '  hint: `countersign status` shows those that there are');
  context.exitCode = 1;
}

/** Gives an order that is carried out at once. @throws MeshError where no server answers */
async function order<P, R>(
  kind: OrderKind<P, R>,
  { drain, payload }: { readonly drain: Drain; readonly payload: P },
): Promise<Accepted<R>> {
  const { dataDir, context } = drain;
  const store = createOrderStore(dataDir);
  const deadlineMs = context.clock.now() + MINUTE_MS;
  const { id } = await giveOrder(kind, { payload, deadlineMs }, { ...context, store });
  const answer = await hearAnswer(kind, { id, dataDir }, context);
  if (answer !== undefined) return answer;
  await store.withdraw(id);
  throw await unanswered(store, 'start `countersign serve` there, and give the order again');
}

/** How far the drain is when it is done or the time is up. Undefined: the user stopped waiting. */
async function follow(
  { service, instance, options, dataDir, context }: Drain,
  endMs: number,
): Promise<Accepted<DrainReport> | undefined> {
  const store = createOrderStore(dataDir);
  const deadlineMs = endMs + SPARE_MS;
  const payload = { service, instance };
  const { id } = await giveOrder(DRAIN_STATE, { payload, deadlineMs }, { ...context, store });
  let isStopped = false;
  const cancel = context.onStop(() => {
    isStopped = true;
  });
  let stage: DrainReport['stage'] | undefined;
  // Its first answer is waited for even where nothing else is.
  const limitMs = Math.max(0, endMs - context.clock.now()) + TAKING_MS;
  const answer = await hearAnswer(
    DRAIN_STATE,
    { id, dataDir },
    {
      ...context,
      limitMs,
      until: (one) => {
        if (one.state === 'waiting' && one.report.stage !== stage) {
          stage = one.report.stage;
          if (options.json !== true) writeLine(context.stderr, toStageLine(one.report));
        }
        return context.clock.now() >= endMs;
      },
    },
  ).finally(cancel);
  if (answer?.state !== 'done') await store.withdraw(id);
  if (isStopped) return undefined;
  if (answer !== undefined) return answer;
  throw await unanswered(store, 'see its log; `countersign status` says how far the drain is');
}

/** Until nothing is open there, or the time is up; undefined: nobody was named to ask. */
async function waitForQuiet(
  { options, context }: Drain,
  endMs: number,
): Promise<StillOpen | undefined> {
  const { envoyAdmin } = options;
  if (envoyAdmin === undefined) return undefined;
  const repetition = startRepetition(context);
  try {
    for (;;) {
      const open = await readStillOpen(envoyAdmin);
      if (open.ports.length === 0 || context.clock.now() >= endMs) return open;
      if (!(await repetition.pause(LOOK_EVERY_MS))) return open;
    }
  } finally {
    repetition.end();
  }
}

/** A server that has just started looks after two seconds. */
const TAKING_MS = 5 * SECOND_MS;
const SPARE_MS = MINUTE_MS;
const LOOK_EVERY_MS = SECOND_MS / 2;
