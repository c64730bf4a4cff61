// How commands put an order to the server of a data folder and hear what it says. Nothing is
// assumed from silence: whoever gets no answer is told so.
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
} from '../data/orders/index.js';
import type { Context } from '../terminal/index.js';

/** The server has carried it out, or has seen it and says what it waits for. */
export type Accepted<R> = Extract<Answer<R>, { state: 'waiting' | 'done' }>;

export type Waiting<R> = Pick<AnswerWait<R>, 'limitMs' | 'until'>;

/**
 * The server's answer to an order. Undefined: no server has answered, or the user stopped.
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

/**
 * Whether the server of the folder has taken over a fact that is in it: its word, or undefined
 * where no server runs, which reads the fact when it starts.
 * @throws MeshError what the server refused it for
 */
export async function confirmFact<R>(
  kind: OrderKind<object, R>,
  dataDir: DataDir,
  context: Pick<Context, 'clock' | 'onStop' | 'random'>,
): Promise<Accepted<R> | undefined> {
  const store = createOrderStore(dataDir);
  if (!(await store.isServed())) return undefined;
  const { clock, random }: { clock: Clock; random: Random } = context;
  const order = { payload: {}, deadlineMs: clock.now() + MINUTE_MS };
  const { id } = await giveOrder(kind, order, { store, clock, random });
  const answer = await hearAnswer(kind, { id, dataDir }, context);
  if (answer === undefined) await store.withdraw(id);
  return answer;
}

function toAccepted<R>(answer: Answer<R> | undefined): Accepted<R> | undefined {
  if (answer?.state === 'refused') throw toRefusal(answer);
  if (answer?.state !== 'expired') return answer;
  throw new MeshError('order-expired', 'the server did not carry this out by its deadline', {
    hint: 'see `countersign status`, and give the order again',
  });
}
