// Where orders and receipts are kept. `OrderStore` is the port: another store than the data folder
// has these methods and no others. In the folder they are `orders/<id>.json` and
// `orders/<id>.receipt.json`, each written by one side only: no two writers share a file.
import { watch } from 'node:fs';
import { join } from 'node:path';
import { type Cancel, MeshError } from '../../base/index.js';
import { createJsonStore, type DataDir, isLockHeld, LOCK_FILE } from '../index.js';
import { isFinal, type Order, orderSchema, type Receipt, receiptSchema } from './order.js';

/** An order that waits, or, where `error` is given, what is left of one. */
export type PendingOrder =
  | { readonly id: string; readonly order: Order; readonly error?: undefined }
  | { readonly id: string; readonly error: MeshError };

export interface OrderStore {
  /** How an error names it. */
  readonly place: string;
  /** Durable when the promise resolves. @throws MeshError data-unwritable */
  put(order: Order): Promise<void>;
  /** The order goes without an answer. @throws MeshError data-unwritable */
  withdraw(id: string): Promise<void>;
  /** Those that are there, oldest first, damaged ones last. @throws MeshError data-unreadable */
  pending(): Promise<readonly PendingOrder[]>;
  /**
   * Durable when the promise resolves. With a final answer the order goes; one that is damaged is
   * kept aside. @throws MeshError data-unwritable
   */
  answer(receipt: Receipt): Promise<void>;
  /** The newest for that order. @throws MeshError data-damaged, data-unreadable */
  receipt(id: string): Promise<Receipt | undefined>;
  /** Removes receipts from before a time, and damaged ones. @throws MeshError data-unwritable */
  forgetReceipts(beforeMs: number): Promise<void>;
  /** Names of what lies among the orders and is none: nobody reads it. @throws data-unreadable */
  strays(): Promise<readonly string[]>;
  /** Whether a server holds this store now: without one nobody will answer. */
  isServed(): Promise<boolean>;
  /** Calls back when something may have changed; notices can be lost. */
  onNotice(listener: () => void): Cancel;
}

export const ORDERS_FOLDER = 'orders';
const ORDER = /^([0-9a-f]{32})\.json$/;
const RECEIPT = /^([0-9a-f]{32})\.receipt\.json$/;
/** Damaged ones, which have been reported. */
const SET_ASIDE = /^[0-9a-f]{32}(\.receipt)?\.json\.damaged-[0-9a-z.]+$/;

export function createOrderStore(dataDir: DataDir): OrderStore {
  return new FolderOrderStore(dataDir);
}

class FolderOrderStore implements OrderStore {
  readonly #dataDir: DataDir;

  constructor(dataDir: DataDir) {
    this.#dataDir = dataDir;
  }

  get place(): string {
    return this.#dataDir.path;
  }

  put(order: Order): Promise<void> {
    return this.#orders(order.id).write(order);
  }

  withdraw(id: string): Promise<void> {
    return this.#dataDir.remove(toOrderName(id));
  }

  async pending(): Promise<readonly PendingOrder[]> {
    const found: PendingOrder[] = [];
    for (const id of await this.#ids(ORDER)) {
      const one = await this.#read(id);
      if (one !== undefined) found.push(one);
    }
    return found.sort((a, b) => toAge(a) - toAge(b));
  }

  async answer(receipt: Receipt): Promise<void> {
    const { id, answer } = receipt;
    await this.#receipts(id).write(receipt);
    if (!isFinal(answer)) return;
    const isDamaged = (await this.#read(id))?.error !== undefined;
    if (isDamaged) await this.#dataDir.setAside(toOrderName(id));
    else await this.withdraw(id);
  }

  receipt(id: string): Promise<Receipt | undefined> {
    return this.#receipts(id).read();
  }

  async forgetReceipts(beforeMs: number): Promise<void> {
    const waiting = new Set(await this.#ids(ORDER));
    for (const id of await this.#ids(RECEIPT)) {
      if (waiting.has(id)) continue;
      const atMs = await this.receipt(id).then(
        (receipt) => receipt?.atMs ?? 0,
        () => 0,
      );
      if (atMs < beforeMs) await this.#dataDir.remove(toReceiptName(id));
    }
  }

  async strays(): Promise<readonly string[]> {
    const names = await this.#dataDir.list(ORDERS_FOLDER);
    return names.filter((name) => ![ORDER, RECEIPT, SET_ASIDE].some((known) => known.test(name)));
  }

  isServed(): Promise<boolean> {
    return isLockHeld(join(this.#dataDir.path, LOCK_FILE));
  }

  onNotice(listener: () => void): Cancel {
    try {
      const folder = join(this.#dataDir.path, ORDERS_FOLDER);
      const watcher = watch(folder, { persistent: false }, listener);
      watcher.on('error', () => watcher.close());
      return () => watcher.close();
    } catch {
      // Not there, or no notices from this file system.
      return () => undefined;
    }
  }

  async #ids(pattern: RegExp): Promise<readonly string[]> {
    const names = await this.#dataDir.list(ORDERS_FOLDER);
    return names.map((name) => pattern.exec(name)?.[1]).filter((id) => id !== undefined);
  }

  async #read(id: string): Promise<PendingOrder | undefined> {
    try {
      const order = await this.#orders(id).read();
      return order === undefined ? undefined : { id, order };
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'data-damaged') throw error;
      return { id, error };
    }
  }

  #orders(id: string) {
    const name = toOrderName(id);
    return createJsonStore({ dataDir: this.#dataDir, name, schema: orderSchema, version: 1 });
  }

  #receipts(id: string) {
    const name = toReceiptName(id);
    return createJsonStore({ dataDir: this.#dataDir, name, schema: receiptSchema, version: 1 });
  }
}

function toAge(one: PendingOrder): number {
  return one.error === undefined ? one.order.givenAtMs : Number.POSITIVE_INFINITY;
}

function toOrderName(id: string): string {
  return `${ORDERS_FOLDER}/${id}.json`;
}

function toReceiptName(id: string): string {
  return `${ORDERS_FOLDER}/${id}.receipt.json`;
}
