import { strict as assert } from 'node:assert';
import { TYPE_URLS } from '../../src/xds/index.js';
import { get, type Json, list, text } from './json.js';
import type { NodeConfig } from './node-config.js';
import { lets, matches, type Seen } from './rbac-oracle.js';

// What becomes of a call, followed through the resources that each sidecar has: listener, chain,
// filters, route, cluster, endpoint, and the same at the other end. It knows Envoy, and nothing of
// how those resources came about.

/** How an application's bytes look on their way. */
type Wire = 'h1' | 'h2';

export interface Connection {
  readonly address: string;
  readonly port: number;
  readonly wire: Wire;
  /** Undefined: plain text. */
  readonly tls: ClientTls | undefined;
}

export interface ClientTls {
  readonly identity: string | undefined;
  readonly serverName: string;
  readonly versions: readonly [string, string];
  /** Empty: any. */
  readonly curves: readonly string[];
  /** Whom the client takes for the server; undefined: anybody. */
  readonly servers: readonly Json[] | undefined;
}

export interface Request {
  readonly method: string;
  readonly path: string;
}

/** Where it arrived. */
export interface Arrived {
  /** `127.0.0.1:9080 h1`: the application, and what it was spoken to in. */
  readonly at: string;
}

export interface Refused {
  readonly refused: string;
}

export type Outcome = Arrived | Refused;

export function isArrived(outcome: Outcome): outcome is Arrived {
  return 'at' in outcome;
}

/** A caller's sidecar: where the call of its application goes; nowhere: it has no way there. */
export function follow(
  caller: NodeConfig,
  call: { readonly callee: string; readonly identity: string },
): readonly Connection[] {
  const chain = toCalleeChain(caller, call.callee);
  if (chain === undefined) return [];
  const [filter] = list(get(chain, 'filters'));
  const config = get(filter, 'typed_config');
  const isTcp = typeOf(config) === 'TcpProxy';
  const route = list(get(config, 'route_config', 'virtual_hosts', 0, 'routes')).at(-1);
  const name = text(isTcp ? get(config, 'cluster') : get(route, 'route', 'cluster'));
  const cluster = caller.get(TYPE_URLS.cluster, name ?? '');
  const endpoints = caller.get(TYPE_URLS.endpoint, name ?? '');
  if (cluster === undefined || endpoints === undefined) return [];
  const wire = isTcp ? 'h1' : wireOf(cluster, 'h1');
  return list(get(endpoints, 'endpoints'))
    .flatMap((one) => list(get(one, 'lb_endpoints')))
    .map((one) => ({
      address: text(get(one, 'endpoint', 'address', 'socket_address', 'address')) ?? '',
      port: Number(get(one, 'endpoint', 'address', 'socket_address', 'port_value')),
      wire,
      tls: toClientTls(cluster, one, call.identity),
    }));
}

/** Of the callee's own listener, or of that for whatever the kernel captured. */
function toCalleeChain(caller: NodeConfig, callee: string): Json | undefined {
  const own = caller.get(TYPE_URLS.listener, `outbound:${callee}`);
  if (own !== undefined) return list(get(own, 'filter_chains'))[0];
  const captured = caller.get(TYPE_URLS.listener, 'outbound:captured');
  return list(get(captured, 'filter_chains')).find((one) => get(one, 'name') === callee);
}

function wireOf(cluster: Json, same: Wire): Wire {
  const options = Object.values(get(cluster, 'typed_extension_protocol_options') ?? {})[0];
  if (options === undefined) return same;
  if (get(options, 'use_downstream_protocol_config') !== undefined) return same;
  const explicit = get(options, 'explicit_http_config') ?? {};
  return 'http2_protocol_options' in (explicit as object) ? 'h2' : 'h1';
}

function toClientTls(cluster: Json, endpoint: Json, identity: string): ClientTls | undefined {
  const marks = get(endpoint, 'metadata', 'filter_metadata', 'envoy.transport_socket_match') ?? {};
  const match = list(get(cluster, 'transport_socket_matches')).find((one) =>
    Object.entries(get(one, 'match') ?? {}).every(([key, value]) => get(marks, key) === value),
  );
  const socket = get(match ?? cluster, 'transport_socket', 'typed_config');
  if (typeOf(socket) === 'RawBuffer') return undefined;
  assert(typeOf(socket) === 'UpstreamTlsContext', 'the transport of a cluster');
  const common = get(socket, 'common_tls_context');
  const context = get(common, 'combined_validation_context', 'default_validation_context');
  return {
    identity,
    serverName: text(get(socket, 'sni')) ?? '',
    ...toParameters(common),
    servers: list(get(context, 'match_typed_subject_alt_names')),
  };
}

function toParameters(common: Json | undefined): Pick<ClientTls, 'versions' | 'curves'> {
  const parameters = get(common, 'tls_params');
  return {
    versions: [
      text(get(parameters, 'tls_minimum_protocol_version')) ?? '',
      text(get(parameters, 'tls_maximum_protocol_version')) ?? '',
    ],
    curves: list(get(parameters, 'ecdh_curves')).map(String),
  };
}

/** A sidecar that is called. */
export interface Callee {
  /** By which it took the connection. */
  readonly accepted: NodeConfig;
  /** Which it has now: other than `accepted` on a connection that is open. */
  readonly now: NodeConfig;
  readonly identity: string;
}

/** What becomes of a request by that connection. */
export function arrive(callee: Callee, by: Connection, request: Request): Outcome {
  const { accepted } = callee;
  const listener = accepted.all(TYPE_URLS.listener).find(
    (one) =>
      get(one, 'traffic_direction') === 'INBOUND' &&
      // A declared port's for what the kernel captured is for every address.
      [by.address, '::'].includes(text(get(one, 'address', 'socket_address', 'address')) ?? '') &&
      get(one, 'address', 'socket_address', 'port_value') === by.port,
  );
  if (listener === undefined) return { refused: 'nobody listens' };
  const chain = chainOf(listener, by);
  if (chain === undefined) return { refused: 'no chain' };
  const tls = get(chain, 'transport_socket', 'typed_config');
  if (tls === undefined && by.tls !== undefined) return { refused: 'TLS to a plain chain' };
  if (tls !== undefined) {
    if (by.tls === undefined) return { refused: 'plain text to a TLS chain' };
    const failure = handshake(callee, by.tls, tls);
    if (failure !== undefined) return { refused: failure };
  }
  const seen: Seen = { tls: by.tls && { identity: by.tls.identity }, ...request };
  const filters = list(get(chain, 'filters'));
  const manager = get(filters[0], 'typed_config');
  return typeOf(manager) === 'HttpConnectionManager'
    ? toHttp(callee.now, manager, seen)
    : toTcp(accepted, filters, { seen: { ...seen, method: undefined, path: undefined }, by });
}

function chainOf(listener: Json, { tls }: Connection): Json | undefined {
  const chains = list(get(listener, 'filter_chains'));
  const inspects = list(get(listener, 'listener_filters')).length > 0;
  const transport = inspects && tls !== undefined ? 'tls' : 'raw_buffer';
  const name = inspects ? tls?.serverName : undefined;
  return chains.find((chain) => {
    const match = get(chain, 'filter_chain_match');
    const [names, wanted] = [get(match, 'server_names'), get(match, 'transport_protocol')];
    if (names !== undefined && !list(names).some((one) => one === name)) return false;
    return wanted === undefined || wanted === transport;
  });
}

/** Why it fails. */
function handshake(
  { accepted, identity }: Callee,
  client: ClientTls,
  server: Json,
): string | undefined {
  const common = get(server, 'common_tls_context');
  const { versions, curves } = toParameters(common);
  const [min, max] = client.versions;
  if (min > versions[1] || versions[0] > max) return 'no version in common';
  const both = curves.length === 0 || client.curves.length === 0;
  if (!both && !curves.some((one) => client.curves.includes(one))) return 'no curve in common';
  const isServer = (one: Json): boolean => matches(get(one, 'matcher'), identity);
  if (client.servers?.some(isServer) === false) return 'another server';
  const isRequired = get(server, 'require_client_certificate') === true;
  if (client.identity === undefined) return isRequired ? 'no certificate' : undefined;
  const validation = get(common, 'combined_validation_context');
  const secretName = text(get(validation, 'validation_context_sds_secret_config', 'name')) ?? '';
  const secret = accepted.get(TYPE_URLS.secret, secretName);
  if (secret === undefined) return 'a secret is missing';
  const names = [
    get(validation, 'default_validation_context'),
    get(secret, 'validation_context'),
  ].flatMap((one) => list(get(one, 'match_typed_subject_alt_names')));
  const isNamed = names.some((one) => matches(get(one, 'matcher'), client.identity ?? ''));
  return names.length === 0 || isNamed ? undefined : 'a name that is not taken';
}

function toHttp(now: NodeConfig, manager: Json | undefined, seen: Seen): Outcome {
  const routeName = text(get(manager, 'rds', 'route_config_name')) ?? '';
  const routes = now.get(TYPE_URLS.route, routeName);
  if (routes === undefined) return { refused: 'routes are missing' };
  const host = get(routes, 'virtual_hosts', 0);
  const route = list(get(host, 'routes')).find((one) => isRoute(get(one, 'match'), seen));
  if (route === undefined) return { refused: 'no route' };
  for (const filter of list(get(manager, 'http_filters'))) {
    const config = get(filter, 'typed_config');
    if (typeOf(config) !== 'RBAC') continue;
    const name = text(get(filter, 'name')) ?? '';
    const own = [route, host, routes]
      .map((one) => get(one, 'typed_per_filter_config', name, 'rbac', 'rules'))
      .find((one) => one !== undefined);
    if (!lets(own ?? get(config, 'rules'), seen)) return { refused: name };
  }
  return toApplication(now, text(get(route, 'route', 'cluster')), 'h1');
}

function isRoute(match: Json | undefined, seen: Seen): boolean {
  const presented = get(match, 'tls_context', 'presented');
  if (presented !== undefined && presented !== (seen.tls?.identity !== undefined)) return false;
  return list(get(match, 'headers')).every((header) => {
    const name = get(header, 'name');
    // Nobody here sends two hosts.
    const value = name === ':method' ? (seen.method ?? '') : 'a-host';
    return matches(get(header, 'string_match'), value);
  });
}

function toTcp(
  now: NodeConfig,
  filters: readonly Json[],
  { seen, by }: { readonly seen: Seen; readonly by: Connection },
): Outcome {
  for (const filter of filters) {
    const name = text(get(filter, 'name')) ?? '';
    const found = get(filter, 'config_discovery')
      ? get(now.get(TYPE_URLS.extension, name), 'typed_config')
      : get(filter, 'typed_config');
    if (found === undefined) return { refused: `${name} is missing` };
    switch (typeOf(found)) {
      case 'RBAC':
        if (!lets(get(found, 'rules'), seen)) return { refused: name };
        break;
      case 'Config':
        return { refused: 'closed' };
      case 'TcpProxy':
        return toApplication(now, text(get(found, 'cluster')), by.wire);
      default:
        throw new Error(`a network filter ${name}`);
    }
  }
  return { refused: 'no filter passes it on' };
}

function toApplication(now: NodeConfig, name: string | undefined, same: Wire): Outcome {
  const cluster = now.get(TYPE_URLS.cluster, name ?? '');
  if (cluster === undefined) return { refused: 'no cluster' };
  const at = get(cluster, 'load_assignment', 'endpoints', 0, 'lb_endpoints', 0, 'endpoint');
  const { address, port_value: port } = get(at, 'address', 'socket_address') as {
    readonly [key: string]: Json;
  };
  return { at: `${String(address)}:${String(port)} ${wireOf(cluster, same)}` };
}

function typeOf(config: Json | undefined): string {
  return (text(get(config, '@type')) ?? '').split('.').at(-1) ?? '';
}
