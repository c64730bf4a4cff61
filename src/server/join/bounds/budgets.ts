// What sidecars may cost the server in memory, by who they proved to be: each node, each token or
// certificate, each service, and all together. The heap that Node was given decides how much that
// is. Requests that aren't whole yet have a budget of their own, by address: their senders have
// proved nothing. Who costs most is ended, with RESOURCE_EXHAUSTED; the others notice nothing.
import { MeshError } from '../../../base/index.js';
import type { Origin } from '../../../grpc/guard/index.js';
import type { DiscoveryStream } from '../../../grpc/index.js';
import { describeCredential } from '../proof.js';
import type { Sidecar } from '../sidecar.js';
import { Account } from './account.js';
import { toAddressKey } from './address-key.js';

const MIB = 1_048_576;

/** Streams of one node: one, and those that it left behind when its network broke. */
export const MAX_NODE_STREAMS = 8;
/** The same of a static Envoy, which has one for each of its secrets. */
export const MAX_STATIC_STREAMS = 32;
/** A mesh of 6,000 services costs a sidecar that calls them all about 5 MiB. */
const MAX_NODE_BYTES = 8 * MIB;
/** Parts of the heap, and of what all sidecars may cost. */
const ALL = 1 / 3;
const OF_SERVICE = 3 / 4;
const OF_CREDENTIAL = 1 / 2;
/** A first request may have 4 MiB, and a whole fleet may connect at once. */
const LEAST_INCOMING_BYTES = 64 * MIB;

type SidecarStream = DiscoveryStream<Sidecar>;

export interface BudgetsOptions {
  /** How large the heap may grow. */
  readonly heapBytes: number;
  /** A stream was ended for what it cost. */
  readonly onEnded: (ended: { readonly stream: SidecarStream; readonly error: MeshError }) => void;
  /** A request was refused, whosever it is. */
  readonly onRefused: (address: string, error: MeshError) => void;
}

/** In bytes. */
export interface BudgetView {
  readonly used: number;
  readonly all: number;
  readonly service: number;
  readonly credential: number;
  readonly node: number;
  /** Of requests that aren't whole yet. */
  readonly incoming: number;
  readonly maxIncoming: number;
  /** Streams that were ended since the server started. */
  readonly ended: number;
}

export class Budgets {
  readonly #options: BudgetsOptions;
  readonly #all: Account;
  readonly #service: number;
  readonly #credential: number;
  readonly #node: number;
  /** By address, below it each request. */
  readonly #incoming: Account;
  #requests = 0;
  #ended = 0;

  constructor(options: BudgetsOptions) {
    this.#options = options;
    const all = Math.floor(options.heapBytes * ALL);
    this.#all = new Account({ name: 'all sidecars', maxBytes: all });
    this.#service = Math.floor(all * OF_SERVICE);
    this.#credential = Math.floor(all * OF_CREDENTIAL);
    this.#node = Math.min(MAX_NODE_BYTES, this.#credential);
    const maxBytes = Math.max(Math.floor(all / 2), LEAST_INCOMING_BYTES);
    this.#incoming = new Account({ name: 'requests that are not whole', maxBytes });
  }

  /** @throws MeshError resource-limit where the node has too many streams */
  open(stream: SidecarStream): { set(bytes: number): void; close(): void } {
    const { service, node, credential, isStatic } = stream.auth;
    const shown = describeCredential(credential);
    const account = this.#all
      .child(service, { name: `service "${service}"`, maxBytes: this.#service })
      .child(shown, { name: shown, maxBytes: this.#credential })
      .child(node, { name: `node "${node}"`, maxBytes: this.#node })
      .child(isStatic ? 'secrets' : 'all', { name: `node "${node}"`, maxBytes: this.#node });
    const most = isStatic ? MAX_STATIC_STREAMS : MAX_NODE_STREAMS;
    if (account.size >= most) throw this.#refuse(stream, tooMany(node, most));
    return account.open(String(stream.id), {
      end: (of) => stream.close(this.#refuse(stream, tooMuch(of))),
    });
  }

  /** For a request that isn't whole, of whomever. */
  openRequest({ address }: Origin, end: (error: MeshError) => void): Account {
    const { maxBytes } = this.#incoming;
    this.#requests += 1;
    return this.#incoming
      .child(toAddressKey(address), { name: `requests from ${address}`, maxBytes })
      .open(String(this.#requests), {
        end: (of) => {
          const error = tooLittleWhole(of);
          this.#options.onRefused(address, error);
          end(error);
        },
      });
  }

  get view(): BudgetView {
    return {
      ...{ used: this.#all.bytes, all: this.#all.maxBytes, ended: this.#ended },
      ...{ service: this.#service, credential: this.#credential, node: this.#node },
      ...{ incoming: this.#incoming.bytes, maxIncoming: this.#incoming.maxBytes },
    };
  }

  #refuse(stream: SidecarStream, error: MeshError): MeshError {
    this.#ended += 1;
    this.#options.onEnded({ stream, error });
    return error;
  }
}

function tooLittleWhole({ maxBytes }: Account): MeshError {
  const message = `expected requests that are not whole to take at most ${maxBytes} bytes`;
  return new MeshError('resource-limit', message);
}

function tooMany(node: string, most: number): MeshError {
  const message = `expected at most ${most} streams of node "${node}"`;
  const hint = 'sidecars of one service need instance names, or addresses, of their own';
  return new MeshError('resource-limit', message, { hint });
}

function tooMuch({ name, maxBytes }: Account): MeshError {
  const message = `expected the streams of ${name} to cost at most ${maxBytes} bytes together`;
  const hint = 'this one costs most: it asks for too many names, or does not read';
  return new MeshError('resource-limit', message, { hint });
}
