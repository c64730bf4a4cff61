// One stream from its first request to its end: who it is, what it asks, and who hears of it. What
// it is sent is the session's matter (`session-driver.ts`): nothing before the stream is `open` or
// after it is `closed`. A failure of our own ends it with "internal error", so that the peer comes
// back and starts afresh.
import { afterRunning, type Cancel, MeshError, toShortText } from '../base/index.js';
import { decodeRequest, type Node, type Request, type Response } from '../xds/index.js';
import { letGo, tryHttp2Stream } from './guard/index.js';
import type { DiscoveryStream, StreamId, StreamKind, StreamUpdate } from './handle.js';
import type { DiscoveryHooks, Host } from './host.js';
import { Meter } from './meter.js';
import { type DiscoveryCall, peerAddress, toCaller } from './peer.js';
import { RequestGate } from './request-gate.js';
import { SessionDriver } from './session-driver.js';
import { isForPeer, toStatus } from './status.js';
import { toSteering } from './steering.js';

/** Characters of a type URL that a message repeats. */
const MAX_SHOWN = 200;

type Phase<A> =
  /** For its first request. */
  | { readonly kind: 'waiting' }
  /** The host authenticates it; its further requests wait in the transport. */
  | { readonly kind: 'joining' }
  | { readonly kind: 'open'; readonly handle: DiscoveryStream<A> }
  | { readonly kind: 'closed' };

export class Stream<A> {
  readonly #id: StreamId;
  readonly #call: DiscoveryCall;
  readonly #host: Host<A>;
  readonly #kind: StreamKind;
  readonly #address: string;
  readonly #gate: RequestGate;
  readonly #session: SessionDriver;
  #phase: Phase<A> = { kind: 'waiting' };
  #cancelDeadline: Cancel;
  #meter: Meter | undefined;

  constructor(host: Host<A>, options: { id: StreamId; call: DiscoveryCall; kind: StreamKind }) {
    const { id, call, kind } = options;
    this.#id = id;
    this.#call = call;
    this.#host = host;
    this.#kind = kind;
    this.#address = peerAddress(call);
    const { clock, limits } = host;
    this.#gate = new RequestGate(limits, clock);
    this.#session = new SessionDriver({
      ...{ kind, limits, clock, transport: call },
      isOpen: () => this.#phase.kind === 'open',
      onSent: (response) => this.#reportSent(response),
      onFail: (error) => this.#refuse(error),
      ...(host.account && { onCost: (bytes: number) => this.#meter?.tell(bytes) }),
    });
    const { firstRequestTimeoutMs } = limits;
    const callback = (): void => {
      const message = `expected a first request within ${firstRequestTimeoutMs} ms but got none`;
      this.close(new MeshError('timeout', message));
    };
    this.#cancelDeadline = afterRunning({ clock, delayMs: firstRequestTimeoutMs, callback });
    call.on('data', (bytes: Buffer) => this.#receive(bytes));
    call.on('end', () => this.close());
    call.on('cancelled', () => this.#closed());
    call.on('error', () => this.#closed());
    call.on('close', () => this.#closed());
  }

  get address(): string {
    return this.#address;
  }

  /** Of an open stream. */
  get handle(): DiscoveryStream<A> | undefined {
    return this.#phase.kind === 'open' ? this.#phase.handle : undefined;
  }

  /** Ends the stream with the error's status, or with OK. */
  close(error?: unknown): void {
    if (this.#phase.kind === 'closed') return;
    const { isMute } = this.#session;
    this.#closed();
    if (this.#call.cancelled) return;
    if (error instanceof MeshError && error.code === 'resource-limit') {
      const stream = tryHttp2Stream(this.#call);
      if (stream !== undefined) letGo(stream, { isMute });
    }
    if (error === undefined) this.#call.end();
    else this.#call.emit('error', toStatus(error));
  }

  #closed(): void {
    if (this.#phase.kind === 'closed') return;
    const { handle } = this;
    this.#phase = { kind: 'closed' };
    this.#cancelDeadline();
    this.#session.stop();
    this.#host.remove(this);
    this.#meter?.close();
    if (handle !== undefined) {
      this.#host.call('onDisconnect', (hooks) => hooks.onDisconnect?.(handle));
    }
    // A client may keep its half of the call open for as long as it likes.
    this.#session.release();
  }

  #receive(bytes: Buffer): void {
    if (this.#phase.kind === 'closed') return;
    try {
      this.#gate.pass(bytes);
      const withNode = this.#phase.kind === 'waiting';
      const { limits } = this.#host;
      const { request, node } = decodeRequest(bytes, { ...this.#kind, limits, withNode });
      this.#assertServed(request);
      if (this.#phase.kind === 'open') this.#take(request, this.#phase.handle);
      else this.#join(request, node);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #assertServed({ typeUrl }: Request): void {
    const { types } = this.#host;
    if (types === undefined || types.has(typeUrl)) return;
    const message = `expected a type that is served but got "${toShortText(typeUrl, MAX_SHOWN)}"`;
    throw new MeshError('request-invalid', message);
  }

  /** The first request: nothing is answered before the host has said who this is. */
  #join(request: Request, node: Node | undefined): void {
    if (node === undefined) {
      throw new MeshError('request-invalid', 'expected a node in the first request but got none');
    }
    this.#phase = { kind: 'joining' };
    this.#cancelDeadline();
    this.#call.pause();
    const accept = (auth: A): void => {
      if (!this.#isJoining()) return;
      const handle = this.#createHandle(node, auth);
      const account = this.#host.account?.(handle);
      if (account !== undefined) this.#meter = new Meter(account, node);
      // There may be no room for it.
      this.#meter?.tell(0);
      if (!this.#isJoining()) return;
      this.#phase = { kind: 'open', handle };
      this.#connect(handle);
      this.#take(request, handle);
      this.#call.resume();
    };
    Promise.resolve(this.#host.authenticate({ ...toCaller(this.#call), ...this.#kind, node }))
      .then(accept)
      .catch((error: unknown) => this.#refuse(error));
  }

  /** By a call: the compiler doesn't expect that somebody else changes the phase. */
  #isJoining(): boolean {
    return this.#phase.kind === 'joining';
  }

  #connect(handle: DiscoveryStream<A>): void {
    const connect = (hooks: DiscoveryHooks<A>): unknown => hooks.onConnect?.(handle);
    this.#host.call('onConnect', connect, (error) => {
      // The host never got to say what this peer is to have, and nobody else will.
      if (this.#session.snapshot === undefined) this.close(error);
    });
  }

  #refuse(error: unknown): void {
    const { logger } = this.#host;
    const fields = { stream: this.#id, peer: this.#address };
    if (!isForPeer(error)) logger?.error({ ...fields, err: error }, 'stream failed');
    else if (this.#phase.kind !== 'closed') {
      logger?.warn({ ...fields, reason: toStatus(error).details }, 'stream refused');
    }
    this.close(error);
  }

  #take(request: Request, handle: DiscoveryStream<A>): void {
    const { typeUrl } = request;
    // A hook may have closed the stream: after onDisconnect no hook is called.
    if (this.#phase.kind !== 'open') return;
    this.#host.call('onRequest', (hooks) => hooks.onRequest?.(handle, request));
    const effects = this.#session.step({ kind: 'request', request });
    if (this.#phase.kind !== 'open') return;
    const answer = effects.find((effect) => effect.kind === 'acked' || effect.kind === 'nacked');
    const update: StreamUpdate = answer ?? { kind: 'request', typeUrl };
    this.#host.call('onUpdate', (hooks) => hooks.onUpdate?.(handle, update));
  }

  #reportSent(response: Response): void {
    const { handle } = this;
    if (handle === undefined) return;
    this.#host.call('onResponse', (hooks) => hooks.onResponse?.(handle, response));
  }

  #createHandle(node: Node, auth: A): DiscoveryStream<A> {
    return {
      id: this.#id,
      auth,
      node,
      ...this.#kind,
      peerAddress: this.#address,
      connectedAtMs: this.#host.clock.now(),
      ...toSteering((event) => this.#session.step(event)),
      close: (error) => this.close(error),
      state: () => this.#session.reports(),
      resources: () => this.#session.resources(),
      isInForce: (resource) => this.#session.isInForce(resource),
      isSynced: () => this.#phase.kind === 'open' && this.#session.isSynced(),
    };
  }
}
