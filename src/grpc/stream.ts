// One open stream: feeds a session's events and performs its effects. Nothing is sent before the
// stream is `open` or after it is `closed`. A failure of our own (a step or an encoder that throws)
// ends the stream with "internal error", so that the peer comes back and starts afresh: a stream
// that goes on without having sent what its session counts as sent would be mute.
import { type Cancel, MeshError, RateLimit } from '../base/index.js';
import {
  createSession,
  decodeRequest,
  type Effect,
  encodeResponse,
  heldOf,
  isInForce,
  isSynced,
  type Node,
  type Request,
  type Response,
  type Session,
  type SessionEvent,
  step,
  toReports,
} from '../xds/index.js';
import { AnswerTimes } from './answer-times.js';
import type { DiscoveryStream, StreamId, StreamKind, StreamUpdate } from './handle.js';
import type { DiscoveryHooks, Host } from './host.js';
import { type DiscoveryCall, peerAddress, toCaller } from './peer.js';
import { toResourceStatuses } from './resource-status.js';
import { isForPeer, toStatus } from './status.js';
import { toSteering } from './steering.js';

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
  #session: Session;
  readonly #requests: RateLimit;
  /** Written, and not taken by the transport yet. */
  #unreadBytes = 0;
  #paused = false;
  /** Handed to the transport; hooks hear of them next. */
  readonly #sent: Response[] = [];
  #stepping = false;
  readonly #times = new Map<string, AnswerTimes>();
  #phase: Phase<A> = { kind: 'waiting' };
  #cancelDeadline: Cancel;
  readonly #alarms = new Set<Cancel>();

  constructor(host: Host<A>, options: { id: StreamId; call: DiscoveryCall; kind: StreamKind }) {
    const { id, call, kind } = options;
    this.#id = id;
    this.#call = call;
    this.#host = host;
    this.#kind = kind;
    this.#address = peerAddress(call);
    this.#session = createSession(kind.variant, host.limits, kind.typeUrl);
    const { firstRequestTimeoutMs, maxRequestsPerSecond, maxRequestBurst } = host.limits;
    const { clock } = host;
    this.#requests = new RateLimit({
      clock,
      perSecond: maxRequestsPerSecond,
      burst: maxRequestBurst,
    });
    this.#cancelDeadline = host.clock.after(firstRequestTimeoutMs, () => {
      const message = `expected a first request within ${firstRequestTimeoutMs} ms but got none`;
      this.close(new MeshError('timeout', message));
    });
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
    this.#closed();
    if (this.#call.cancelled) return;
    if (error === undefined) this.#call.end();
    else this.#call.emit('error', toStatus(error));
  }

  #closed(): void {
    if (this.#phase.kind === 'closed') return;
    const { handle } = this;
    this.#phase = { kind: 'closed' };
    this.#cancelDeadline();
    for (const cancel of this.#alarms) cancel();
    this.#alarms.clear();
    this.#host.remove(this);
    if (handle === undefined) return;
    this.#host.call('onDisconnect', (hooks) => hooks.onDisconnect?.(handle));
  }

  #receive(bytes: Buffer): void {
    if (this.#phase.kind === 'closed') return;
    try {
      this.#checkLimits(bytes);
      const withNode = this.#phase.kind === 'waiting';
      const { limits } = this.#host;
      const { request, node } = decodeRequest(bytes, { ...this.#kind, limits, withNode });
      if (this.#phase.kind === 'open') this.#take(request, this.#phase.handle);
      else this.#join(request, node);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #checkLimits(bytes: Buffer): void {
    const { maxRequestBytes, maxRequestsPerSecond } = this.#host.limits;
    if (bytes.length > maxRequestBytes) {
      const message = `expected requests of at most ${maxRequestBytes} bytes`;
      throw new MeshError('resource-limit', `${message} but got ${bytes.length}`);
    }
    if (!this.#requests.tryTake()) {
      const message = `expected at most ${maxRequestsPerSecond} requests a second on a stream`;
      throw new MeshError('resource-limit', message);
    }
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
      if (this.#phase.kind !== 'joining') return;
      const handle = this.#createHandle(node, auth);
      this.#phase = { kind: 'open', handle };
      this.#connect(handle);
      this.#take(request, handle);
      this.#call.resume();
    };
    Promise.resolve(this.#host.authenticate({ ...toCaller(this.#call), ...this.#kind, node }))
      .then(accept)
      .catch((error: unknown) => this.#refuse(error));
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
    const effects = this.#step({ kind: 'request', request });
    if (this.#phase.kind !== 'open') return;
    const answer = effects.find((effect) => effect.kind === 'acked' || effect.kind === 'nacked');
    const update: StreamUpdate = answer ?? { kind: 'request', typeUrl };
    this.#host.call('onUpdate', (hooks) => hooks.onUpdate?.(handle, update));
  }

  /** Never throws, whoever calls it: a request, the host, a timer or the transport. */
  #step(event: SessionEvent): readonly Effect[] {
    if (this.#phase.kind !== 'open') return [];
    const nested = this.#stepping;
    this.#stepping = true;
    try {
      const { session, effects } = step(this.#session, event);
      this.#session = session;
      for (const effect of effects) this.#perform(effect);
      if (!nested) this.#reportSent();
      return effects;
    } catch (error) {
      this.#refuse(error);
      return [];
    } finally {
      this.#stepping = nested;
    }
  }

  /** Once all is performed: a hook may step the session itself, and hears of that here too. */
  #reportSent(): void {
    for (let sent = this.#sent.shift(); sent !== undefined; sent = this.#sent.shift()) {
      const [response, { handle }] = [sent, this];
      if (handle === undefined) continue;
      this.#host.call('onResponse', (hooks) => hooks.onResponse?.(handle, response));
    }
  }

  #perform(effect: Effect): void {
    if (this.#phase.kind !== 'open') return;
    switch (effect.kind) {
      case 'send':
        this.#write(encodeResponse(this.#kind.variant, effect.response));
        this.#sent.push(effect.response);
        return;
      case 'alarm': {
        const { typeUrl, nonce, afterMs } = effect;
        const cancel = this.#host.clock.after(afterMs, () => {
          this.#alarms.delete(cancel);
          this.#step({ kind: 'alarm', typeUrl, nonce });
        });
        this.#alarms.add(cancel);
        return;
      }
      case 'fail':
        this.#refuse(effect.error);
        return;
      case 'acked':
      case 'nacked':
        this.#noteTime(effect);
        return;
      case 'refused':
        return;
    }
  }

  /**
   * A reader that is stuck costs a bounded number of bytes: until it has taken them, what it is to
   * have changes without a trace. (The transport itself would queue 16 messages of any size.)
   */
  #write(bytes: Buffer): void {
    const { maxUnreadBytes } = this.#host.limits;
    const { length } = bytes;
    this.#unreadBytes += length;
    const mayWrite = (): boolean =>
      this.#unreadBytes <= maxUnreadBytes && !this.#call.writableNeedDrain;
    this.#call.write(bytes, () => {
      this.#unreadBytes -= length;
      if (!this.#paused || !mayWrite()) return;
      this.#paused = false;
      this.#step({ kind: 'resume' });
    });
    if (this.#paused || mayWrite()) return;
    this.#paused = true;
    this.#step({ kind: 'pause' });
  }

  #noteTime(effect: Effect & { kind: 'acked' | 'nacked' }): void {
    const { typeUrl } = effect;
    const times = this.#times.get(typeUrl) ?? new AnswerTimes();
    const nowMs = this.#host.clock.now();
    const held = heldOf(this.#session, typeUrl);
    if (effect.kind === 'nacked') times.reject(nowMs);
    else if (held !== undefined) times.take(effect.taken, held, nowMs);
    this.#times.set(typeUrl, times);
  }

  #createHandle(node: Node, auth: A): DiscoveryStream<A> {
    return {
      id: this.#id,
      auth,
      node,
      ...this.#kind,
      peerAddress: this.#address,
      connectedAtMs: this.#host.clock.now(),
      ...toSteering((event) => this.#step(event)),
      close: (error) => this.close(error),
      state: () => toReports(this.#session),
      resources: () =>
        toResourceStatuses({
          reports: toReports(this.#session),
          snapshot: this.#session.snapshot,
          times: this.#times,
        }),
      isInForce: (resource) => isInForce(this.#session, resource),
      isSynced: () => this.#phase.kind === 'open' && isSynced(this.#session),
    };
  }
}
