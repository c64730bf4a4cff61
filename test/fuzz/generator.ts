// Requests that no client sends: made of odd fields, or good ones with their bytes broken. All of
// it follows from the seed.
import type { Random } from '../../src/base/index.js';
import { countersign } from '../../src/gen/wire.js';
import { ALL_SERVICES } from '../../src/grpc/index.js';
import { TYPE_URLS, type Variant } from '../../src/xds/index.js';
import { below, mutate } from './mutate.js';

const { wire } = countersign;

const TYPES = [
  ...Object.values(TYPE_URLS),
  'type.googleapis.com/envoy.service.runtime.v3.Runtime',
  'type.googleapis.com/unknown.Type',
  '__proto__',
  '',
  ' ',
  'x'.repeat(5_000),
];
const TEXTS = ['a', 'b', '*', '', '__proto__', 'constructor', '\u0000', 'ü😀', 'x'.repeat(4_097)];
const NONCES = ['', '1', '2', '3', '-1', '99999999999999999999', '1\u0000'];
const OTHER_PATHS = [
  '/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus',
  '/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus',
  '/grpc.health.v1.Health/Check',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters',
];

/** Of the node, in DiscoveryRequest and DeltaDiscoveryRequest. */
const NODE_FIELD = { sotw: 2, delta: 1 } as const;
const DEPTH = 3_000;
/** Names, over the default limit of a type. */
const TOO_MANY = 20_001;

/** A length-delimited field. */
function field(number: number, content: Buffer): Buffer {
  const bytes = [(number << 3) | 2];
  let rest = content.length;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...bytes, rest]), content]);
}

/**
 * A node whose metadata nests deeper than anything that recurses should go; no encoder would make
 * it.
 */
function deepNode(number: number): Buffer {
  let value: Buffer = Buffer.alloc(0);
  for (let level = 0; level < DEPTH; level += 1) value = field(6, field(1, value));
  const entry = Buffer.concat([field(1, Buffer.from('k')), field(2, value)]);
  return field(number, field(3, field(1, entry)));
}

const DEEP_NODE = { sotw: deepNode(NODE_FIELD.sotw), delta: deepNode(NODE_FIELD.delta) } as const;

export interface FuzzedCall {
  readonly path: string;
  readonly messages: readonly Buffer[];
  /** How the client leaves: by ending its half, or by cancelling. */
  readonly leaves: 'end' | 'cancel';
}

export class Generator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  call(): FuzzedCall {
    const leaves = this.#chance(0.5) ? 'end' : 'cancel';
    const count = 1 + this.#below(8);
    if (this.#chance(0.15)) {
      const messages = Array.from({ length: count }, () => this.#mutate(this.#bytes(64)));
      return { path: this.#pick(OTHER_PATHS), messages, leaves };
    }
    const service = this.#pick(ALL_SERVICES);
    const [variant, method] = this.#pick(Object.entries(service.methods)) as [Variant, string];
    const messages = Array.from({ length: count }, (_, index) => {
      // A node in the first one gets past authentication, most of the time.
      const good = this.#request(variant, index === 0 || this.#chance(0.1));
      return this.#chance(0.3) ? this.#mutate(good) : good;
    });
    return { path: `/${service.name}/${method}`, messages, leaves };
  }

  #request(variant: Variant, withNode: boolean): Buffer {
    const common = {
      typeUrl: this.#pick(TYPES),
      responseNonce: this.#pick(NONCES),
      ...(withNode ? { node: { id: this.#text(), metadata: this.#struct() } } : {}),
      ...(this.#chance(0.2) ? { errorDetail: { code: 3, message: this.#text() } } : {}),
    };
    const writer =
      variant === 'sotw'
        ? wire.DiscoveryRequest.encode({
            ...common,
            versionInfo: this.#text(),
            resourceNames: this.#texts(),
          })
        : wire.DeltaDiscoveryRequest.encode({
            ...common,
            resourceNamesSubscribe: this.#texts(),
            resourceNamesUnsubscribe: this.#texts(),
            initialResourceVersions: Object.fromEntries(this.#texts().map((name) => [name, '1'])),
          });
    const bytes = Buffer.from(writer.finish());
    return this.#chance(0.05) ? Buffer.concat([bytes, DEEP_NODE[variant]]) : bytes;
  }

  #struct(): countersign.wire.Struct {
    const depth = this.#below(4);
    let value: countersign.wire.Value = { stringValue: this.#text() };
    for (let level = 0; level < depth; level += 1) {
      value = this.#chance(0.5)
        ? { structValue: { fields: { [this.#text() || 'k']: value } } }
        : { listValue: { values: [value] } };
    }
    return { fields: { countersign: value } };
  }

  #texts(): string[] {
    const many = this.#chance(0.005);
    return Array.from({ length: many ? TOO_MANY : this.#below(6) }, (_, index) =>
      many ? `name-${index}` : this.#text(),
    );
  }

  #text(): string {
    return this.#chance(0.95) ? this.#pick(TEXTS.slice(0, -1)) : (TEXTS.at(-1) ?? '');
  }

  #mutate(bytes: Buffer): Buffer {
    return mutate(this.#random, bytes);
  }

  #bytes(most: number): Buffer {
    return this.#random.bytes(this.#below(most));
  }

  #pick<T>(list: readonly T[]): T {
    const picked = list[this.#below(list.length)];
    if (picked === undefined) throw new Error('expected a list to pick from');
    return picked;
  }

  #below(limit: number): number {
    return below(this.#random, limit);
  }

  #chance(share: number): boolean {
    return this.#random.fraction() < share;
  }
}
