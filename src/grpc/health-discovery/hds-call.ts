// One stream of HDS. An Envoy whose stream ends comes back within a second, and goes on like that
// for ever: its backoff starts anew with each attempt. So the stream of one that may not report is
// held, open and silent, for as long as a discovery stream would stay away.
import {
  afterRunning,
  type Cancel,
  type Clock,
  type Logger,
  MeshError,
  RateLimit,
  SECOND_MS,
} from '../../base/index.js';
import type { Claimant, DiscoveryCall } from '../peer.js';
import { peerAddress, toCaller } from '../peer.js';
import { isForPeer, toStatus } from '../status.js';
import { decodeNode, decodeReport, type HealthReport } from './hds-message.js';

export type { HealthReport } from './hds-message.js';

/** A stream whose Envoy may report. */
export interface HealthStream<A> {
  readonly auth: A;
  /** A HealthCheckSpecifier: what it is to check from now on. */
  ask(specifier: Uint8Array): void;
  /** It is listened to no more, and is to try again in a while. */
  hold(): void;
}

export interface HealthHooks<A> {
  readonly onOpen: (stream: HealthStream<A>) => void;
  readonly onReport: (stream: HealthStream<A>, report: HealthReport) => void;
  /** It was closed, or is held. */
  readonly onClose: (stream: HealthStream<A>) => void;
}

export interface HealthHost<A> {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
  readonly hooks: HealthHooks<A>;
  /** Throws a MeshError where it may not report. */
  readonly authenticate: (claimant: Claimant) => Promise<A>;
  readonly remove: (stream: { readonly address: string }) => void;
}

type Phase<A> =
  /** For its first message. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'joining' }
  | { readonly kind: 'open'; readonly handle: HealthStream<A> }
  | { readonly kind: 'held' }
  | { readonly kind: 'closed' };

const FIRST_MESSAGE_MS = 10 * SECOND_MS;
/** The longest backoff of Envoy's discovery streams. */
const HOLD_MS = 30 * SECOND_MS;
/** It is asked for one in four seconds. */
const REPORTS = { perSecond: 2, burst: 20 } as const;

export class HealthCall<A> {
  readonly address: string;
  readonly #host: HealthHost<A>;
  readonly #call: DiscoveryCall;
  readonly #rate: RateLimit;
  #cancelDeadline: Cancel;
  #phase: Phase<A> = { kind: 'waiting' };
  /** The newest, where it reads slowly. */
  #unsent: Uint8Array | undefined;

  constructor(host: HealthHost<A>, call: DiscoveryCall) {
    this.#host = host;
    this.#call = call;
    this.address = peerAddress(call);
    const { clock } = host;
    this.#rate = new RateLimit({ clock, ...REPORTS });
    const callback = (): void => {
      const message = `expected a first message within ${FIRST_MESSAGE_MS} ms but got none`;
      this.close(new MeshError('timeout', message));
    };
    this.#cancelDeadline = afterRunning({ clock, delayMs: FIRST_MESSAGE_MS, callback });
    call.on('data', (bytes: Buffer) => this.#receive(bytes));
    call.on('drain', () => this.#send());
    call.on('end', () => this.close());
    for (const event of ['cancelled', 'error', 'close'])
      call.on(event, () => this.#leave('closed'));
  }

  /** Ends it with the error's status, or with OK. */
  close(error?: unknown): void {
    if (this.#phase.kind === 'closed') return;
    this.#leave('closed');
    if (this.#call.cancelled) return;
    if (error === undefined) this.#call.end();
    else this.#call.emit('error', toStatus(error));
  }

  #leave(kind: 'held' | 'closed'): void {
    const before = this.#phase;
    if (before.kind === 'closed' || before.kind === kind) return;
    this.#phase = { kind };
    this.#cancelDeadline();
    this.#unsent = undefined;
    if (before.kind === 'open') this.#host.hooks.onClose(before.handle);
    if (kind === 'closed') this.#host.remove(this);
  }

  #receive(bytes: Buffer): void {
    const { kind } = this.#phase;
    if (kind === 'closed' || kind === 'held') return;
    try {
      if (!this.#rate.tryTake()) {
        const message = `expected at most ${REPORTS.perSecond} reports a second on a stream`;
        throw new MeshError('resource-limit', message);
      }
      if (this.#phase.kind === 'waiting') this.#join(bytes);
      else if (this.#phase.kind === 'open') {
        this.#host.hooks.onReport(this.#phase.handle, decodeReport(bytes));
      }
    } catch (error) {
      this.#refuse(error);
    }
  }

  #join(bytes: Buffer): void {
    const node = decodeNode(bytes);
    this.#phase = { kind: 'joining' };
    this.#cancelDeadline();
    this.#call.pause();
    this.#host
      .authenticate({ ...toCaller(this.#call), node })
      .then((auth) => this.#open(auth))
      .catch((error: unknown) => this.#refuse(error))
      .finally(() => this.#call.resume());
  }

  #open(auth: A): void {
    if (this.#phase.kind !== 'joining') return;
    const handle: HealthStream<A> = {
      auth,
      ask: (specifier) => {
        this.#unsent = specifier;
        this.#send();
      },
      hold: () => this.#hold(),
    };
    this.#phase = { kind: 'open', handle };
    this.#host.hooks.onOpen(handle);
  }

  #send(): void {
    const specifier = this.#unsent;
    if (specifier === undefined || this.#call.writableNeedDrain) return;
    this.#unsent = undefined;
    this.#call.write(Buffer.from(specifier));
  }

  #refuse(error: unknown): void {
    if (this.#phase.kind === 'closed' || this.#phase.kind === 'held') return;
    const { logger } = this.#host;
    const peer = this.address;
    const reason = toStatus(error).details;
    if (isForPeer(error)) logger.warn({ peer, reason }, 'health reports refused');
    else logger.error({ peer, err: error }, 'a stream of health reports failed');
    this.#hold();
  }

  #hold(): void {
    this.#leave('held');
    this.#cancelDeadline = this.#host.clock.after(HOLD_MS, () => this.close());
  }
}
