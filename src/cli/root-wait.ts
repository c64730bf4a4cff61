// What the commands about a change of root have in common: the stage in words, and the wait until a
// root is where it was wanted. They print what the server of the data folder has answered, and
// never more.
import { type CaProgress, type RootPoint, WATCH_ROOT } from '../ca/change/index.js';
import type { DataDir } from '../data/index.js';
import { createOrderStore, giveOrder, unanswered } from '../data/orders/index.js';
import { type Context, writeLine } from '../terminal/index.js';
import { hearAnswer } from './order-answer.js';

export interface Place {
  readonly dataDir: DataDir;
  readonly context: Context;
  readonly options: {
    readonly wait?: boolean;
    /** Milliseconds. */
    readonly timeout: number;
  };
}

interface Steps {
  readonly stage?: 'trust' | 'sign' | undefined;
  readonly isBack?: boolean | undefined;
  readonly isTainted?: boolean | undefined;
}

/** Undefined: no change is under way. */
export function toStageText({ stage, isBack, isTainted }: Steps): string | undefined {
  if (stage === undefined) return undefined;
  if (isBack === true)
    return 'both roots are trusted, the old one signs again and the new one goes';
  if (stage === 'trust') return 'both roots are trusted, the old one signs';
  const text = 'both roots are trusted, the new one signs';
  return isTainted === true ? `${text}, the old one is bad` : text;
}

/** How far a change goes by itself, where that is not to its end. */
export function toGoalText(until: CaProgress['until']): string | undefined {
  if (until === 'trust') return 'prepared: `countersign ca activate` lets the new root sign';
  if (until === 'sign') return 'activated: `countersign ca rotate` lets the old root go';
  return undefined;
}

const WAITING: Readonly<Record<RootPoint, string>> = {
  trusted: 'expected every proxy to trust the new root but it waits for ',
  signing: 'expected every proxy to have a leaf of the new root but it waits for ',
  alone: 'expected the new root to stand alone but it waits for ',
  gone: 'expected nobody to need the root that goes but it waits for ',
};

export interface RootWait {
  readonly rootSha256: string;
  readonly point: RootPoint;
  /** What to print when it is there. */
  readonly done: string;
}

/** Waits until that root is there, and says who holds it up if the time runs out. */
export async function waitForRoot(
  { dataDir, context, options }: Place,
  { rootSha256, point, done }: RootWait,
): Promise<void> {
  const { clock, random, stdout, stderr } = context;
  const store = createOrderStore(dataDir);
  const { timeout } = options;
  // The server stops answering once this command can no longer be there to read it.
  const endMs = clock.now() + timeout;
  const order = { payload: { rootSha256, point }, deadlineMs: endMs + timeout + SPARE_MS };
  const { id } = await giveOrder(WATCH_ROOT, order, { store, clock, random });
  let said: string | undefined;
  let isStopped = false;
  const cancel = context.onStop(() => {
    isStopped = true;
  });
  const answer = await hearAnswer(
    WATCH_ROOT,
    { id, dataDir },
    {
      ...context,
      limitMs: timeout,
      until: (one) => {
        if (one.state !== 'waiting') return false;
        const text = toStageText(one.report);
        if (text !== undefined && text !== said) writeLine(stderr, text);
        said = text;
        return isHeld(one.report, endMs);
      },
    },
  ).finally(cancel);
  if (answer?.state === 'done') {
    writeLine(stdout, done);
    return;
  }
  await store.withdraw(id);
  if (isStopped) return;
  if (answer === undefined) {
    throw await unanswered(store, 'see its log; `countersign ca show` says how far the change is');
  }
  writeLine(stderr, `error: ${WAITING[point]}${toWho(answer.report)}`);
  const hint = 'countersign ca rotate --finish` says whom the end of the old root cuts off';
  if (answer.report.stage === 'sign') writeLine(stderr, `  hint: \`${hint}`);
  context.exitCode = 1;
}

function toWho({ waitingFor, until }: CaProgress): string {
  if (waitingFor.length > 0) return waitingFor.join(', ');
  return toGoalText(until) === undefined ? 'its next step' : "the operator's word";
}

/** Something that no waiting until then ends holds on to the root that goes. */
function isHeld({ holders = [] }: CaProgress, endMs: number): boolean {
  return holders.some(({ untilMs = Number.POSITIVE_INFINITY }) => untilMs > endMs);
}

const SPARE_MS = 60_000;
