// Client status discovery (CSDS, v3) from the state of the open streams: who is connected, what
// each asked for, took and rejected. It tells what the whole mesh looks like, so a caller has to be
// authorized, at each request. A secret is reported without its content.
// Protocol: envoy/service/status/v3/csds.proto.
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { MeshError } from '../base/index.js';
import { countersign } from '../gen/wire.js';
import { TYPE_URLS } from '../xds/index.js';
import { toClientConfig } from './client-config.js';
import type { ServiceRegistry } from './discovery.js';
import type { DiscoveryStream } from './handle.js';
import type { Logger } from './host.js';
import { toNodePredicate } from './matcher.js';
import { toMethod } from './method.js';
import { type AnyCall, type Caller, toCaller } from './peer.js';
import { isForPeer, toStatus } from './status.js';

const { wire } = countersign;

export interface ClientStatusOptions {
  /** Whose streams are reported. */
  readonly discovery: { streams(): readonly DiscoveryStream<unknown>[] };
  /** Whether that caller may see them: throws a MeshError where not. */
  readonly authorizeStatus: (caller: Caller) => void | Promise<void>;
  /** Types whose content is never reported, beside secrets. */
  readonly confidentialTypes?: readonly string[];
  /** Of the contents in one response; default 32 MiB. */
  readonly maxContentBytes?: number;
  readonly logger?: Logger;
}

const DEFAULT_MAX_CONTENT_BYTES = 32 * 1024 * 1024;
/** Full name of the service. */
export const CLIENT_STATUS_SERVICE = 'envoy.service.status.v3.ClientStatusDiscoveryService';

const DEFINITION = {
  StreamClientStatus: toMethod({
    service: CLIENT_STATUS_SERVICE,
    name: 'StreamClientStatus',
    requestStream: true,
    responseStream: true,
  }),
  FetchClientStatus: toMethod({
    service: CLIENT_STATUS_SERVICE,
    name: 'FetchClientStatus',
    requestStream: false,
    responseStream: false,
  }),
};

/** Serves CSDS on `server`. */
export function attachClientStatus(server: ServiceRegistry, options: ClientStatusOptions): void {
  const answer = async (call: AnyCall, bytes: Buffer): Promise<Buffer> => {
    await options.authorizeStatus(toCaller(call));
    return respond(bytes, options);
  };
  const toRefusal = (error: unknown): ReturnType<typeof toStatus> => {
    if (!isForPeer(error)) options.logger?.error({ err: error }, 'a client status request failed');
    return toStatus(error);
  };
  server.addService(DEFINITION, {
    FetchClientStatus(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void {
      answer(call, call.request).then(
        (response) => done(null, response),
        (error: unknown) => done(toRefusal(error)),
      );
    },
    StreamClientStatus(call: ServerDuplexStream<Buffer, Buffer>): void {
      serve(call, { answer, toRefusal });
    },
  });
}

interface Answering {
  answer(call: AnyCall, bytes: Buffer): Promise<Buffer>;
  toRefusal(error: unknown): ReturnType<typeof toStatus>;
}

/** One request at a time: the next is read once the answer has been taken. */
function serve(call: ServerDuplexStream<Buffer, Buffer>, { answer, toRefusal }: Answering): void {
  let answering = Promise.resolve();
  call.on('error', () => undefined);
  call.on('data', (bytes: Buffer) => {
    call.pause();
    answering = answer(call, bytes).then(
      (response) => {
        if (call.write(response)) call.resume();
        else call.once('drain', () => call.resume());
      },
      (error: unknown) => {
        call.emit('error', toRefusal(error));
      },
    );
  });
  call.on('end', () => void answering.then(() => call.end()));
}

function respond(bytes: Buffer, options: ClientStatusOptions): Buffer {
  const request = decode(bytes);
  const matches = toNodePredicate(request.nodeMatchers ?? []);
  const content = new ContentBudget(options);
  const exclude = request.excludeResourceContents === true;
  const config = options.discovery
    .streams()
    .filter(({ node }) => matches(node))
    .map((stream) =>
      toClientConfig(stream, (typeUrl, resource) =>
        exclude ? undefined : content.take(typeUrl, resource.value),
      ),
    );
  return Buffer.from(wire.ClientStatusResponse.encode({ config }).finish());
}

function decode(bytes: Buffer): countersign.wire.ClientStatusRequest {
  try {
    return wire.ClientStatusRequest.decode(bytes);
  } catch (cause) {
    const message = 'expected a client status request but got other bytes';
    throw new MeshError('request-invalid', message, { cause });
  }
}

/** Which contents may be shown, and how much of them. */
class ContentBudget {
  readonly #confidential: ReadonlySet<string>;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor({ confidentialTypes = [], maxContentBytes }: ClientStatusOptions) {
    this.#confidential = new Set([TYPE_URLS.secret, ...confidentialTypes]);
    this.#maxBytes = maxContentBytes ?? DEFAULT_MAX_CONTENT_BYTES;
  }

  take(typeUrl: string, value: Uint8Array): countersign.wire.Any | undefined {
    if (this.#confidential.has(typeUrl)) return undefined;
    this.#bytes += value.length;
    if (this.#bytes > this.#maxBytes) {
      throw new MeshError(
        'resource-limit',
        `expected at most ${this.#maxBytes} bytes of contents in one answer`,
        { hint: 'name fewer nodes by node_matchers, or set exclude_resource_contents' },
      );
    }
    return { typeUrl, value };
  }
}
