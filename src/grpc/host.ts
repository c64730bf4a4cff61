// What a stream needs of the server that it belongs to: clock, limits, who may join, and the hooks
// by which the program that attached discovery hears of it.
import type { Clock } from '../base/index.js';
import type { Request, Response } from '../xds/index.js';
import type { DiscoveryStream, StreamUpdate } from './handle.js';
import type { DiscoveryLimits } from './limits.js';
import type { Peer } from './peer.js';

/** The methods of a pino logger that are used here. */
export interface Logger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Called as things happen, in that order; nothing waits for them. A hook that throws, or whose
 * promise is rejected, is logged, and the stream goes on. Only where `onConnect` fails before it
 * has set a snapshot, the stream ends with "internal error": it would wait for ever. Each hook may
 * set a snapshot or close the stream.
 */
export interface DiscoveryHooks<A> {
  /** After authentication, before the first request is answered. */
  onConnect?(stream: DiscoveryStream<A>): void;
  /** Each request, ACK and NACK as it came, before it is looked at. */
  onRequest?(stream: DiscoveryStream<A>, request: Request): void;
  /** Each response, once it was handed to the transport: the peer may not have it yet. */
  onResponse?(stream: DiscoveryStream<A>, response: Response): void;
  /** What a request turned out to be: after it, and after what it made us send. */
  onUpdate?(stream: DiscoveryStream<A>, update: StreamUpdate): void;
  /** Once; the stream takes and sends nothing any more. */
  onDisconnect?(stream: DiscoveryStream<A>): void;
}

export type HookName = keyof DiscoveryHooks<never>;

/** Who pays for what a stream costs. */
export interface StreamAccount {
  /**
   * It costs so many bytes from now on: what it asked for, says that it has, and hasn't read. To
   * end this stream for it, or another, is for whoever keeps the accounts.
   */
  set(bytes: number): void;
  /** The stream has ended. */
  close(): void;
}

/** What streams share. */
export interface Host<A> {
  readonly clock: Clock;
  readonly limits: DiscoveryLimits;
  readonly logger: Logger | undefined;
  /** The types that are served; undefined: whatever is asked for. */
  readonly types: ReadonlySet<string> | undefined;
  authenticate(peer: Peer): A | Promise<A>;
  /** Undefined: nobody counts. @throws what the stream is then refused with */
  readonly account: ((stream: DiscoveryStream<A>) => StreamAccount) | undefined;
  /** Calls a hook. If it fails, that is logged, and `failed` is called where it is given. */
  call(
    name: HookName,
    hook: (hooks: DiscoveryHooks<A>) => unknown,
    failed?: (error: unknown) => void,
  ): void;
  remove(stream: { readonly address: string }): void;
}
