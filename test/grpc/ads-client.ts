// The client's end of one ADS stream over real gRPC, message by message, waited for and never slept
// on.
import assert from 'node:assert/strict';
import { type ChannelCredentials, Client, type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { countersign } from '../../src/gen/wire.js';
import { ALL_SERVICES } from '../../src/grpc/index.js';
import type { Node, Request, Variant } from '../../src/xds/index.js';
import type { Heard } from '../xds/script.js';

const { wire } = countersign;
const identity = (bytes: Buffer): Buffer => bytes;

export interface EndStatus {
  readonly code: number;
  readonly details: string;
}

export interface AdsClientOptions {
  readonly address: string;
  readonly variant: Variant;
  readonly credentials: ChannelCredentials;
  readonly authorization?: string;
  /** Opens a stream of that type alone; by default an aggregated one. */
  readonly typeUrl?: string | undefined;
  /** Instead of a stream's own path. */
  readonly path?: string;
}

/** First requests carry this. */
export const NODE: Partial<Node> = { id: 'node-1', cluster: 'web' };

export class AdsClient {
  readonly #client: Client;
  readonly #variant: Variant;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #heard: Heard[] = [];
  readonly #waiting: (() => void)[] = [];
  #status: EndStatus | undefined;
  #first = true;

  constructor(options: AdsClientOptions) {
    this.#variant = options.variant;
    this.#client = new Client(options.address, options.credentials);
    const metadata = new Metadata();
    if (options.authorization !== undefined) metadata.set('authorization', options.authorization);
    const path = options.path ?? toPath(options.variant, options.typeUrl);
    this.#call = this.#client.makeBidiStreamRequest(path, identity, identity, metadata, {});
    this.#call.on('data', (bytes: Buffer) =>
      this.#wake(() => this.#heard.push(this.#decode(bytes))),
    );
    this.#call.on('error', () => undefined);
    this.#call.on('status', ({ code, details }) => {
      this.#wake(() => {
        this.#status = { code, details };
      });
    });
  }

  /** Once the stream has ended. */
  get status(): EndStatus | undefined {
    return this.#status;
  }

  send(request: Request, options: { node?: Partial<Node> | undefined } = { node: NODE }): void {
    const node = this.#first ? options.node : undefined;
    this.#first = false;
    this.sendBytes(encodeRequest(request, node));
  }

  sendBytes(bytes: Buffer): void {
    this.#call.write(bytes);
  }

  /** Ends the client's half of the stream. */
  end(): void {
    this.#call.end();
  }

  /** The next response; undefined where the stream ended instead. */
  async next(): Promise<Heard | undefined> {
    while (this.#heard.length === 0 && this.#status === undefined) await this.#change();
    return this.#heard.shift();
  }

  async ended(): Promise<EndStatus> {
    while (this.#status === undefined) await this.#change();
    return this.#status;
  }

  close(): void {
    this.#call.cancel();
    this.#client.close();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(happens: () => void): void {
    happens();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #decode(bytes: Buffer): Heard {
    if (this.#variant === 'sotw') {
      const message = wire.DiscoveryResponse.decode(bytes);
      const resources = (message.resources ?? []).map(toSotwText).sort();
      return { typeUrl: message.typeUrl ?? '', nonce: message.nonce ?? '', resources, removed: [] };
    }
    const message = wire.DeltaDiscoveryResponse.decode(bytes);
    return {
      typeUrl: message.typeUrl ?? '',
      nonce: message.nonce ?? '',
      resources: (message.resources ?? []).map(toDeltaText).sort(),
      removed: [...(message.removedResources ?? [])].sort(),
    };
  }
}

/** The path of the service that streams that type, or all. */
export function toPath(variant: Variant, typeUrl: string | undefined): string {
  const service = ALL_SERVICES.find((one) => one.typeUrl === typeUrl);
  const method = service?.methods[variant];
  assert(service !== undefined && method !== undefined, `no ${variant} service of ${typeUrl}`);
  return `/${service.name}/${method}`;
}

const toText = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString();

/** What a resource with a TTL is wrapped in, in SotW. */
const WRAPPER = 'type.googleapis.com/envoy.service.discovery.v3.Resource';

function toSotwText({ typeUrl, value }: countersign.wire.Any): string {
  if (typeUrl !== WRAPPER) return toText(value);
  return toText(wire.Resource.decode(value ?? Buffer.alloc(0)).resource?.value);
}

/** A resource without its body is a heartbeat, or a name that doesn't exist: its own alias. */
function toDeltaText({ name, aliases, resource }: countersign.wire.Resource): string {
  if (resource) return toText(resource.value);
  return aliases?.length === 1 && aliases[0] === name ? `?${name}` : `~${name}`;
}

export function encodeRequest(request: Request, node: Partial<Node> | undefined): Buffer {
  const { typeUrl, nonce, interest, error } = request;
  const common = {
    typeUrl,
    responseNonce: nonce,
    ...(error === undefined ? {} : { errorDetail: error }),
    ...(node === undefined ? {} : { node: { id: node.id ?? '', cluster: node.cluster ?? '' } }),
  };
  const writer =
    interest.variant === 'sotw'
      ? wire.DiscoveryRequest.encode({
          ...common,
          resourceNames: interest.names,
          versionInfo: interest.versionInfo,
        })
      : wire.DeltaDiscoveryRequest.encode({
          ...common,
          resourceNamesSubscribe: interest.subscribe,
          resourceNamesUnsubscribe: interest.unsubscribe,
          initialResourceVersions: Object.fromEntries(interest.initialVersions),
        });
  return Buffer.from(writer.finish());
}
