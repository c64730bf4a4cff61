// Following the mesh's trust anchors, as `cert --xds --watch` does: one stream, opened again as
// often as it ends, until it is cancelled.
import assert from 'node:assert';
import {
  type ClientReadableStream,
  type Metadata,
  makeClientConstructor,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type Cancel, type Clock, MeshError } from '../../base/index.js';
import { loadMethods } from '../stock-client.js';
import { ANCHORS_SERVICE } from './anchors-service.js';
import { type CallerCredential, connect, type ServerPlace, toMeshError } from './connect.js';

export interface AnchorsWatch extends ServerPlace {
  readonly clock: Clock;
  /** For each opening; undefined: none that is in force now. */
  readonly credential: () => Promise<CallerCredential | undefined>;
  readonly onAnchors: (pem: string) => void;
  /** Why a stream ended, once for each reason until anchors come again. */
  readonly onProblem: (error: MeshError) => void;
}

type Watch = (request: object, metadata: Metadata) => ClientReadableStream<{ pem: string }>;

const RETRY_MS = 5_000;
/** A server that vanished without a word is noticed within about this. */
const KEEPALIVE = { 'grpc.keepalive_time_ms': 30_000, 'grpc.keepalive_timeout_ms': 20_000 };
const PROTO = 'countersign/trust-anchors.proto';
const METHOD = 'Watch';

/** Begins at once. A server of an earlier version, which has no such service, is left alone. */
export function watchAnchors(options: AnchorsWatch): Cancel {
  const following = new AnchorsFollowing(options);
  void following.open();
  return () => following.end();
}

class AnchorsFollowing {
  readonly #options: AnchorsWatch;
  #service: ServiceClientConstructor | undefined;
  #isEnded = false;
  #problem: string | undefined;
  #cancelRetry: Cancel = () => undefined;
  #close: () => void = () => undefined;

  constructor(options: AnchorsWatch) {
    this.#options = options;
  }

  async open(): Promise<void> {
    try {
      this.#service ??= await loadClient();
      const credential = await this.#options.credential();
      if (this.#isEnded) return;
      if (credential === undefined) this.#retry();
      else this.#listen(this.#service, credential);
    } catch (error) {
      this.#report(error instanceof MeshError ? error : undefined);
      this.#retry();
    }
  }

  end(): void {
    this.#isEnded = true;
    this.#cancelRetry();
    this.#close();
  }

  #listen(Service: ServiceClientConstructor, credential: CallerCredential): void {
    const { address, onAnchors } = this.#options;
    const { client, metadata } = connect(Service, { ...this.#options, credential }, KEEPALIVE);
    const watch = client[METHOD]?.bind(client) as Watch;
    const stream = watch({}, metadata);
    this.#close = () => {
      stream.cancel();
      client.close();
    };
    stream.on('data', ({ pem }: { readonly pem: string }) => {
      this.#problem = undefined;
      if (!this.#isEnded && pem !== '') onAnchors(pem);
    });
    stream.on('error', (error: ServiceError) => {
      client.close();
      if (this.#isEnded) return;
      this.#report(toMeshError(error, address));
      if (error.code !== status.UNIMPLEMENTED) this.#retry();
    });
    stream.on('end', () => {
      client.close();
      this.#retry();
    });
  }

  #report(error: MeshError | undefined): void {
    if (error === undefined || error.message === this.#problem) return;
    this.#problem = error.message;
    this.#options.onProblem(error);
  }

  #retry(): void {
    if (this.#isEnded) return;
    this.#cancelRetry();
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => void this.open());
  }
}

async function loadClient(): Promise<ServiceClientConstructor> {
  const { [METHOD]: method } = await loadMethods(PROTO, ANCHORS_SERVICE);
  assert(method !== undefined, `${PROTO} has ${METHOD}`);
  return makeClientConstructor({ [METHOD]: method }, ANCHORS_SERVICE);
}
