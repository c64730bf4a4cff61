/** The newest `limit` lines of a stream of text, each cut at `lineLimit` characters. */
export class LogRing {
  readonly #limit: number;
  readonly #lineLimit: number;
  #lines: string[] = [];
  #total = 0;

  constructor({ limit = 5000, lineLimit = 4000 } = {}) {
    this.#limit = limit;
    this.#lineLimit = lineLimit;
  }

  /** How many lines were dropped for newer ones. */
  get dropped(): number {
    return Math.max(0, this.#total - this.#limit);
  }

  lines(): readonly string[] {
    return this.#lines.slice(-this.#limit);
  }

  /** A writer for one source; each source has its own unfinished line. */
  writer(): { write(text: string): void; end(): void } {
    let open = '';
    return {
      write: (text) => {
        const parts = (open + text).split('\n');
        open = (parts.pop() ?? '').slice(0, this.#lineLimit);
        for (const line of parts) this.#push(line);
      },
      end: () => {
        if (open !== '') this.#push(open);
        open = '';
      },
    };
  }

  #push(line: string): void {
    this.#lines.push(line.slice(0, this.#lineLimit));
    this.#total++;
    // Cut in batches: shifting an array at each line would cost its length each time.
    if (this.#lines.length >= this.#limit * 2) this.#lines = this.#lines.slice(-this.#limit);
  }
}
