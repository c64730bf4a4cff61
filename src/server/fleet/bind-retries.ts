// A listener that can't bind is tried again by itself, less and less often, until it binds:
// whatever holds its address may let go of it at any time, and only that sidecar's host knows when.
// Only the listeners that failed are sent again; only a sidecar that has such has a timer.
import { isDeepStrictEqual } from 'node:util';
import {
  type Cancel,
  type Clock,
  HOUR_MS,
  type Logger,
  MINUTE_MS,
  SECOND_MS,
} from '../../base/index.js';
import { TYPE_URLS } from '../../xds/index.js';
import type { BindFailure } from './bind-failure.js';
import type { Member } from './member.js';
import type { FindHolder } from './port-holder.js';
import type { SidecarStream } from './sidecar-stream.js';

export const FIRST_RETRY_MS = SECOND_MS;
export const LONGEST_RETRY_MS = MINUTE_MS;
const GROWTH = 2;
/** One that lasts is logged again this often. */
const REMIND_AFTER_MS = HOUR_MS;

export interface BindRetriesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly findHolder: FindHolder;
  /** Who holds an address was found, or is somebody else. */
  readonly onChange: () => void;
}

interface Trying {
  /** Which listeners, at which content. */
  readonly key: string;
  readonly sinceMs: number;
  failures: readonly BindFailure[];
  holders: ReadonlyMap<string, string>;
  tries: number;
  waitMs: number;
  loggedAtMs: number;
  /** Undefined while they are being tried. */
  timer: { readonly atMs: number; readonly cancel: Cancel } | undefined;
}

export class BindRetries {
  readonly #options: BindRetriesOptions;
  readonly #trying = new Map<SidecarStream, Trying>();

  constructor(options: BindRetriesOptions) {
    this.#options = options;
  }

  /** Call whenever the sidecar took or rejected listeners. */
  look(member: Member, answer: 'acked' | 'nacked'): void {
    const { stream, bindFailures } = member;
    const old = this.#trying.get(stream);
    const key = JSON.stringify(bindFailures.map(({ listener, version }) => [listener, version]));
    if (bindFailures.length === 0) {
      if (old !== undefined) this.#end(member, old);
      return;
    }
    if (old?.key === key) {
      // What was taken is something else; these are tried when their time comes.
      if (answer === 'nacked' && old.timer === undefined) this.#again(member, old, bindFailures);
      return;
    }
    old?.timer?.cancel();
    this.#logBound(member, old, bindFailures);
    const nowMs = this.#options.clock.now();
    const trying: Trying = {
      ...{ key, sinceMs: nowMs, failures: bindFailures, holders: new Map() },
      ...{ tries: 1, waitMs: FIRST_RETRY_MS, loggedAtMs: nowMs, timer: undefined },
    };
    this.#trying.set(stream, trying);
    this.#schedule(member, trying);
    void this.#findHolders(member, trying).then(() => this.#log(member, trying));
  }

  /** The stream is gone. */
  forget(stream: SidecarStream): void {
    this.#trying.get(stream)?.timer?.cancel();
    this.#trying.delete(stream);
  }

  #again(member: Member, trying: Trying, failures: readonly BindFailure[]): void {
    const { clock } = this.#options;
    trying.failures = failures;
    trying.tries++;
    trying.waitMs = Math.min(LONGEST_RETRY_MS, trying.waitMs * GROWTH);
    this.#schedule(member, trying);
    const isDue = Math.abs(clock.now() - trying.loggedAtMs) >= REMIND_AFTER_MS;
    if (isDue) trying.loggedAtMs = clock.now();
    void this.#findHolders(member, trying).then(() => {
      if (isDue) this.#log(member, trying);
    });
  }

  #schedule(member: Member, trying: Trying): void {
    const { clock } = this.#options;
    const cancel = clock.after(trying.waitMs, () => {
      trying.timer = undefined;
      this.#show(member, trying);
      const names = trying.failures.map(({ listener }) => listener);
      member.stream.retry({ typeUrl: TYPE_URLS.listener, names });
    });
    trying.timer = { atMs: clock.now() + trying.waitMs, cancel };
    this.#show(member, trying);
  }

  /** Never rejects. */
  async #findHolders(member: Member, trying: Trying): Promise<void> {
    const { peerAddress } = member.stream;
    const holders = new Map<string, string>();
    for (const { listener, address, reason } of trying.failures) {
      if (reason !== 'in-use' || address === undefined) continue;
      const holder = await this.#options.findHolder({ peerAddress, address });
      if (holder !== undefined) holders.set(listener, holder);
    }
    if (this.#trying.get(member.stream) !== trying) return;
    if (isDeepStrictEqual(holders, trying.holders)) return;
    trying.holders = holders;
    this.#show(member, trying);
    this.#options.onChange();
  }

  #show(member: Member, { failures, holders, sinceMs, tries, timer }: Trying): void {
    member.unbound = failures.map((failure) => ({
      ...failure,
      ...{ holder: holders.get(failure.listener), sinceMs, tries, nextTryAtMs: timer?.atMs },
    }));
  }

  #end(member: Member, trying: Trying): void {
    this.forget(member.stream);
    this.#logBound(member, trying, []);
    member.unbound = [];
  }

  #log(member: Member, trying: Trying): void {
    if (this.#trying.get(member.stream) !== trying) return;
    const { node } = member.stream.auth;
    for (const { listener, address, words: reason, source } of trying.failures) {
      const holder = trying.holders.get(listener);
      const fields = { node, listener, address, reason, holder, source, tries: trying.tries };
      const message = 'a listener cannot bind: the others serve, and it is tried again';
      this.#options.logger.error(fields, message);
    }
  }

  /** Those that failed before and don't any more. */
  #logBound(member: Member, old: Trying | undefined, left: readonly BindFailure[]): void {
    const { node } = member.stream.auth;
    const still = new Set(left.map(({ listener }) => listener));
    for (const { listener, address } of old?.failures ?? []) {
      if (still.has(listener)) continue;
      const afterMs = this.#options.clock.now() - (old?.sinceMs ?? 0);
      const fields = { node, listener, address, tries: old?.tries, afterMs };
      this.#options.logger.info(fields, 'a listener no longer fails to bind');
    }
  }
}
