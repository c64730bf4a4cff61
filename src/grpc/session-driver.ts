// Drives one session: feeds it events, and performs the effects that come back. A failure of our
// own (a step or an encoder that throws) is reported as `onFail`, which must end the stream: one
// that goes on without having sent what its session counts as sent would be mute.
import { afterRunning, type Cancel, type Clock } from '../base/index.js';
import { keptBytes } from '../xds/cost/index.js';
import {
  createSession,
  type Effect,
  encodeResponse,
  heldOf,
  isInForce,
  isSynced,
  type Response,
  type Session,
  type SessionEvent,
  type Snapshot,
  step,
  type TypeReport,
  toReports,
} from '../xds/index.js';
import { AnswerTimes } from './answer-times.js';
import type { DiscoveryStream, StreamKind } from './handle.js';
import type { DiscoveryLimits } from './limits.js';
import { Outlet, type Transport } from './outlet.js';
import { type ResourceStatus, toResourceStatuses } from './resource-status.js';

export interface DriverOptions {
  readonly kind: StreamKind;
  readonly limits: DiscoveryLimits;
  readonly clock: Clock;
  readonly transport: Transport;
  /** Nothing is stepped and nothing sent while it is not. */
  readonly isOpen: () => boolean;
  /** Handed to the transport; called once all of the step is performed. */
  readonly onSent: (response: Response) => void;
  /** The stream is to end with this error. */
  readonly onFail: (error: unknown) => void;
  /** After each step: what the session costs, in bytes. */
  readonly onCost?: (bytes: number) => void;
}

export class SessionDriver {
  readonly #options: DriverOptions;
  readonly #outlet: Outlet;
  #session: Session;
  #stepping = false;
  /** `onSent` hears of them next. */
  readonly #sent: Response[] = [];
  readonly #times = new Map<string, AnswerTimes>();
  readonly #alarms = new Set<Cancel>();

  constructor(options: DriverOptions) {
    const { kind, limits, transport } = options;
    this.#options = options;
    this.#session = createSession(kind.variant, limits, kind.typeUrl);
    this.#outlet = new Outlet({
      transport,
      maxUnreadBytes: limits.maxUnreadBytes,
      onPause: () => void this.step({ kind: 'pause' }),
      onResume: () => void this.step({ kind: 'resume' }),
    });
  }

  /** Undefined before the first one was set. */
  get snapshot(): Snapshot | undefined {
    return this.#session.snapshot;
  }

  /** Never throws, whoever calls it: a request, the host, a timer or the transport. */
  step(event: SessionEvent): readonly Effect[] {
    if (!this.#options.isOpen()) return [];
    const nested = this.#stepping;
    this.#stepping = true;
    try {
      const { session, effects } = step(this.#session, event);
      this.#session = session;
      for (const effect of effects) this.#perform(effect);
      if (!nested) {
        this.#reportSent();
        this.#options.onCost?.(keptBytes(this.#session) + this.#outlet.unreadBytes);
      }
      return effects;
    } catch (error) {
      this.#options.onFail(error);
      return [];
    } finally {
      this.#stepping = nested;
    }
  }

  /** No alarm goes off any more. */
  stop(): void {
    for (const cancel of this.#alarms) cancel();
    this.#alarms.clear();
  }

  /** The client doesn't take what was written. */
  get isMute(): boolean {
    return this.#outlet.isPaused;
  }

  /** Nobody asks any more: what a client asked for is kept no longer than its stream. */
  release(): void {
    const { kind, limits } = this.#options;
    this.#session = createSession(kind.variant, limits, kind.typeUrl);
    this.#times.clear();
  }

  reports(): readonly TypeReport[] {
    return toReports(this.#session);
  }

  resources(): readonly ResourceStatus[] {
    const { snapshot } = this.#session;
    return toResourceStatuses({ reports: this.reports(), snapshot, times: this.#times });
  }

  isInForce(resource: Parameters<DiscoveryStream<never>['isInForce']>[0]): boolean {
    return isInForce(this.#session, resource);
  }

  isSynced(): boolean {
    return isSynced(this.#session);
  }

  /** Once all is performed: who hears of it may step the session, and hears of that here too. */
  #reportSent(): void {
    for (let sent = this.#sent.shift(); sent !== undefined; sent = this.#sent.shift()) {
      this.#options.onSent(sent);
    }
  }

  #perform(effect: Effect): void {
    if (!this.#options.isOpen()) return;
    switch (effect.kind) {
      case 'send':
        this.#outlet.write(encodeResponse(this.#options.kind.variant, effect.response));
        this.#sent.push(effect.response);
        return;
      case 'alarm':
        this.#setAlarm(effect);
        return;
      case 'fail':
        this.#options.onFail(effect.error);
        return;
      case 'acked':
      case 'nacked':
        this.#noteTime(effect);
        return;
      // Whoever gave the event looks for it in what is returned.
      case 'refused':
        return;
    }
  }

  #setAlarm({ typeUrl, nonce, afterMs }: Effect & { kind: 'alarm' }): void {
    const callback = (): void => {
      this.#alarms.delete(cancel);
      this.step({ kind: 'alarm', typeUrl, nonce });
    };
    const cancel = afterRunning({ clock: this.#options.clock, delayMs: afterMs, callback });
    this.#alarms.add(cancel);
  }

  #noteTime(effect: Effect & { kind: 'acked' | 'nacked' }): void {
    const { typeUrl } = effect;
    const times = this.#times.get(typeUrl) ?? new AnswerTimes();
    const nowMs = this.#options.clock.now();
    const held = heldOf(this.#session, typeUrl);
    if (effect.kind === 'nacked') times.reject(nowMs);
    else if (held !== undefined) times.take(effect.taken, held, nowMs);
    this.#times.set(typeUrl, times);
  }
}
