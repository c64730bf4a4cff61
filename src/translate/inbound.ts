// How calls come in. The mesh port (15443) is where sidecars call each other: mTLS only, in every
// mode, one chain per declared port, chosen by SNI. A declared port serves callers without a
// sidecar; its mode says how (MODEL.md, "What a connection gets"):
//   http:  STRICT a TLS chain that requires a certificate; PERMISSIVE the same with the certificate
//          optional, and a plain chain; DISABLE one plain chain
//   tcp:   STRICT one TLS chain that requires a certificate; else one plain chain, bytes untouched
// An application may speak first, so on tcp ports nobody reaches it who may not call: identities
// are decided by the handshake, which comes before the application is connected to, and where
// callers without identity may not call the plain chain has no way to the application
// (decision 022).
import type { envoy } from '../gen/envoy.js';
import { MESH_PORT, mayConnectPlain, type Port, type Service } from '../policy/index.js';
import type { Resource } from '../xds/index.js';
import { toCapturedInbound } from './capture-inbound.js';
import { type Served, toMeshForm, toServed, type Way } from './forms.js';
import { toInboundHttp } from './http.js';
import { BUFFER_LIMIT } from './http-protocol.js';
import { type Listen, toListenAddress, toWildcard } from './listen.js';
import {
  CLOSE,
  isHttp,
  PATIENT_ATTEMPTS,
  TLS_INSPECTOR,
  toListener,
  toTcpProxy,
} from './listeners.js';
import { toDuration } from './messages.js';
import {
  MESH_LISTENER,
  toCallersSecretName,
  toCapturedName,
  toClusterName,
  toInboundName,
  toLocalClusterName,
  toServerName,
  toServerNames,
} from './names.js';
import { toTcpRbacFilters } from './rbac-tcp.js';
import { type Revoked, toMarkMetadata } from './revoked.js';
import { hasNamedTarget } from './target.js';
import { type Clients, toDownstreamTls } from './tls.js';

type FilterChain = envoy.config.listener.v3.FilterChain;
type Filter = envoy.config.listener.v3.Filter;
type TransportSocket = envoy.config.core.v3.TransportSocket;

/** A peer that doesn't finish its handshake in this time is cut; Envoy by itself waits for ever. */
const HANDSHAKE_TIMEOUT = toDuration(15_000);

/**
 * How long a client of a declared http port may be silent before its first byte, which says whether
 * it speaks TLS: as long as Envoy keeps a connection without a request. A direct one isn't cut.
 */
const SILENCE_MS = 3_600_000;

/** For clients that choose their HTTP version by ALPN; between sidecars it isn't needed. */
const HTTP_ALPN = ['h2', 'http/1.1'] as const;

export interface Inbound {
  readonly trustDomain: string;
  readonly service: Service;
  /** The node's own address. */
  readonly address: string;
  readonly listen: Listen;
  readonly revoked: Revoked;
}

export function toInboundListeners(inbound: Inbound): Resource[] {
  const { service } = inbound;
  const captured = service.capture.inbound === 'transparent' ? [toCapturedInbound(service)] : [];
  if (service.ports.length === 0) return captured;
  const declared = service.ports.map((port) => toDeclared(inbound, port));
  return [toMeshListener(inbound), ...declared, ...captured];
}

function toMeshListener(inbound: Inbound): Resource {
  const { service, address, listen } = inbound;
  return toListener({
    name: MESH_LISTENER,
    address: toListenAddress(address, { listen, port: MESH_PORT }),
    listen,
    direction: 'inbound',
    listenerFilters: [TLS_INSPECTOR],
    bufferLimit: BUFFER_LIMIT,
    filterChains: service.ports.map(toMeshForm).map((port) => ({
      name: toServerName(service, port),
      filterChainMatch: { serverNames: toServerNames(service, port) },
      filters: toFilters(service, port, 'tls'),
      ...toTlsPart(inbound, { port, required: true }),
    })),
    source: service.source,
  });
}

/**
 * Where each way in has a form of its own, TLS is the mesh port's alone: one of them knows none
 * here.
 */
function toDeclared(inbound: Inbound, port: Port): Resource {
  const { tls, plain } = toServed(port);
  const form = plain ?? tls ?? port;
  const isOfHttp = isHttp(form);
  return toListener({
    ...toPlace(inbound, port),
    listen: inbound.listen,
    direction: 'inbound',
    listenerFilters: isOfHttp ? [TLS_INSPECTOR] : [],
    filterChains: isOfHttp
      ? toHttpChains(inbound, { tls: tls === form ? tls : undefined, plain })
      : [toTcpChain(inbound, form)],
    ...(isOfHttp ? { inspectionMs: SILENCE_MS, bufferLimit: BUFFER_LIMIT } : {}),
    source: port.source,
  });
}

/** Where what is captured is handed on, it has no socket, and is for every address. */
function toPlace({ service, address, listen }: Inbound, port: Port) {
  return service.capture.inbound === 'transparent'
    ? { name: toCapturedName(port), address: toWildcard(port.number), isBound: false }
    : {
        name: toInboundName(port),
        address: toListenAddress(address, { listen, port: port.number }),
      };
}

/** What differs between a chain with TLS and one without. */
function toTlsPart(
  { service, trustDomain, revoked }: Inbound,
  { port, required }: { readonly port: Port; readonly required: boolean },
) {
  const name = toClusterName(service, port);
  const { inboundMarks, plainMarks } = revoked;
  // Without a certificate a caller has no identity here either.
  const plain = required ? undefined : plainMarks.get(name);
  return {
    transportSocket: toTls(port, trustDomain, required),
    transportSocketConnectTimeout: HANDSHAKE_TIMEOUT,
    metadata: toMarkMetadata(inboundMarks.get(name), plain),
  } satisfies FilterChain;
}

function toHttpChains(inbound: Inbound, { tls, plain }: Served): FilterChain[] {
  const byTls = tls === undefined ? [] : [toTlsChain(inbound, tls)];
  if (plain === undefined) return byTls;
  const { service, revoked } = inbound;
  const inPlain: FilterChain = {
    filters: toFilters(service, plain, 'plain'),
    metadata: toMarkMetadata(revoked.plainMarks.get(toClusterName(service, plain))),
  };
  if (tls === undefined) return [{ name: 'plain-only', ...inPlain }];
  const match = { transportProtocol: 'raw_buffer' };
  return [...byTls, { name: 'plain', filterChainMatch: match, ...inPlain }];
}

function toTlsChain(inbound: Inbound, port: Port): FilterChain {
  return {
    name: 'tls',
    filterChainMatch: { transportProtocol: 'tls' },
    filters: toFilters(inbound.service, port, 'tls'),
    ...toTlsPart(inbound, { port, required: port.mode === 'strict' }),
  };
}

function toTcpChain(inbound: Inbound, port: Port): FilterChain {
  const { service } = inbound;
  if (port.mode === 'strict') {
    const filters = toFilters(service, port, 'tls');
    return { name: 'tls', filters, ...toTlsPart(inbound, { port, required: true }) };
  }
  return mayConnectPlain(port.access)
    ? { name: 'plain', filters: toFilters(service, port, 'plain') }
    : { name: 'closed', filters: [CLOSE] };
}

/**
 * The same for every node of a service, and the dearest part of a listener: encoded once a port.
 */
const knownFilters = new WeakMap<Port, { readonly host: string; readonly filters: Filter[] }>();

function toFilters({ name: host }: Service, port: Port, way: Way): Filter[] {
  if (!isHttp(port)) {
    return [...toTcpRbacFilters(port, way), toApplicationProxy(port)];
  }
  const known = knownFilters.get(port);
  if (known?.host === host) return known.filters;
  const filters = [toInboundHttp({ port, routeName: toInboundName(port), host })];
  knownFilters.set(port, { host, filters });
  return filters;
}

/** What is behind a name may have many addresses, some of which nobody has any more. */
function toApplicationProxy(port: Port): Filter {
  return toTcpProxy(toLocalClusterName(port), {
    connect: 'handshake',
    attempts: hasNamedTarget(port) ? PATIENT_ATTEMPTS : undefined,
  });
}

function toTls(
  port: Port,
  trustDomain: string,
  requireClientCertificate: boolean,
): TransportSocket {
  return toDownstreamTls({
    settings: port.tls,
    clients: requireClientCertificate ? toClients(port, trustDomain) : { kind: 'optional' },
    alpn: isHttp(port) ? HTTP_ALPN : [],
  });
}

/** Of HTTP every request is decided by itself; of a tcp connection there is nothing but whose. */
function toClients(port: Port, trustDomain: string): Clients {
  if (isHttp(port)) return { kind: 'mesh', trustDomain };
  return { kind: 'secret', name: toCallersSecretName(port) };
}
