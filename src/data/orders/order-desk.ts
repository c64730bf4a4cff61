// The server's side: takes the orders that are there by their kind, carries each out and answers
// it. An order that must wait (a sidecar is not connected, a change is under way) stays, with a
// receipt that says what for, and is looked at again. What can't be stored now is tried again at
// the next look; everything else that goes wrong is the order's answer, and never the server's end.
import { type Clock, HOUR_MS, type Logger, MeshError } from '../../base/index.js';
import { type Answer, isFinal, type Order, type OrderKind, type Receipt } from './order.js';
import type { OrderStore, PendingOrder } from './order-store.js';

/** What a handler says; an error that it throws is the refusal. */
export type Answered<R> = Extract<Answer<R>, { state: 'waiting' | 'done' }>;

/** Idempotent: called again where the server was killed before the receipt was written. */
export type CarryOut<P, R> = (order: Order<P>) => Promise<Answered<R>>;

export interface OrderDeskOptions {
  readonly store: OrderStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Its command waits for seconds; somebody may look later what became of it. */
const KEEP_RECEIPTS_MS = 24 * HOUR_MS;
const FORGET_EVERY_MS = HOUR_MS;
/** So many strays are named in one log line. */
const STRAYS_NAMED = 20;

export class OrderDesk {
  readonly #options: OrderDeskOptions;
  readonly #handlers = new Map<string, CarryOut<unknown, unknown>>();
  /** By order: the waiting answer that is stored. */
  #waiting = new Map<string, string>();
  #running: Promise<void> = Promise.resolve();
  /** A look that has yet to begin. */
  #queued: Promise<void> | undefined;
  #strays: readonly string[] = [];
  #forgotAtMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: OrderDeskOptions) {
    this.#options = options;
  }

  /** Takes orders of this kind from now on. Before the first look. */
  register<P, R>(kind: OrderKind<P, R>, carryOut: CarryOut<P, R>): void {
    this.#handlers.set(kind.name, async (order) => {
      const parsed = kind.payload.safeParse(order.payload);
      if (parsed.success) return carryOut({ ...order, payload: parsed.data });
      const place = ['payload', ...(parsed.error.issues[0]?.path ?? [])].join('.');
      throw new MeshError('request-invalid', `expected ${place} of an order in its form`, {
        hint: ANOTHER_VERSION,
      });
    });
  }

  /** Carries out what is there. @throws MeshError what could not be stored or read */
  look(): Promise<void> {
    this.#queued ??= this.#running.then(() => {
      this.#queued = undefined;
      return this.#stopped ? undefined : this.#look();
    });
    this.#running = this.#queued.catch(() => undefined);
    return this.#queued;
  }

  /** Something that an order may wait for has changed: looks where one does. */
  nudge(): void {
    if (this.#waiting.size === 0 || this.#queued !== undefined) return;
    this.look().catch((err: unknown) => {
      this.#options.logger.error({ err }, 'an order could not be carried out: it is tried again');
    });
  }

  /** Files among the orders that are none, as of the last look. */
  get strays(): readonly string[] {
    return this.#strays;
  }

  /** Resolves when no order is being carried out. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #look(): Promise<void> {
    const { store, clock } = this.#options;
    await this.#lookForStrays();
    const pending = await store.pending();
    const known = new Set(pending.map(({ id }) => id));
    this.#waiting = new Map([...this.#waiting].filter(([id]) => known.has(id)));
    // A kind in the order given; one that takes long holds up no other.
    const kinds = [...new Set(pending.map(toKind))].map((kind) =>
      pending.filter((one) => toKind(one) === kind),
    );
    const done = await Promise.allSettled(kinds.map((ones) => this.#handleAll(ones)));
    const failed = done.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const nowMs = clock.now();
    if (Math.abs(nowMs - this.#forgotAtMs) < FORGET_EVERY_MS) return;
    this.#forgotAtMs = nowMs;
    await store.forgetReceipts(nowMs - KEEP_RECEIPTS_MS);
  }

  /** Each is reported once, by its name. */
  async #lookForStrays(): Promise<void> {
    const { store, logger } = this.#options;
    const known = new Set(this.#strays);
    this.#strays = await store.strays();
    const files = this.#strays.filter((name) => !known.has(name));
    if (files.length === 0) return;
    const more = Math.max(0, files.length - STRAYS_NAMED);
    logger.warn(
      { files: files.slice(0, STRAYS_NAMED), ...(more === 0 ? {} : { more }) },
      'files among the orders are not orders: nothing carries them out',
    );
  }

  async #handleAll(ones: readonly PendingOrder[]): Promise<void> {
    for (const one of ones) {
      if (!this.#stopped) await this.#handle(one);
    }
  }

  async #handle(one: PendingOrder): Promise<void> {
    const { store, clock } = this.#options;
    const earlier = await this.#tryReceipt(one.id);
    // Killed between the receipt and the removal of the order: it was carried out.
    const isOver = earlier !== undefined && isFinal(earlier.answer);
    const answer = isOver ? earlier.answer : await this.#toAnswer(one);
    const text = JSON.stringify(answer);
    if (!isFinal(answer) && this.#waiting.get(one.id) === text) return;
    const atMs = isOver ? earlier.atMs : clock.now();
    await store.answer({ id: one.id, atMs, answer });
    if (isFinal(answer)) this.#waiting.delete(one.id);
    else this.#waiting.set(one.id, text);
    if (!isOver) this.#log(one, answer);
  }

  async #tryReceipt(id: string): Promise<Receipt | undefined> {
    try {
      return await this.#options.store.receipt(id);
    } catch (error) {
      // Written anew.
      if (error instanceof MeshError && error.code === 'data-damaged') return undefined;
      throw error;
    }
  }

  async #toAnswer(one: PendingOrder): Promise<Answer> {
    if (one.error !== undefined) return toRefused(one.error);
    const { order } = one;
    const { deadlineMs = Number.POSITIVE_INFINITY } = order;
    if (this.#options.clock.now() >= deadlineMs) return { state: 'expired' };
    const carryOut = this.#handlers.get(order.kind);
    if (carryOut === undefined) return toRefused(unknownKind(order.kind));
    try {
      return await carryOut(order);
    } catch (error) {
      if (isPassing(error)) throw error;
      if (error instanceof MeshError) return toRefused(error);
      this.#options.logger.error({ err: error, id: order.id }, 'an order failed by a defect');
      const message = 'expected to carry out the order but got an internal error';
      return toRefused(new MeshError('server-error', message, { hint: "see the server's log" }));
    }
  }

  #log(one: PendingOrder, answer: Answer): void {
    const { logger } = this.#options;
    const fields = { id: one.id, kind: toKind(one) };
    switch (answer.state) {
      case 'refused':
        logger.warn({ ...fields, ...answer.error }, 'an order was refused');
        return;
      case 'expired':
        logger.warn(fields, 'an order was not carried out by its deadline');
        return;
      default:
        logger.info(
          { ...fields, state: answer.state, report: answer.report },
          'an order was taken',
        );
    }
  }
}

const ANOTHER_VERSION = 'command and server are of different versions: use the same one';

/** Undefined: what it was can't be read. */
function toKind(one: PendingOrder): string | undefined {
  return one.error === undefined ? one.order.kind : undefined;
}

/** The disk may have room again at the next look. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof MeshError &&
    (error.code === 'data-unwritable' || error.code === 'data-unreadable')
  );
}

function toRefused({ code, message, hint, variant }: MeshError): Answer {
  return { state: 'refused', error: { code, message, hint, variant } };
}

function unknownKind(kind: string): MeshError {
  const message = `expected an order that this server carries out but got "${kind}"`;
  return new MeshError('request-invalid', message, { hint: ANOTHER_VERSION });
}
