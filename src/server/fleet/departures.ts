// Sidecars that say that they are about to be stopped. Each is taken through the steps of a drain
// (drains.ts): its callers get endpoints without it, then its listeners are withdrawn. Unlike an
// operator's drain it is its own word: nothing is stored, it waits for nobody longer than a stop
// may take, and it ends with its stream. Then the instance is gone for good, without the grace of
// one that may come back, and the next Envoy of that node is simply a new one (decision 039).
import { afterRunning, type Cancel, type Clock, type Logger, SECOND_MS } from '../../base/index.js';
import { DEPARTING_ROUTE } from '../../drains/index.js';
import type { ServiceName } from '../../policy/index.js';
import type { NodeId } from '../../spiffe/index.js';
import { type Request, TYPE_URLS } from '../../xds/index.js';
import { type SidecarKey, toKey } from './held-table.js';
import type { SidecarStream } from './sidecar-stream.js';
import {
  type DrainView,
  type Fleetwide,
  hasClosed,
  SETTLE_MS,
  toWaitingCallers,
} from './waiting-callers.js';

/**
 * Its listeners go after this even where a caller hasn't answered: it is stopped all the same, and
 * what is open there ends better while it still runs.
 */
export const DEPARTURE_DEADLINE_MS = 3 * SECOND_MS;

export interface DeparturesOptions extends Fleetwide {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info'>;
}

interface Departure {
  readonly node: NodeId;
  readonly service: ServiceName;
  readonly stream: SidecarStream;
  readonly sinceMs: number;
  stage: 'callers' | 'settling' | 'closed';
  readonly cancelDeadline: Cancel;
  cancelSettling: Cancel;
}

export class Departures {
  readonly #options: DeparturesOptions;
  readonly #all = new Map<SidecarStream, Departure>();
  readonly #onClosed: () => void;

  /** @param onClosed What is to be published has changed. */
  constructor(options: DeparturesOptions, onClosed: () => void) {
    this.#options = options;
    this.#onClosed = onClosed;
  }

  /** Whether the sidecar of this stream is about to go: it is no endpoint any more. */
  has(stream: SidecarStream): boolean {
    return this.#all.has(stream);
  }

  /** Whether it is to have no listeners to be called through. */
  isClosed(sidecar: SidecarKey): boolean {
    const key = toKey(sidecar);
    return [...this.#all.values()].some(
      ({ stage, stream }) => stage === 'closed' && toKey(stream.auth) === key,
    );
  }

  /** Looks whether a request is a sidecar's word that it goes. */
  look(stream: SidecarStream, request: Request): void {
    if (this.has(stream) || !isDeparture(request)) return;
    const { clock, logger, registry } = this.#options;
    const { node, service } = stream.auth;
    const departure: Departure = {
      ...{ node, service, stream, sinceMs: clock.now(), stage: 'callers' },
      cancelDeadline: afterRunning({
        ...{ clock, delayMs: DEPARTURE_DEADLINE_MS },
        callback: () => this.#close(departure),
      }),
      cancelSettling: () => undefined,
    };
    this.#all.set(stream, departure);
    const key = toKey(stream.auth);
    registry.unready((sidecar) => toKey(sidecar) === key);
    logger.info({ node }, 'a sidecar is about to be stopped: nobody calls it any more');
    // Nobody can be called instead: what is open ends, and the sooner it is back the better.
    if (registry.nodesOf(service).length === 0) this.#close(departure);
    this.advance();
  }

  /** Its stream has ended. */
  end(stream: SidecarStream): void {
    const departure = this.#all.get(stream);
    if (departure === undefined) return;
    this.#all.delete(stream);
    departure.cancelDeadline();
    departure.cancelSettling();
    const { members, registry } = this.#options;
    if (members.hasSidecar(stream.auth)) return;
    const key = toKey(stream.auth);
    registry.evict((entry) => toKey(entry) === key);
  }

  /** Call whenever a sidecar connected, answered or left, and not while endpoints are stale. */
  advance(): void {
    for (const departure of this.#all.values()) {
      if (departure.stage !== 'callers' || this.#callersOf(departure).length > 0) continue;
      departure.stage = 'settling';
      departure.cancelSettling = this.#options.clock.after(SETTLE_MS, () => this.#close(departure));
    }
  }

  /** Oldest first. */
  view(): readonly DrainView[] {
    return [...this.#all.values()].map((departure) => this.#toView(departure));
  }

  stop(): void {
    for (const { cancelDeadline, cancelSettling } of this.#all.values()) {
      cancelDeadline();
      cancelSettling();
    }
    this.#all.clear();
  }

  #close(departure: Departure): void {
    if (departure.stage === 'closed' || !this.has(departure.stream)) return;
    departure.stage = 'closed';
    departure.cancelDeadline();
    departure.cancelSettling();
    this.#onClosed();
  }

  #callersOf(departure: Departure): readonly NodeId[] {
    return toWaitingCallers(departure, this.#options);
  }

  #toView(departure: Departure): DrainView {
    const { node, sinceMs, stage, stream } = departure;
    if (stage === 'callers') {
      return { node, sinceMs, stage, waitingFor: this.#callersOf(departure) };
    }
    if (stage === 'settling') return { node, sinceMs, stage, waitingFor: [] };
    const member = this.#options.members.of(stream);
    const isOpen = member !== undefined && !hasClosed(member);
    return { node, sinceMs, stage: isOpen ? 'inbound' : 'done', waitingFor: isOpen ? [node] : [] };
  }
}

function isDeparture({ typeUrl, interest }: Request): boolean {
  if (typeUrl !== TYPE_URLS.route) return false;
  const names = interest.variant === 'sotw' ? interest.names : interest.subscribe;
  return names.includes(DEPARTING_ROUTE);
}
