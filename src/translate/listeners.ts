// What every listener has in common. The shell (name, address, reuse_port, listener filters) never
// changes while a port is declared with one protocol family, so that an update is in place and
// touches only the filter chain that differs. Ports are not shared: with Envoy's default two
// sidecars would silently split an address, and calls would leave under the wrong identity; the
// bind must fail, loudly, instead. The one exception is a sidecar that listens everywhere. Linux
// lets 0.0.0.0:8080 stand beside an outbound listener at 198.18.0.2:8080 only where both say
// SO_REUSEPORT (and gives a connection to the one with the more specific address). Such a sidecar
// has a network namespace of its own, in which there is no other that it could share with.

import type { SourceRef } from '../base/index.js';
import { envoy, type xds } from '../gen/envoy.js';
import type { Port } from '../policy/index.js';
import { createResource, type Resource } from '../xds/index.js';
import type { Listen } from './listen.js';
import { NO_LIMIT, toAny, toDuration } from './messages.js';

type FilterChain = envoy.config.listener.v3.FilterChain;
type Filter = envoy.config.listener.v3.Filter;
type ListenerFilter = envoy.config.listener.v3.ListenerFilter;

export const TLS_INSPECTOR: ListenerFilter = {
  name: 'envoy.filters.listener.tls_inspector',
  typedConfig: toAny(
    'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
    envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector,
    {},
  ),
};

export interface ListenerOptions {
  readonly name: string;
  readonly address: envoy.config.core.v3.Address;
  readonly direction: 'inbound' | 'outbound';
  /** Of the sidecar, not of this listener alone; default: `address`. */
  readonly listen?: Listen;
  readonly listenerFilters?: readonly ListenerFilter[];
  readonly filterChains: readonly FilterChain[];
  /** Names the chain of a connection; absent: the chains say by themselves what they are for. */
  readonly filterChainMatcher?: xds.type.matcher.v3.Matcher;
  /** Hands a connection to the listener of the address that it was going to. Default: false. */
  readonly useOriginalDst?: boolean;
  /** Default: true. Without a socket of its own it has what another listener hands over. */
  readonly isBound?: boolean;
  readonly source: SourceRef;
  /** How long listener filters may wait for a client to speak; Envoy's default is 15 s. */
  readonly inspectionMs?: number;
  /** Of each connection; Envoy's default is 1 MiB. */
  readonly bufferLimit?: { readonly value: number };
}

/** As many as an HTTP request has, its retries counted. */
const MAX_CONNECT_ATTEMPTS = 4;

const DIRECTIONS = {
  inbound: envoy.config.core.v3.TrafficDirection.INBOUND,
  outbound: envoy.config.core.v3.TrafficDirection.OUTBOUND,
} as const;

export function toListener(options: ListenerOptions): Resource {
  const message: envoy.config.listener.v3.Listener = {
    name: options.name,
    address: options.address,
    statPrefix: options.name,
    filterChains: options.filterChains,
    filterChainMatcher: options.filterChainMatcher,
    useOriginalDst: options.useOriginalDst === true ? { value: true } : undefined,
    bindToPort: options.isBound === false ? { value: false } : undefined,
    listenerFilters: options.listenerFilters ?? [],
    trafficDirection: DIRECTIONS[options.direction],
    enableReusePort: { value: options.listen === 'any' },
    listenerFiltersTimeout:
      options.inspectionMs === undefined ? undefined : toDuration(options.inspectionMs),
    perConnectionBufferLimitBytes: options.bufferLimit,
  };
  return createResource({
    name: options.name,
    value: envoy.config.listener.v3.Listener.encode(message).finish(),
    source: options.source,
  });
}

/** Ends a connection when it is accepted, and connects to nothing. */
export const CLOSE: Filter = {
  name: 'envoy.filters.network.direct_response',
  typedConfig: toAny(
    'envoy.extensions.filters.network.direct_response.v3.Config',
    envoy.extensions.filters.network.direct_response.v3.Config,
    {},
  ),
};

const tcpProxy = envoy.extensions.filters.network.tcp_proxy.v3;

/**
 * Where there is TLS, the cluster is connected to when the handshake is done and the peer's name
 * known to be a good one; Envoy's default connects before it. (Envoy 1.36 has only the default.)
 */
const AFTER_HANDSHAKE = {
  upstreamConnectMode: tcpProxy.UpstreamConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE,
  maxEarlyDataBytes: { value: 0 },
} as const;

type Attempts = Pick<
  envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy,
  'maxConnectAttempts' | 'backoffOptions'
>;

const ATTEMPTS: Attempts = { maxConnectAttempts: { value: MAX_CONNECT_ATTEMPTS } };

/**
 * Where an address that fails is left out (`application.ts`), which takes Envoy a moment: with
 * pauses, so that the next attempt is to another one. All of them take less than 15 s.
 */
export const PATIENT_ATTEMPTS: Attempts = {
  maxConnectAttempts: { value: 6 },
  backoffOptions: { baseInterval: toDuration(100), maxInterval: toDuration(500) },
};

export interface TcpOptions {
  readonly connect: 'at-once' | 'handshake';
  /** Default: as many as an HTTP request has. */
  readonly attempts?: Attempts | undefined;
}

/**
 * Bytes to one cluster; never cut for being idle (Envoy's default is an hour). An endpoint that
 * went away between two pushes costs a connection attempt, not a connection.
 */
export function toTcpProxy(cluster: string, { connect, attempts }: TcpOptions): Filter {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: toAny(
      'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      tcpProxy.TcpProxy,
      {
        statPrefix: cluster,
        cluster,
        idleTimeout: NO_LIMIT,
        ...(attempts ?? ATTEMPTS),
        ...(connect === 'handshake' ? AFTER_HANDSHAKE : {}),
      },
    ),
  };
}

/** True for the protocols that a connection manager serves. */
export function isHttp(port: Port): boolean {
  return port.protocol !== 'tcp';
}
