// Who is looked at next. To prove somebody, or to read a long list of names, costs the server
// milliseconds, and thousands may want it at once: a little is done, then whatever else waits (a
// health check, an answer of a sidecar) has its turn. Connections take turns, so that one with a
// thousand streams waits for itself; who is to come first does, and the others in between.

/** So much is done before others have a turn. */
const AT_ONCE = 16;
/** One in so many is of those that come last, so that they come at all. */
const LAST = 4;

export interface TurnOptions {
  readonly isFirst: boolean;
  /** What it costs, in parts of a turn; default 1. */
  readonly weight?: number;
  /** Whoever waits has gone: that turn costs nothing. */
  readonly isGone?: () => boolean;
}

interface Waiting {
  readonly resolve: () => void;
  readonly weight: number;
  readonly isGone: () => boolean;
}

export class Turns {
  readonly #otherTurn: (next: () => void) => void;
  /** By connection. */
  readonly #first = new Map<string, Waiting[]>();
  readonly #last = new Map<string, Waiting[]>();
  #done = 0;
  #served = 0;
  #isRunning = false;

  /** @param otherTurn Calls back once everything else had a turn. */
  constructor(otherTurn: (next: () => void) => void = setImmediate) {
    this.#otherTurn = otherTurn;
  }

  /** Undefined: it is that connection's turn now. Else it is when the promise is resolved. */
  take(connection: string, options: TurnOptions): Promise<void> | undefined {
    const { isFirst, weight = 1, isGone = () => false } = options;
    if (!this.#isRunning) this.#run();
    if (this.#done < AT_ONCE && this.#first.size + this.#last.size === 0) {
      this.#done += weight;
      return undefined;
    }
    const queues = isFirst ? this.#first : this.#last;
    return new Promise<void>((resolve) => {
      const queue = queues.get(connection) ?? [];
      queue.push({ resolve, weight, isGone });
      queues.set(connection, queue);
    });
  }

  #run(): void {
    this.#isRunning = true;
    this.#otherTurn(() => {
      this.#done = 0;
      while (this.#done < AT_ONCE && this.#next());
      this.#isRunning = false;
      if (this.#first.size + this.#last.size > 0) this.#run();
    });
  }

  /** Lets the next one go; false where nobody waits. */
  #next(): boolean {
    this.#served += 1;
    const isLast = this.#first.size === 0 || (this.#served % LAST === 0 && this.#last.size > 0);
    const queues = isLast ? this.#last : this.#first;
    const [next] = queues;
    if (next === undefined) return false;
    const [connection, queue] = next;
    queues.delete(connection);
    const waiting = queue.shift();
    if (waiting?.isGone() === false) this.#done += waiting.weight;
    waiting?.resolve();
    // Behind the others.
    if (queue.length > 0) queues.set(connection, queue);
    return true;
  }
}
