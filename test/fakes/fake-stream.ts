import type { MeshError } from '../../src/base/index.js';
import type { DiscoveryStream } from '../../src/grpc/index.js';
import { serviceName } from '../../src/policy/index.js';
import { DEFAULT_OUTBOUND, parseOutbound } from '../../src/server/addresses/index.js';
import type { Sidecar } from '../../src/server/join/index.js';
import { type Rejection, type Resource, type Snapshot, TYPE_URLS } from '../../src/xds/index.js';

export function fakeSidecar(
  service: string,
  address: string,
  changes: Partial<Sidecar> = {},
): Sidecar {
  return {
    node: `${service}~${address}`,
    service: serviceName(service),
    address,
    addressProof: 'claimed',
    listen: 'address',
    outbound: parseOutbound(DEFAULT_OUTBOUND),
    credential: { kind: 'token', id: 'id', keyId: 'key', expiresAtMs: 0 },
    ...changes,
  };
}

type Stream = DiscoveryStream<Sidecar>;

function toReport(rejection: Rejection) {
  const standing = { state: 'nacked', rejection, retrying: false };
  return { typeUrl: TYPE_URLS.listener, standing };
}

/** A sidecar's connection in memory: it takes or rejects what it was sent when the test says so. */
export class FakeStream {
  readonly sent: Snapshot[] = [];
  /** Undefined while it is open; `ok` where it was closed without an error. */
  closed: MeshError | 'ok' | undefined;
  /** Names that were to be tried once more, each time. */
  readonly retried: (readonly string[])[] = [];
  #taken: Snapshot | undefined;
  #unasked: readonly string[] = [];
  #rejection: Rejection | undefined;
  readonly stream: Stream;

  constructor(sidecar: Sidecar) {
    this.stream = {
      id: 1,
      auth: sidecar,
      node: {
        id: sidecar.node,
        cluster: sidecar.service,
        metadata: {},
        userAgentName: 'envoy',
        userAgentVersion: '1.40.0',
      },
      variant: 'delta',
      typeUrl: undefined,
      peerAddress: sidecar.address,
      connectedAtMs: 0,
      setSnapshot: (snapshot: Snapshot) => void this.sent.push(snapshot),
      retry: ({ names }: { readonly names: readonly string[] }) => void this.retried.push(names),
      close: (error?: MeshError) => {
        this.closed = error ?? 'ok';
      },
      state: () => (this.#rejection === undefined ? [] : [toReport(this.#rejection)]),
      resources: () => [],
      isInForce: ({ typeUrl, name, version }: { typeUrl: string; name: string; version: string }) =>
        !this.#unasked.includes(name) &&
        this.#taken?.get(typeUrl)?.resources.get(name)?.version === version,
      isSynced: () => this.#taken !== undefined && this.#taken === this.sent.at(-1),
    } as unknown as Stream;
  }

  get newest(): Snapshot | undefined {
    return this.sent.at(-1);
  }

  /** It has all that it was sent last, but for names that it didn't ask for. */
  take(unasked: readonly string[] = []): void {
    this.#taken = this.newest;
    this.#unasked = unasked;
    this.#rejection = undefined;
  }

  /** It rejects its listeners, these or all, by these words. */
  reject(message: string, resources: readonly Resource[] = []): Rejection {
    this.#rejection = { message, version: 'v', resources };
    return this.#rejection;
  }
}
