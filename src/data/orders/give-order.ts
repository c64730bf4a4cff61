// The command's side: leaves an order and waits for its own receipt. Where no server holds the
// store nobody waits; where one does and stays silent, that is said, and nothing is assumed.
import { type Clock, MeshError, type Random, SECOND_MS } from '../../base/index.js';
import { type Answer, isFinal, type Order, type OrderKind, type Receipt } from './order.js';
import type { OrderStore } from './order-store.js';

/** A server that starts looks after two seconds; some orders take it a while. */
export const ANSWER_WITHIN_MS = 30 * SECOND_MS;
const POLL_MS = 500;
/** Whether a server is there is asked once in so many polls. */
const ASK_EVERY = 4;
const ID_BYTES = 16;

export interface NewOrder<P> {
  readonly payload: P;
  readonly deadlineMs?: number;
}

/** Leaves an order; it is durable when the promise resolves. @throws MeshError data-unwritable */
export async function giveOrder<P>(
  kind: Pick<OrderKind<P, unknown>, 'name' | 'payload'>,
  order: NewOrder<P>,
  tools: { readonly store: OrderStore; readonly clock: Clock; readonly random: Random },
): Promise<Order<P>> {
  const id = tools.random.bytes(ID_BYTES).toString('hex');
  const given = { id, kind: kind.name, givenAtMs: tools.clock.now(), ...order };
  await tools.store.put(given);
  return given;
}

export interface AnswerWait<R> {
  readonly store: OrderStore;
  readonly clock: Clock;
  /** Ends the wait as its limit does. */
  readonly signal: AbortSignal;
  /** Default: `ANSWER_WITHIN_MS`. */
  readonly limitMs?: number;
  /** Whether that answer is what is waited for. Default: any is. */
  readonly until?: (answer: Answer<R>) => boolean;
}

/**
 * The newest answer to an order, as soon as it is the one that is waited for; at the limit the one
 * that there is. Undefined: no server has seen the order, or none is there any more.
 * @throws MeshError data-damaged, data-unreadable
 */
export async function awaitAnswer<R>(
  kind: Pick<OrderKind<unknown, R>, 'report'>,
  id: string,
  wait: AnswerWait<R>,
): Promise<Answer<R> | undefined> {
  const { store, clock, signal, limitMs = ANSWER_WITHIN_MS, until = () => true } = wait;
  const endMs = clock.now() + limitMs;
  const notices = new Notices(store);
  try {
    for (let polls = 0; ; polls++) {
      const isServed = polls % ASK_EVERY === 0 ? await store.isServed() : true;
      const answer = toTyped(kind, await store.receipt(id));
      if (answer !== undefined && (isFinal(answer) || until(answer))) return answer;
      if (!isServed) return undefined;
      if (signal.aborted || clock.now() >= endMs) return answer;
      await notices.next({ clock, signal, waitMs: Math.min(POLL_MS, endMs - clock.now()) });
    }
  } finally {
    notices.end();
  }
}

/** Nobody answered. */
export async function unanswered(store: OrderStore, hint: string): Promise<MeshError> {
  const who = (await store.isServed())
    ? `the server that holds ${store.place} has not answered`
    : `no server runs on ${store.place}`;
  return new MeshError('order-unanswered', `no server has seen this order: ${who}`, { hint });
}

/** The server's refusal as the command's error. */
export function toRefusal({ error }: Extract<Answer, { state: 'refused' }>): MeshError {
  const { code, message, hint, variant } = error;
  return new MeshError(code, `the server says: ${message}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(variant === undefined ? {} : { variant }),
  });
}

function toTyped<R>(
  kind: Pick<OrderKind<unknown, R>, 'report'>,
  receipt: Receipt | undefined,
): Answer<R> | undefined {
  if (receipt === undefined) return undefined;
  const { answer } = receipt;
  if (answer.state === 'refused' || answer.state === 'expired') return answer;
  const report = kind.report.safeParse(answer.report);
  if (report.success) return { state: answer.state, report: report.data };
  throw new MeshError('server-error', "expected the server's receipt in its form", {
    hint: 'command and server are of different versions: use the same one',
  });
}

/** Notices of the store as something to wait for; one that came between two waits is kept. */
class Notices {
  readonly #cancel: () => void;
  #noticed = false;
  #wake: (() => void) | undefined;

  constructor(store: OrderStore) {
    this.#cancel = store.onNotice(() => {
      this.#noticed = true;
      this.#wake?.();
    });
  }

  /** Resolves at a notice, at the end of the signal or after that long. */
  async next({ clock, signal, waitMs }: NoticeWait): Promise<void> {
    if (!this.#noticed && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(waitMs, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
        signal.addEventListener('abort', this.#wake, { once: true });
      });
      if (this.#wake !== undefined) signal.removeEventListener('abort', this.#wake);
    }
    this.#noticed = false;
    this.#wake = undefined;
  }

  end(): void {
    this.#cancel();
  }
}

interface NoticeWait {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly waitMs: number;
}
