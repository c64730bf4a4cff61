// The connections of the xDS port: how many there may be, and which go when there are too many.
// One that nobody has proved anything on is cheap to open for anybody: it has ten seconds, and
// makes room for a newer one. One that a sidecar uses stays, whatever others do. Some places are
// for addresses at which there were sidecars before, so that a fleet comes back.
import type { Socket } from 'node:net';
import { type Cancel, type Clock, MeshError, RateLimit, SECOND_MS } from '../../../base/index.js';
import { type Origin, toAddress } from '../../../grpc/guard/index.js';
import { toAddressKey } from './address-key.js';
import { KnownAddresses } from './known-addresses.js';

/** Of connections; a part of `all` is reserved for addresses that are known. */
export interface ConnectionLimits {
  readonly all: number;
  readonly ofAddress: number;
  /** On which nobody has proved anything. */
  readonly unproved: number;
}

export interface ConnectionsOptions {
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  /** Addresses at which there were sidecars before. */
  readonly known: Iterable<string>;
  /** A connection was refused, or cut for what its client did. */
  readonly onRefusal: (address: string, error: MeshError) => void;
}

/** One in so many places is reserved. */
const RESERVED = 10;
const LOOK_MS = SECOND_MS;
/** A connection without a call of somebody proved is closed after so many looks. */
const IDLE_LOOKS = 10;
/** Every so many looks it is looked who has said anything since. */
const STILL_EVERY = 10;
/** A live client answers a ping each 30 s: who has said nothing for so many looks is gone. */
const STILL_LOOKS = 60;
/** Calls that one connection may begin at once, and each second after that. */
const CALL_BURST = 500;
const CALLS_PER_SECOND = 50;

interface Connection {
  readonly socket: Socket;
  /** As it is shown, and as it is counted. */
  readonly address: string;
  readonly party: string;
  readonly key: string;
  readonly calls: RateLimit;
  isProved: boolean;
  openCalls: number;
  idleLooks: number;
  bytesRead: number;
  stillLooks: number;
}

export interface ConnectionsView {
  readonly open: number;
  /** Of these, on which nobody has proved anything. */
  readonly unproved: number;
  readonly limits: ConnectionLimits;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #known: KnownAddresses;
  readonly #all = new Map<string, Connection>();
  readonly #parties = new Map<string, Set<Connection>>();
  /** The oldest first. */
  readonly #unproved = new Set<Connection>();
  #cancelLook: Cancel | undefined;
  #looks = 0;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#known = new KnownAddresses(options.known);
  }

  /** There is a sidecar at that address. */
  noteSidecar(address: string): void {
    this.#known.add(address);
  }

  get view(): ConnectionsView {
    const { limits } = this.#options;
    return { open: this.#all.size, unproved: this.#unproved.size, limits };
  }

  start(): void {
    this.#cancelLook = this.#options.clock.after(LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#cancelLook?.();
  }

  /** A connection was accepted; where there is no place for it, it is closed. */
  add(socket: Socket): void {
    const address = toAddress(socket.remoteAddress);
    const party = toAddressKey(address);
    const refusal = this.#makeRoom(address, party);
    if (refusal !== undefined) {
      socket.destroy();
      this.#options.onRefusal(address, refusal);
      return;
    }
    const { clock } = this.#options;
    const calls = new RateLimit({ clock, perSecond: CALLS_PER_SECOND, burst: CALL_BURST });
    const key = toKey({ address, port: socket.remotePort });
    const counts = { isProved: false, openCalls: 0, idleLooks: 0, bytesRead: 0, stillLooks: 0 };
    const connection: Connection = { socket, address, party, key, calls, ...counts };
    this.#all.set(key, connection);
    this.#unproved.add(connection);
    this.#parties.set(party, (this.#parties.get(party) ?? new Set()).add(connection));
    socket.once('close', () => this.#forget(connection));
  }

  /** Somebody proved on it who they are. */
  proved(origin: Origin): void {
    const connection = this.#all.get(toKey(origin));
    if (connection === undefined) return;
    connection.isProved = true;
    this.#unproved.delete(connection);
  }

  /**
   * A call has begun on it; the result is to be called at its end. One call too many ends the
   * connection.
   */
  beginCall(origin: Origin): () => void {
    const connection = this.#all.get(toKey(origin));
    if (connection === undefined) return () => undefined;
    if (!connection.calls.tryTake()) {
      const message = `expected at most ${CALLS_PER_SECOND} calls a second on a connection`;
      this.#cut(connection, new MeshError('resource-limit', message));
      return () => undefined;
    }
    connection.openCalls += 1;
    return () => {
      connection.openCalls -= 1;
    };
  }

  #makeRoom(address: string, party: string): MeshError | undefined {
    const { limits } = this.#options;
    const own = this.#parties.get(party);
    if (own !== undefined && own.size >= limits.ofAddress && !this.#evict(own)) {
      const message = `expected at most ${limits.ofAddress} connections from one address`;
      return new MeshError('resource-limit', message);
    }
    if (this.#unproved.size >= limits.unproved) this.#evict(this.#mostUnproved());
    const most = this.#known.has(address)
      ? limits.all
      : limits.all - Math.ceil(limits.all / RESERVED);
    if (this.#all.size < most || this.#evict(this.#mostUnproved())) return undefined;
    return new MeshError('resource-limit', `expected at most ${most} connections`);
  }

  /** The unproved ones of the address that has most of them, the oldest first. */
  #mostUnproved(): Iterable<Connection> {
    const counts = new Map<string, number>();
    let most: string | undefined;
    for (const { party } of this.#unproved) {
      const count = (counts.get(party) ?? 0) + 1;
      counts.set(party, count);
      if (count > (counts.get(most ?? '') ?? 0)) most = party;
    }
    return this.#parties.get(most ?? '') ?? [];
  }

  /** Closes the first of these that nobody has proved anything on. */
  #evict(among: Iterable<Connection>): boolean {
    for (const connection of among) {
      if (connection.isProved) continue;
      this.#close(connection);
      return true;
    }
    return false;
  }

  #look(): void {
    this.#looks += 1;
    const isForStill = this.#looks % STILL_EVERY === 0;
    for (const connection of [...this.#all.values()]) {
      const isUsed = connection.isProved && connection.openCalls > 0;
      connection.idleLooks = isUsed ? 0 : connection.idleLooks + 1;
      if (isForStill) lookForLife(connection);
      if (connection.idleLooks > IDLE_LOOKS || connection.stillLooks >= STILL_LOOKS) {
        this.#close(connection);
      }
    }
  }

  #cut(connection: Connection, error: MeshError): void {
    this.#close(connection);
    this.#options.onRefusal(connection.address, error);
  }

  #close(connection: Connection): void {
    this.#forget(connection);
    connection.socket.destroy();
  }

  #forget(connection: Connection): void {
    const { key, party } = connection;
    if (this.#all.get(key) === connection) this.#all.delete(key);
    this.#unproved.delete(connection);
    const own = this.#parties.get(party);
    own?.delete(connection);
    if (own?.size === 0) this.#parties.delete(party);
  }
}

/** Node's http2 loses a socket whose client ended it by RST at a bad moment: it is never closed. */
function lookForLife(connection: Connection): void {
  const { bytesRead } = connection.socket;
  connection.stillLooks =
    bytesRead === connection.bytesRead ? connection.stillLooks + STILL_EVERY : 0;
  connection.bytesRead = bytesRead;
}

function toKey({ address, port }: Origin): string {
  return `${address} ${port}`;
}
