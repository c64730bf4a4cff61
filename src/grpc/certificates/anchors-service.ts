// The mesh's trust anchors as a stream: what they are now, then each change, so that who holds them
// in a file follows a change of root at once. Who may watch is the host's to say.
// Protocol: protos/countersign/trust-anchors.proto.
import type { ServerWritableStream } from '@grpc/grpc-js';
import { type Cancel, MeshError } from '../../base/index.js';
import { countersign } from '../../gen/wire.js';
import type { ServiceRegistry } from '../discovery.js';
import type { Logger } from '../host.js';
import { toMethod } from '../method.js';
import { type Caller, toCaller } from '../peer.js';
import { isForPeer, toStatus } from '../status.js';

const { TrustAnchors } = countersign.v1;

/** Full name of the service. */
export const ANCHORS_SERVICE = 'countersign.v1.TrustAnchorsService';
const METHOD = 'Watch';

export interface AnchorsOptions {
  /** Throws a MeshError where the caller may not watch. */
  readonly authorize: (caller: Caller) => Promise<unknown>;
  /** PEM, as they are now. */
  readonly anchorsPem: () => string;
  /** Calls back when they may have changed. */
  readonly onChange: (listener: () => void) => Cancel;
  readonly logger?: Logger;
  /** Open watches in all; default 10,000. */
  readonly maxWatches?: number;
}

const DEFAULT_MAX_WATCHES = 10_000;

type Call = ServerWritableStream<Buffer, Buffer>;

/** Serves the anchors on `server`; the result ends all watches, and those to come. */
export function attachAnchors(server: ServiceRegistry, options: AnchorsOptions): () => void {
  const watches = new AnchorWatches(options);
  const method = { service: ANCHORS_SERVICE, name: METHOD };
  server.addService(
    { [METHOD]: toMethod({ ...method, requestStream: false, responseStream: true }) },
    { [METHOD]: (call: Call) => watches.open(call) },
  );
  return () => watches.drain();
}

class AnchorWatches {
  readonly #options: AnchorsOptions;
  /** Each with what it was sent last. */
  readonly #sent = new Map<Call, string>();
  readonly #cancel: Cancel;
  #isDraining = false;

  constructor(options: AnchorsOptions) {
    this.#options = options;
    this.#cancel = options.onChange(() => {
      for (const call of this.#sent.keys()) this.#tell(call);
    });
  }

  open(call: Call): void {
    this.#options
      .authorize(toCaller(call))
      .then(() => this.#begin(call))
      .catch((error: unknown) => this.#refuse(call, error));
  }

  drain(): void {
    this.#isDraining = true;
    this.#cancel();
    for (const call of this.#sent.keys()) call.emit('error', toStatus(stopping()));
    this.#sent.clear();
  }

  #begin(call: Call): void {
    const { maxWatches = DEFAULT_MAX_WATCHES } = this.#options;
    if (this.#isDraining) throw stopping();
    if (this.#sent.size >= maxWatches) {
      throw new MeshError('resource-limit', `expected at most ${maxWatches} watches of anchors`);
    }
    if (call.cancelled) return;
    const forget = (): void => void this.#sent.delete(call);
    for (const event of ['cancelled', 'error', 'close']) call.on(event, forget);
    this.#sent.set(call, '');
    call.on('drain', () => this.#tell(call));
    this.#tell(call);
  }

  /** The newest, where it isn't what was sent last; to a slow reader when it reads again. */
  #tell(call: Call): void {
    const pem = this.#options.anchorsPem();
    if (this.#sent.get(call) === pem || call.writableNeedDrain) return;
    this.#sent.set(call, pem);
    call.write(Buffer.from(TrustAnchors.encode({ pem }).finish()));
  }

  #refuse(call: Call, error: unknown): void {
    const { logger } = this.#options;
    const refusal = toStatus(error);
    const peer = toCaller(call).address;
    if (isForPeer(error)) logger?.warn({ peer, reason: refusal.details }, 'anchors refused');
    else logger?.error({ peer, err: error }, 'a watch of the anchors failed');
    call.emit('error', refusal);
  }
}

function stopping(): MeshError {
  return new MeshError('server-stopping', 'server is shutting down');
}
