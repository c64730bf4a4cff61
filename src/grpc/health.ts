// The gRPC health service (Check, List and Watch). It needs no token, so that load balancers can
// ask, and it reveals nothing but whether a service of this server serves.
// Protocol: github.com/grpc/grpc, doc/health-checking.md; List: gRFC A90.
import {
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { MeshError } from '../base/index.js';
import { grpc } from '../gen/wire.js';
import type { ServiceRegistry } from './discovery.js';
import { toMethod } from './method.js';
import { toStatus } from './status.js';

const { HealthCheckRequest, HealthCheckResponse, HealthListResponse } = grpc.health.v1;

export type HealthStatus = 'serving' | 'not-serving';

export interface Health {
  /** The state of a service, or of the whole server (`''`); those who watch it hear of it. */
  set(service: string, state: HealthStatus): void;
  /** Everything is `not-serving` from now on; watches get that and end. */
  drain(): void;
}

export interface HealthOptions {
  /** Full names of the services that serve from the start, beside `''`, the server as a whole. */
  readonly services?: readonly string[];
  /** Open watches in all; default 1000. More are refused with RESOURCE_EXHAUSTED. */
  readonly maxWatches?: number;
}

const DEFAULT_MAX_WATCHES = 1_000;
/** Of a service's name in a request, in UTF-16 code units. */
const MAX_NAME_LENGTH = 1_000;
/** Full name of the service. */
export const HEALTH_SERVICE = 'grpc.health.v1.Health';
/** grpc.health.v1.HealthCheckResponse.ServingStatus */
const SERVING_STATUS = { serving: 1, 'not-serving': 2 } as const;
const SERVICE_UNKNOWN = 3;

const unary = (name: string): ReturnType<typeof toMethod> =>
  toMethod({ service: HEALTH_SERVICE, name, requestStream: false, responseStream: false });

const DEFINITION = {
  Check: unary('Check'),
  List: unary('List'),
  Watch: toMethod({
    service: HEALTH_SERVICE,
    name: 'Watch',
    requestStream: false,
    responseStream: true,
  }),
};

type Watch = ServerWritableStream<Buffer, Buffer>;
type Unary = ServerUnaryCall<Buffer, Buffer>;
type Done = sendUnaryData<Buffer>;

/** Serves gRPC health on `server`. */
export function attachHealth(server: ServiceRegistry, options: HealthOptions = {}): Health {
  const health = new HealthService(options);
  server.addService(DEFINITION, {
    Check: (call: Unary, done: Done) => health.check(call, done),
    List: (_call: Unary, done: Done) => health.list(done),
    Watch: (call: Watch) => health.watch(call),
  });
  return health;
}

class HealthService implements Health {
  readonly #states = new Map<string, HealthStatus>();
  /** Each with the service that it is about and the status that was sent last. */
  readonly #watches = new Map<Watch, { readonly service: string; sent: number }>();
  readonly #maxWatches: number;
  #draining = false;

  constructor({ services = [], maxWatches = DEFAULT_MAX_WATCHES }: HealthOptions) {
    this.#maxWatches = maxWatches;
    for (const service of ['', ...services]) this.#states.set(service, 'serving');
  }

  set(service: string, state: HealthStatus): void {
    if (this.#draining) return;
    this.#states.set(service, state);
    for (const watch of this.#watches.keys()) this.#tell(watch);
  }

  drain(): void {
    if (this.#draining) return;
    for (const service of this.#states.keys()) this.#states.set(service, 'not-serving');
    const ended = toStatus(new MeshError('server-stopping', 'server is shutting down'));
    for (const watch of [...this.#watches.keys()]) {
      this.#tell(watch);
      watch.emit('error', ended);
    }
    this.#watches.clear();
    this.#draining = true;
  }

  check(call: Unary, done: Done): void {
    const service = tryService(call.request);
    const state = service === undefined ? undefined : this.#states.get(service);
    if (state === undefined) done({ code: status.NOT_FOUND, details: 'unknown service' });
    else done(null, encode(SERVING_STATUS[state]));
  }

  list(done: Done): void {
    const statuses = Object.fromEntries(
      [...this.#states].map(([service, state]) => [service, { status: SERVING_STATUS[state] }]),
    );
    done(null, Buffer.from(HealthListResponse.encode({ statuses }).finish()));
  }

  watch(call: Watch): void {
    const service = tryService(call.request);
    const refusal = this.#refusal(service);
    if (service === undefined || refusal !== undefined) {
      call.emit('error', toStatus(refusal));
      return;
    }
    const forget = (): void => void this.#watches.delete(call);
    for (const event of ['cancelled', 'error', 'close']) call.on(event, forget);
    this.#watches.set(call, { service, sent: -1 });
    call.on('drain', () => this.#tell(call));
    this.#tell(call);
  }

  #refusal(service: string | undefined): MeshError | undefined {
    if (service === undefined) {
      return new MeshError('request-invalid', 'expected the name of a service but got other bytes');
    }
    if (this.#draining) return new MeshError('server-stopping', 'server is shutting down');
    if (this.#watches.size < this.#maxWatches) return undefined;
    return new MeshError('resource-limit', `expected at most ${this.#maxWatches} watches`);
  }

  /** The newest status, where it isn't what was sent last; to a slow reader when it reads again. */
  #tell(call: Watch): void {
    const watch = this.#watches.get(call);
    if (watch === undefined || call.writableNeedDrain) return;
    const state = this.#states.get(watch.service);
    const next = state === undefined ? SERVICE_UNKNOWN : SERVING_STATUS[state];
    if (next === watch.sent) return;
    watch.sent = next;
    call.write(encode(next));
  }
}

function encode(servingStatus: number): Buffer {
  return Buffer.from(HealthCheckResponse.encode({ status: servingStatus }).finish());
}

/** Undefined for what is no request, or for a name that no service has. */
function tryService(bytes: Buffer): string | undefined {
  try {
    const { service = '' } = HealthCheckRequest.decode(bytes);
    return service.length > MAX_NAME_LENGTH ? undefined : service;
  } catch {
    return undefined;
  }
}
