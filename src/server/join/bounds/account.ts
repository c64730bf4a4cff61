// A tree of accounts: what each costs is what those below it cost together. Where one costs more
// than it may, the heaviest below it pays, level by level, and of equal ones the newest: whoever
// takes little keeps it, however much others take.

/** One that can be ended: a stream, or a request that isn't whole yet. */
export interface Debtor {
  /** Ends it; its account is closed by then, or soon. */
  end(of: Account): void;
}

export interface AccountOptions {
  /** What it is of, as a message says it. */
  readonly name: string;
  readonly maxBytes: number;
}

export class Account {
  readonly name: string;
  readonly maxBytes: number;
  readonly #parent: Account | undefined;
  /** The newest last. */
  readonly #below = new Map<string, Account>();
  readonly #key: string;
  readonly #debtor: Debtor | undefined;
  #bytes = 0;
  #isOpen = true;

  constructor({ name, maxBytes }: AccountOptions, below?: Below) {
    this.name = name;
    this.maxBytes = maxBytes;
    this.#parent = below?.parent;
    this.#key = below?.key ?? '';
    this.#debtor = below?.debtor;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many are below it. */
  get size(): number {
    return this.#below.size;
  }

  /** The account of that key below this one; one without anything below it is forgotten. */
  child(key: string, options: AccountOptions): Account {
    const known = this.#below.get(key);
    if (known !== undefined) return known;
    return this.#add(key, new Account(options, { parent: this, key, debtor: undefined }));
  }

  /** Undefined where there is none of that key. */
  find(key: string): Account | undefined {
    return this.#below.get(key);
  }

  /** The account of one that can be ended. */
  open(key: string, debtor: Debtor): Account {
    const options = { name: this.name, maxBytes: Number.POSITIVE_INFINITY };
    return this.#add(key, new Account(options, { parent: this, key, debtor }));
  }

  /** It costs so many bytes from now on; where that is too much for one above it, one is ended. */
  set(bytes: number): void {
    if (!this.#isOpen) return;
    this.#change(bytes - this.#bytes);
    for (let at = this.#parent; at !== undefined; at = at.#parent) at.#settle();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#change(-this.#bytes);
    this.#isOpen = false;
    if (this.#parent !== undefined) this.#parent.#drop(this);
  }

  /** Ends whoever it is of, for what that one above it costs. */
  end(above: Account): void {
    this.#debtor?.end(above);
  }

  #add(key: string, account: Account): Account {
    this.#below.set(key, account);
    return account;
  }

  #drop(account: Account): void {
    this.#below.delete(account.#key);
    if (this.#below.size === 0 && this.#parent !== undefined) this.#parent.#drop(this);
  }

  #change(by: number): void {
    for (let at: Account | undefined = this; at !== undefined; at = at.#parent) at.#bytes += by;
  }

  #settle(): void {
    while (this.#bytes > this.maxBytes) {
      const heaviest = this.#heaviest();
      if (heaviest === undefined) return;
      heaviest.close();
      heaviest.end(this);
    }
  }

  /** Of those that can be ended. */
  #heaviest(): Account | undefined {
    let at: Account | undefined = this;
    while (at !== undefined && at.#debtor === undefined) {
      let most: Account | undefined;
      for (const one of at.#below.values()) {
        if (most === undefined || one.#bytes >= most.#bytes) most = one;
      }
      at = most;
    }
    return at;
  }
}

interface Below {
  readonly parent: Account;
  readonly key: string;
  readonly debtor: Debtor | undefined;
}
