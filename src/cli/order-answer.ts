// How commands leave an order for the server of a data folder, and get its answer. Silence is never
// taken for success: a command that gets no answer says so.
import { type Clock, MeshError, MINUTE_MS, type Random } from '../base/index.js';
import type { DataDir } from '../data/index.js';
import {
  type Answer,
  type AnswerWait,
  awaitAnswer,
  createOrderStore,
  giveOrder,
  type OrderKind,
  toRefusal,
  unanswered,
} from '../data/orders/index.js';
import { type Context, writeLine } from '../terminal/index.js';
import { reportError } from './exit.js';

/** The server has carried the order out, or has seen it and says what it is waiting for. */
export type Accepted<R> = Extract<Answer<R>, { state: 'waiting' | 'done' }>;

export type Waiting<R> = Pick<AnswerWait<R>, 'limitMs' | 'until'>;

/**
 * The server's answer to an order; undefined if no server has answered, or the user stopped.
 * @throws MeshError what the server refused it for; order-expired
 */
export async function hearAnswer<R>(
  kind: Pick<OrderKind<unknown, R>, 'report'>,
  order: { readonly id: string; readonly dataDir: DataDir },
  { clock, onStop, ...waiting }: Pick<Context, 'clock' | 'onStop'> & Waiting<R>,
): Promise<Accepted<R> | undefined> {
  const abort = new AbortController();
  const cancel = onStop(() => abort.abort());
  const store = createOrderStore(order.dataDir);
  try {
    const wait = { store, clock, signal: abort.signal, ...waiting };
    return toAccepted(await awaitAnswer(kind, order.id, wait));
  } finally {
    cancel();
  }
}

/** What the server of the folder says about a fact that is stored in it. */
export type Confirmation<R> =
  /** No server runs: the next one reads the fact when it starts. */
  { readonly state: 'unserved' } | { readonly state: 'taken'; readonly report: R } | Unconfirmed;

/** `silent`: a server runs, and whether it has the fact in force is not known. */
export interface Unconfirmed {
  readonly state: 'refused' | 'silent';
  readonly error: MeshError;
}

/** Doesn't throw if the server refuses: the fact is stored, and the command must say so. */
export async function confirmFact<R>(
  kind: OrderKind<object, R>,
  dataDir: DataDir,
  context: Pick<Context, 'clock' | 'onStop' | 'random'>,
): Promise<Confirmation<R>> {
  const store = createOrderStore(dataDir);
  if (!(await store.isServed())) return { state: 'unserved' };
  const { clock, random }: { clock: Clock; random: Random } = context;
  const order = { payload: {}, deadlineMs: clock.now() + MINUTE_MS };
  try {
    const { id } = await giveOrder(kind, order, { store, clock, random });
    const answer = await hearAnswer(kind, { id, dataDir }, context);
    if (answer !== undefined) return { state: 'taken', report: answer.report };
    await store.withdraw(id);
    if (!(await store.isServed())) return { state: 'unserved' };
    return { state: 'silent', error: await unanswered(store, 'see its log') };
  } catch (error) {
    if (error instanceof MeshError) return { state: 'refused', error };
    throw error;
  }
}

export function isUnconfirmed<R>(confirmation: Confirmation<R>): confirmation is Unconfirmed {
  return confirmation.state === 'refused' || confirmation.state === 'silent';
}

/** Says of a stored fact that it isn't in force. */
export const UNCONFIRMED: Readonly<Record<Unconfirmed['state'], string>> = {
  refused: 'stored, but not in force: the server could not take it over',
  silent: 'stored; the server has not said whether it is in force',
};

/** Prints why a stored fact is not in force, and `next`, what will happen to it. */
export function reportUnconfirmed({ error }: Unconfirmed, next: string, context: Context): void {
  context.exitCode = reportError(error, context);
  writeLine(context.stderr, `  hint: ${next}`);
}

/** What to do about an order that no server has answered. */
export function toWayOn(id: string): string {
  return `start \`countersign serve\` there, or remove orders/${id}.json to withdraw the order`;
}

function toAccepted<R>(answer: Answer<R> | undefined): Accepted<R> | undefined {
  if (answer?.state === 'refused') throw toRefusal(answer);
  if (answer?.state !== 'expired') return answer;
  throw new MeshError('order-expired', 'the server did not carry this out by the deadline', {
    hint: 'see `countersign status`, and give the order again',
  });
}
