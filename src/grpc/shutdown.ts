import { type Clock, systemClock } from '../base/index.js';

/** The part of grpc-js' Server that is needed. */
export interface StoppableServer {
  tryShutdown(callback: (error?: Error) => void): void;
  forceShutdown(): void;
  drain(address: string, graceTimeMs: number): void;
}

export interface ShutdownOptions {
  readonly server: StoppableServer;
  /**
   * What `bindAsync` was given, with the port that it returned where that was 0: connections of
   * other addresses aren't cut.
   */
  readonly addresses: readonly string[];
  readonly discovery: { drain(): void };
  /** Says `not-serving` before anything else ends. */
  readonly health?: { drain(): void };
  /** Default: the system's. */
  readonly clock?: Clock;
  /** How long open calls may take to end before they are cut. */
  readonly graceMs: number;
}

/** How long connections that were cut may take to be gone. */
const CUT_MS = 1_000;

/**
 * Stops a server without leaving its proxies in doubt: streams end with UNAVAILABLE, connections
 * get a GOAWAY, and what is still open after `graceMs` is cut. Resolves when nothing is open, or
 * by `clock` a second after the cut; never rejects.
 */
export function shutdown(options: ShutdownOptions): Promise<void> {
  const { server, addresses, discovery, health, clock = systemClock, graceMs } = options;
  health?.drain();
  discovery.drain();
  // Cuts by a timer of its own what is open then, and must come first: it leaves alone what closes
  // already. (forceShutdown cuts what grpc-js 1.14 knows by channelz alone, which costs memory per
  // connection and is off: see `serverOptions`.)
  for (const address of addresses) server.drain(address, graceMs);
  return new Promise((resolve) => {
    const cancel = clock.after(graceMs + CUT_MS, () => {
      server.forceShutdown();
      resolve();
    });
    server.tryShutdown(() => {
      cancel();
      resolve();
    });
  });
}
