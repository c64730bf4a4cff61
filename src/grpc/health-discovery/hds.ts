// Envoy's health discovery service on this server's port: the wire of it. Who may report, what is
// to be checked, and what a report means is its host's to say.
// Protocol: envoy/service/health/v3/hds.proto.
import { type Clock, type Logger, MeshError } from '../../base/index.js';
import type { ServiceRegistry } from '../discovery.js';
import { toMethod } from '../method.js';
import { type Claimant, type DiscoveryCall, peerAddress } from '../peer.js';
import { toStatus } from '../status.js';
import { HealthCall, type HealthHooks, type HealthHost } from './hds-call.js';

/** Full name of the service. */
export const HEALTH_DISCOVERY_SERVICE = 'envoy.service.health.v3.HealthDiscoveryService';
const METHOD = 'StreamHealthCheck';

export interface HealthDiscoveryOptions<A> {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
  /** Throws a MeshError where it may not report. */
  readonly authenticate: (claimant: Claimant) => Promise<A>;
  readonly hooks: HealthHooks<NoInfer<A>>;
  /** Open streams, those that are held among them; more are refused. */
  readonly maxStreams?: number;
  readonly maxStreamsPerPeer?: number;
}

/** As many as there may be discovery streams. */
const MAX_STREAMS = { all: 20_000, perPeer: 5_000 } as const;

/** Serves HDS on `server`; the result ends all streams, and those to come. */
export function attachHealthDiscovery<A>(
  server: ServiceRegistry,
  options: HealthDiscoveryOptions<A>,
): () => void {
  const calls = new HealthCalls(options);
  const method = { service: HEALTH_DISCOVERY_SERVICE, name: METHOD };
  server.addService(
    { [METHOD]: toMethod({ ...method, requestStream: true, responseStream: true }) },
    { [METHOD]: (call: DiscoveryCall) => calls.accept(call) },
  );
  return () => calls.drain();
}

class HealthCalls<A> {
  readonly #options: HealthDiscoveryOptions<A>;
  readonly #host: HealthHost<A>;
  readonly #calls = new Set<HealthCall<A>>();
  readonly #perPeer = new Map<string, number>();
  #isDraining = false;

  constructor(options: HealthDiscoveryOptions<A>) {
    this.#options = options;
    this.#host = { ...options, remove: (call) => this.#remove(call as HealthCall<A>) };
  }

  accept(call: DiscoveryCall): void {
    const address = peerAddress(call);
    const refusal = this.#refusal(address);
    if (refusal !== undefined) {
      call.emit('error', toStatus(refusal));
      return;
    }
    this.#calls.add(new HealthCall(this.#host, call));
    this.#perPeer.set(address, (this.#perPeer.get(address) ?? 0) + 1);
  }

  drain(): void {
    this.#isDraining = true;
    for (const call of [...this.#calls]) call.close(stopping());
  }

  #refusal(address: string): MeshError | undefined {
    if (this.#isDraining) return stopping();
    const { maxStreams = MAX_STREAMS.all, maxStreamsPerPeer = MAX_STREAMS.perPeer } = this.#options;
    if (this.#calls.size >= maxStreams) {
      return new MeshError('resource-limit', `expected at most ${maxStreams} streams`);
    }
    if ((this.#perPeer.get(address) ?? 0) < maxStreamsPerPeer) return undefined;
    const message = `expected at most ${maxStreamsPerPeer} streams from one address`;
    return new MeshError('resource-limit', message);
  }

  #remove(call: HealthCall<A>): void {
    if (!this.#calls.delete(call)) return;
    const left = (this.#perPeer.get(call.address) ?? 1) - 1;
    if (left === 0) this.#perPeer.delete(call.address);
    else this.#perPeer.set(call.address, left);
  }
}

function stopping(): MeshError {
  return new MeshError('server-stopping', 'server is shutting down');
}
