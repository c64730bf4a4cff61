// Discovery services (ADS, and those of one type) on a grpc-js Server that its caller made.
// Messages pass as the bytes that they are: the protocol core decodes and encodes them.
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { type Clock, MeshError, systemClock } from '../base/index.js';
import type { Variant } from '../xds/index.js';
import type { DiscoveryStream, StreamId, StreamKind } from './handle.js';
import { mergeHooks } from './hooks.js';
import type { DiscoveryHooks, HookName, Host, Logger, StreamAccount } from './host.js';
import { type DiscoveryLimits, toLimits } from './limits.js';
import { toMethod } from './method.js';
import { type DiscoveryCall, type Peer, peerAddress } from './peer.js';
import { AGGREGATED_SERVICE, type DiscoveryService } from './services.js';
import { toStatus } from './status.js';
import { Stream } from './stream.js';

export interface DiscoveryOptions<A> {
  /** Default: the system's. */
  readonly clock?: Clock;
  /**
   * Decides whose stream this is; a stream that it refuses (a thrown StatusError or MeshError) ends
   * with that error's status and learns nothing of the mesh. The result travels as `auth` on the
   * stream.
   */
  readonly authenticate: (peer: Peer) => A | Promise<A>;
  /** What to serve; by default ADS alone. */
  readonly services?: readonly DiscoveryService[];
  /**
   * Several, such as a cache's and the program's own, hear of the same streams in that order. What
   * `auth` is, `authenticate` says.
   */
  readonly hooks?: DiscoveryHooks<NoInfer<A>> | readonly DiscoveryHooks<NoInfer<A>>[];
  readonly limits?: Partial<DiscoveryLimits>;
  /**
   * Type URLs that are served: a request for another ends its stream with `request-invalid`. By
   * default a type that no snapshot has is empty.
   */
  readonly types?: readonly string[];
  /**
   * Opens an account for a stream that was authenticated, before `onConnect`: what the stream costs
   * is told to it. Where it throws, the stream is refused as by `authenticate`.
   */
  readonly account?: (stream: DiscoveryStream<NoInfer<A>>) => StreamAccount;
  readonly logger?: Logger;
}

export interface Discovery<A> {
  /** Open, authenticated streams, oldest first. */
  streams(): readonly DiscoveryStream<A>[];
  /** Ends every stream with `server-stopping` (UNAVAILABLE) and refuses new ones. */
  drain(): void;
}

/** The part of grpc-js' Server that is needed. */
export interface ServiceRegistry {
  addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void;
}

/** Serves the discovery services of `options.services` (ADS), SotW and delta, on `server`. */
export function attachDiscovery<A>(
  server: ServiceRegistry,
  options: DiscoveryOptions<A>,
): Discovery<A> {
  const registry = new StreamRegistry(options);
  for (const { name: service, typeUrl, methods } of options.services ?? [AGGREGATED_SERVICE]) {
    const definition: Record<string, ServiceDefinition[string]> = {};
    const implementation: UntypedServiceImplementation = {};
    for (const variant of VARIANTS) {
      const name = methods[variant];
      if (name === undefined) continue;
      definition[name] = toMethod({ service, name, requestStream: true, responseStream: true });
      implementation[name] = (call: DiscoveryCall): void =>
        registry.accept(call, { variant, typeUrl });
    }
    server.addService(definition, implementation);
  }
  return registry;
}

function isList<A>(
  hooks: DiscoveryHooks<A> | readonly DiscoveryHooks<A>[] | undefined,
): hooks is readonly DiscoveryHooks<A>[] {
  return Array.isArray(hooks);
}

const VARIANTS: readonly Variant[] = ['sotw', 'delta'];

class StreamRegistry<A> implements Discovery<A>, Host<A> {
  readonly clock: Clock;
  readonly limits: DiscoveryLimits;
  readonly logger: Logger | undefined;
  readonly types: ReadonlySet<string> | undefined;
  readonly account: Host<A>['account'];
  readonly #options: DiscoveryOptions<A>;
  readonly #hooks: DiscoveryHooks<A> | undefined;
  readonly #streams = new Set<Stream<A>>();
  readonly #perPeer = new Map<string, number>();
  #lastId = 0;
  #draining = false;

  constructor(options: DiscoveryOptions<A>) {
    const { hooks } = options;
    this.#options = options;
    this.#hooks = isList(hooks) ? mergeHooks(...hooks) : hooks;
    this.clock = options.clock ?? systemClock;
    this.limits = toLimits(options.limits);
    this.logger = options.logger;
    this.types = options.types && new Set(options.types);
    this.account = options.account;
  }

  accept(call: DiscoveryCall, kind: StreamKind): void {
    const refusal = this.#refusal(peerAddress(call));
    if (refusal !== undefined) {
      call.emit('error', toStatus(refusal));
      return;
    }
    this.#lastId += 1;
    const stream = new Stream<A>(this, { id: this.#lastId as StreamId, call, kind });
    this.#streams.add(stream);
    this.#perPeer.set(stream.address, (this.#perPeer.get(stream.address) ?? 0) + 1);
  }

  #refusal(address: string): MeshError | undefined {
    if (this.#draining) return new MeshError('server-stopping', 'server is shutting down');
    const { maxStreams, maxStreamsPerPeer } = this.limits;
    if (this.#streams.size >= maxStreams) {
      return new MeshError('resource-limit', `expected at most ${maxStreams} streams`);
    }
    if ((this.#perPeer.get(address) ?? 0) >= maxStreamsPerPeer) {
      const message = `expected at most ${maxStreamsPerPeer} streams from one address`;
      return new MeshError('resource-limit', message);
    }
    return undefined;
  }

  streams(): readonly DiscoveryStream<A>[] {
    return [...this.#streams].flatMap(({ handle }) => (handle === undefined ? [] : [handle]));
  }

  drain(): void {
    this.#draining = true;
    const error = new MeshError('server-stopping', 'server is shutting down');
    for (const stream of [...this.#streams]) stream.close(error);
  }

  authenticate(peer: Peer): A | Promise<A> {
    return this.#options.authenticate(peer);
  }

  call(
    name: HookName,
    hook: (hooks: DiscoveryHooks<A>) => unknown,
    failed?: (error: unknown) => void,
  ): void {
    const hooks = this.#hooks;
    if (hooks?.[name] === undefined) return;
    const fail = (err: unknown): void => {
      this.logger?.error({ err, hook: name }, 'a discovery hook failed');
      failed?.(err);
    };
    try {
      // An async function may stand where one without a result is asked for.
      const result = hook(hooks);
      if (result instanceof Promise) result.catch(fail);
    } catch (err) {
      fail(err);
    }
  }

  remove(stream: Stream<A>): void {
    if (!this.#streams.delete(stream)) return;
    const left = (this.#perPeer.get(stream.address) ?? 1) - 1;
    if (left === 0) this.#perPeer.delete(stream.address);
    else this.#perPeer.set(stream.address, left);
  }
}
