import { type Clock, systemClock } from '../base/index.js';

/** The part of grpc-js' Server that is needed. */
export interface StoppableServer {
  tryShutdown(callback: (error?: Error) => void): void;
  forceShutdown(): void;
}

export interface ShutdownOptions {
  readonly server: StoppableServer;
  readonly discovery: { drain(): void };
  /** Says `not-serving` before anything else ends. */
  readonly health?: { drain(): void };
  /** Default: the system's. */
  readonly clock?: Clock;
  /** How long open calls may take to end before they are cut. */
  readonly graceMs: number;
}

/**
 * Stops a server without leaving its proxies in doubt: streams end with UNAVAILABLE, connections
 * get a GOAWAY, and what is still open after `graceMs` is cut. Resolves when nothing is open; never
 * rejects.
 */
export function shutdown(options: ShutdownOptions): Promise<void> {
  const { server, discovery, health, clock = systemClock, graceMs } = options;
  health?.drain();
  discovery.drain();
  return new Promise((resolve) => {
    const cancel = clock.after(graceMs, () => {
      server.forceShutdown();
      resolve();
    });
    server.tryShutdown(() => {
      cancel();
      resolve();
    });
  });
}
