// The library's discovery, with a secret that the test holds back, and statistics beside it: what
// an Envoy says of itself while a listener that it accepted waits for something.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { systemClock } from '../../src/base/index.js';
import { type Codec, envoy, type google } from '../../src/gen/api.js';
import { attachDiscovery, type DiscoveryStream, serverOptions } from '../../src/grpc/index.js';
import { attachStatistics } from '../../src/grpc/statistics/index.js';
import type { Sidecar } from '../../src/server/join/index.js';
import { Intake, Statistics } from '../../src/server/telemetry/index.js';
import { createResource, createSnapshot, type Resource, TYPE_URLS } from '../../src/xds/index.js';
import { fakeSidecar } from '../fakes/fake-stream.js';
import type { KeyAndCertificate } from '../harness/index.js';

const { Listener } = envoy.config.listener.v3;
const { TcpProxy } = envoy.extensions.filters.network.tcp_proxy.v3;
const tls = envoy.extensions.transport_sockets.tls.v3;
const SECRET = 'late';
const EXTENSIONS = 'type.googleapis.com/envoy.extensions';

export interface Place {
  readonly address: string;
  readonly port: number;
}

export interface Wanted {
  /** Whether the listener's chain is a TLS one, with that secret. */
  readonly isSecured: boolean;
  /** Given: the secret is there. */
  readonly pair?: KeyAndCertificate;
}

/** Everybody is `web` at that address, whatever it shows. */
export class StatisticsServer {
  readonly statistics: Statistics;
  readonly #server = new Server(serverOptions());
  readonly #listen: Place;
  #stream: DiscoveryStream<Sidecar> | undefined;
  #wanted: Wanted = { isSecured: false };
  readonly #acked: string[] = [];

  constructor(listen: Place) {
    this.#listen = listen;
    const clock = systemClock;
    this.statistics = new Statistics({ clock, onChange: () => undefined });
    const sidecar = fakeSidecar('web', listen.address);
    const authenticate = async (): Promise<Sidecar> => sidecar;
    const own = {
      onConnect: (stream: DiscoveryStream<Sidecar>) => {
        this.#stream = stream;
        // Envoy goes on without a secret that it is told doesn't exist.
        stream.defer({ typeUrl: TYPE_URLS.secret, name: SECRET });
        this.#publish();
      },
      onUpdate: (_stream: unknown, update: { kind: string; typeUrl: string }) => {
        if (update.kind === 'acked') this.#acked.push(update.typeUrl);
      },
    };
    attachDiscovery<Sidecar>(this.#server, { authenticate, hooks: [own, this.statistics] });
    const intake = new Intake({
      ...{ clock, statistics: this.statistics },
      authenticator: { companion: authenticate, caller: authenticate },
      refusals: { note: () => undefined },
    });
    attachStatistics(this.#server, { take: (call) => intake.take(call) });
  }

  start(host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`${host}:0`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  want(wanted: Wanted): void {
    this.#wanted = wanted;
    this.#publish();
  }

  /** How often it has acknowledged listeners. */
  get acks(): number {
    return this.#acked.filter((typeUrl) => typeUrl === TYPE_URLS.listener).length;
  }

  get view() {
    if (this.#stream === undefined) throw new Error('no Envoy is connected');
    return this.statistics.viewOf(this.#stream);
  }

  #publish(): void {
    const { isSecured, pair } = this.#wanted;
    this.#stream?.setSnapshot(
      createSnapshot([
        [TYPE_URLS.listener, [toListener(this.#listen, isSecured)]],
        [TYPE_URLS.secret, pair === undefined ? [] : [toSecret(pair)]],
      ]),
    );
  }
}

const toAny = <T>(name: string, codec: Codec<T>, message: T): google.protobuf.Any => ({
  type_url: `${EXTENSIONS}.${name}`,
  value: codec.encode(message).finish(),
});

function toListener({ address, port }: Place, isSecured: boolean): Resource {
  const proxy = toAny('filters.network.tcp_proxy.v3.TcpProxy', TcpProxy, {
    statPrefix: 'tcp',
    cluster: 'nobody',
  });
  const context = toAny('transport_sockets.tls.v3.DownstreamTlsContext', tls.DownstreamTlsContext, {
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: [
        {
          name: SECRET,
          sdsConfig: {
            ads: {},
            initialFetchTimeout: {},
            resourceApiVersion: envoy.config.core.v3.ApiVersion.V3,
          },
        },
      ],
    },
  });
  const secured = { transportSocket: { name: 'tls', typedConfig: context } };
  const value = Listener.encode({
    name: 'listener',
    address: { socketAddress: { address, portValue: port } },
    filterChains: [
      {
        filters: [{ name: 'tcp', typedConfig: proxy }],
        ...(isSecured ? secured : {}),
      },
    ],
  }).finish();
  return createResource({ name: 'listener', value });
}

function toSecret({ key, cert }: KeyAndCertificate): Resource {
  const value = tls.Secret.encode({
    name: SECRET,
    tlsCertificate: { privateKey: { inlineString: key }, certificateChain: { inlineString: cert } },
  }).finish();
  return createResource({ name: SECRET, value });
}
