import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/cli/proto-json.js';
import { looksAtPaths, mayConnectPlain, type Port } from '../../src/policy/index.js';
import { toCallees } from '../../src/translate/callees.js';
import { toCallers } from '../../src/translate/index.js';
import { goldenCases, meshOfCase } from './golden-cases.js';
import {
  at,
  type JsonObject,
  messagesIn,
  objectsIn,
  type Translated,
  translate,
} from './translated.js';

// What must hold of every message of every case, whatever else changes. Each rule first makes sure
// that the cases have what it speaks of.

const workloads = goldenCases.flatMap((name) => {
  const mesh = meshOfCase(name);
  return [...mesh.services.values()].map((service) => ({
    name: `${name}/${service.name}`,
    mesh,
    service,
    sent: translate(mesh, { name: service.name }),
  }));
});

function some<T>(list: readonly T[]): readonly T[] {
  expect(list.length, 'nothing to look at').toBeGreaterThan(0);
  return list;
}

const everything = workloads.map(({ sent }) => Object.values(sent).flat());
const all = (type: string): readonly JsonObject[] =>
  some(everything.flatMap((messages) => messagesIn(messages, type)));
const objects = (key: string): readonly JsonObject[] =>
  some(everything.flatMap((one) => [...objectsIn(one)].filter((object) => key in object)));
const values = (list: readonly JsonObject[], ...keys: (string | number)[]): Set<Json | undefined> =>
  new Set(list.map((one) => at(one, ...keys)));

/** The listener of a declared port. */
function declaredOf(sent: Translated, port: number): JsonObject | undefined {
  const names: readonly (Json | undefined)[] = [`inbound:${port}`, `inbound:captured:${port}`];
  return sent.listeners.find(({ name }) => names.includes(name));
}

/** By which an application elsewhere has names of its own. */
function endingOf({ number, target: { address, port } }: Port): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return host === '127.0.0.1' && port === number ? `${number}` : `${number}:${host}:${port}`;
}

const isOpenInPlain = ({ mode, access }: Port): boolean =>
  mode !== 'strict' && mayConnectPlain(access);

describe('clusters', () => {
  const calling = workloads.flatMap(({ mesh, service, sent }) =>
    toCallees(mesh, service).map(({ callee, port }) => {
      const name = `${callee.name}:${port.number}`;
      return { callee, port, cluster: sent.clusters.find((one) => one['name'] === name) };
    }),
  );

  it('each calls one service over mTLS, with exactly its identity', () => {
    for (const { callee, port, cluster } of some(calling)) {
      const tls = at(cluster, 'transport_socket', 'typed_config');
      expect(at(tls, '@type')).toMatch(/UpstreamTlsContext$/);
      expect(at(tls, 'sni')).toBe(`${port.number}.${callee.shortName}.${callee.namespace}.mesh`);
      const context = at(tls, 'common_tls_context');
      expect(
        at(
          context,
          'combined_validation_context',
          'default_validation_context',
          'match_typed_subject_alt_names',
        ),
      ).toEqual([{ san_type: 'URI', matcher: { exact: callee.spiffeId } }]);
      expect(at(context, 'tls_certificate_sds_secret_configs', 0, 'name')).toBe('default');
      const matches = at(cluster, 'transport_socket_matches') as JsonObject[];
      expect(matches.map(({ match }) => match)).toEqual([{ countersign: 'plain' }]);
    }
  });

  it('a workload has none but its own applications and the services that it may call', () => {
    for (const { mesh, service, sent } of workloads) {
      const own = service.ports.map((port) => `local:${endingOf(port)}`);
      const callees = toCallees(mesh, service).map(
        (one) => `${one.callee.name}:${one.port.number}`,
      );
      const { inbound, outbound, undeclared, egress } = service.capture;
      const passed = [
        ...(inbound === 'transparent' && undeclared === 'pass' ? ['passed:inbound'] : []),
        ...(outbound === 'transparent' && egress === 'any' ? ['passed:outbound'] : []),
      ];
      expect(sent.clusters.map(({ name }) => name)).toEqual([...own, ...callees, ...passed]);
    }
  });

  it('no STRICT port is called in plain text, and none with a sidecar but DISABLE', () => {
    const seen = new Set<string>();
    for (const { callee, port, cluster } of some(calling)) {
      const { sent } =
        workloads.find(({ sent: one }) => one.clusters.includes(cluster ?? {})) ?? {};
      const assignment =
        sent?.endpoints.find((one) => one['cluster_name'] === cluster?.['name']) ??
        at(cluster, 'load_assignment');
      for (const endpoint of [...objectsIn(assignment ?? null)].filter(
        (one) => 'endpoint' in one,
      )) {
        const plain = endpoint['metadata'] !== undefined;
        const atMeshPort =
          at(endpoint, 'endpoint', 'address', 'socket_address', 'port_value') === 15443;
        expect(plain, `${callee.name}:${port.number}`).toBe(!atMeshPort);
        if (plain) expect(port.mode === 'disable' || callee.endpoints.length > 0).toBe(true);
        if (plain) expect(port.mode).not.toBe('strict');
        seen.add(`${port.mode} ${plain}`);
      }
    }
    expect([...seen].sort()).toEqual([
      'disable true',
      'permissive false',
      'permissive true',
      'strict false',
    ]);
  });
});

describe('applications', () => {
  it('on IPv4 loopback are called from another address than 127.0.0.1, which they trust', () => {
    const local = some(
      workloads.flatMap(({ sent }) =>
        sent.clusters.filter(({ name }) => String(name).startsWith('local:')),
      ),
    );
    const sources = new Set<string>();
    for (const cluster of local) {
      const address = String(
        at(
          cluster,
          ...['load_assignment', 'endpoints', 0, 'lb_endpoints', 0, 'endpoint'],
          ...['address', 'socket_address', 'address'],
        ),
      );
      const source = at(cluster, 'upstream_bind_config', 'source_address', 'address');
      const kind = address.startsWith('127.') ? 'loopback' : address;
      sources.add(`${kind} from ${source}`);
    }
    expect([...sources].sort()).toEqual([
      '10.9.9.9 from undefined',
      '::1 from undefined',
      'loopback from 127.0.0.6',
      'search-application from undefined',
    ]);
  });
});

describe('TLS', () => {
  const contexts = objects('common_tls_context');

  it('minimum and maximum are always written', () => {
    for (const context of contexts) {
      const params = at(context, 'common_tls_context', 'tls_params');
      expect(at(params, 'tls_minimum_protocol_version')).toMatch(/^TLSv1_[23]$/);
      expect(at(params, 'tls_maximum_protocol_version')).toMatch(/^TLSv1_[23]$/);
    }
  });

  it('certificates and anchors are always secrets, and waited for', () => {
    const anchors = new Set<Json | undefined>();
    for (const context of contexts) {
      const common = at(context, 'common_tls_context') as JsonObject;
      expect(Object.keys(common)).not.toContain('tls_certificates');
      expect(Object.keys(common)).not.toContain('validation_context');
      expect(at(common, 'tls_certificate_sds_secret_configs')).toHaveLength(1);
      anchors.add(
        at(common, 'combined_validation_context', 'validation_context_sds_secret_config', 'name'),
      );
    }
    const names = [...anchors].map(String).sort();
    expect(names[0]).toBe('ROOTCA');
    expect(some(names.slice(1)).every((name) => /^callers:\d+(:[^:]+:\d+)?$/.test(name))).toBe(
      true,
    );
  });

  it('a server that requires a certificate takes only identities of the trust domain', () => {
    const seen = new Set<string>();
    for (const context of all('DownstreamTlsContext')) {
      const san = at(
        context,
        'common_tls_context',
        'combined_validation_context',
        'default_validation_context',
        'match_typed_subject_alt_names',
      );
      const secret = at(
        context,
        'common_tls_context',
        'combined_validation_context',
        'validation_context_sds_secret_config',
        'name',
      );
      const [kind] = String(secret).split(':');
      seen.add(`${context['require_client_certificate']} ${kind} ${JSON.stringify(san)}`);
    }
    const ours = [{ san_type: 'URI', matcher: { prefix: 'spiffe://shop.example/' } }];
    // Without the requirement no matcher: to Envoy 1.40.0 a matcher is a requirement. Beside the
    // names of a `callers` secret none either: Envoy would take whom either names.
    expect([...seen].sort()).toEqual([
      'false ROOTCA undefined',
      `true ROOTCA ${JSON.stringify(ours)}`,
      'true callers undefined',
    ]);
  });

  it('every tcp port that asks for a certificate names whom it takes, within the domain', () => {
    let ports = 0;
    for (const { mesh, service, sent } of workloads) {
      const callers = toCallers({ mesh, service, deniedIds: [] });
      for (const { names } of callers) {
        ports++;
        expect(names.length).toBeGreaterThan(0);
        for (const { text } of names) expect(text).toMatch(/^spiffe:\/\/shop\.example\//);
      }
      const asked = messagesIn(sent.listeners, 'DownstreamTlsContext').map((one) =>
        at(
          one,
          'common_tls_context',
          'combined_validation_context',
          'validation_context_sds_secret_config',
          'name',
        ),
      );
      const given = callers.map(({ secretName }) => secretName);
      const wanted = new Set(asked.filter((name) => String(name).startsWith('callers:')));
      expect([...wanted]).toEqual(given);
    }
    expect(ports).toBeGreaterThan(0);
  });

  it('a plain tcp chain leads to the application only where plain callers may connect', () => {
    const seen = new Set<string>();
    for (const { service, sent } of workloads) {
      for (const port of service.ports.filter(({ protocol }) => protocol === 'tcp')) {
        const declared = declaredOf(sent, port.number);
        for (const chain of at(declared, 'filter_chains') as JsonObject[]) {
          if (chain['transport_socket'] !== undefined) continue;
          const proxies = messagesIn(chain, 'TcpProxy').length;
          expect(proxies).toBe(mayConnectPlain(port.access) ? 1 : 0);
          seen.add(String(chain['name']));
        }
      }
    }
    expect([...seen].sort()).toEqual(['closed', 'plain']);
  });

  it('no application behind a tcp port is connected to before the handshake', () => {
    const inbound = workloads.flatMap(({ sent }) =>
      sent.listeners.filter(({ name }) => !String(name).startsWith('outbound:')),
    );
    // Of no declared port: nobody's identity is asked for there.
    const proxies = some(messagesIn(inbound, 'TcpProxy')).filter(
      (one) => one['cluster'] !== 'passed:inbound',
    );
    expect(values(proxies, 'upstream_connect_mode')).toEqual(
      new Set(['ON_DOWNSTREAM_TLS_HANDSHAKE']),
    );
  });

  it('a chain of the mesh port, and of a STRICT port, requires a client certificate', () => {
    const required = new Set<string>();
    for (const { service, sent } of workloads) {
      for (const port of service.ports) {
        const mesh = sent.listeners.find(({ name }) => name === 'mesh');
        const declared = declaredOf(sent, port.number);
        const chains = at(declared, 'filter_chains') as JsonObject[];
        for (const chain of at(mesh, 'filter_chains') as JsonObject[]) {
          const socket = at(chain, 'transport_socket', 'typed_config');
          expect(at(socket, 'require_client_certificate')).toBe(true);
        }
        const kinds = chains.map((chain) => {
          const socket = at(chain, 'transport_socket', 'typed_config');
          return socket === undefined ? 'plain' : at(socket, 'require_client_certificate');
        });
        required.add(`${port.mode} ${port.protocol === 'tcp' ? 'tcp' : 'http'}: ${kinds}`);
      }
    }
    expect([...required].sort()).toEqual([
      'disable http: plain',
      'disable tcp: plain',
      'permissive http: false,plain',
      'permissive tcp: plain',
      'strict http: true',
      'strict tcp: true',
    ]);
  });
});

describe('sessions of TLS', () => {
  it('are resumed by no server: a resumed one outlives its certificate (decision 034)', () => {
    const contexts = all('DownstreamTlsContext');
    expect(values(contexts, 'disable_stateless_session_resumption')).toEqual(new Set([true]));
    expect(values(contexts, 'disable_stateful_session_resumption')).toEqual(new Set([true]));
  });

  it('are resumed by no client', () => {
    expect(values(all('UpstreamTlsContext'), 'max_session_keys')).toEqual(new Set([0]));
  });
});

describe('listeners', () => {
  const listeners = some(workloads.flatMap(({ sent }) => sent.listeners));

  it('never share an address', () => {
    expect(values(listeners, 'enable_reuse_port')).toEqual(new Set([false]));
  });

  it('wait for what they ask for: no SDS, RDS or ECDS goes live without', () => {
    const sources = [
      ...objects('sds_config').map((one) => at(one, 'sds_config')),
      ...objects('rds').map((one) => at(one, 'rds', 'config_source')),
      ...objects('config_discovery').map((one) => at(one, 'config_discovery', 'config_source')),
    ];
    const expected = { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' };
    for (const source of sources) expect(source).toEqual(expected);
    for (const one of objects('config_discovery')) {
      expect(Object.keys(one['config_discovery'] as JsonObject)).not.toContain('default_config');
    }
  });
});

/** HTTP ports, with their connection managers and routes. */
const served = some(
  workloads.flatMap(({ service, sent }) =>
    service.ports
      .filter(({ protocol }) => protocol !== 'tcp')
      .map((port) => ({
        port,
        managers: messagesIn(sent.listeners, 'HttpConnectionManager').filter(
          (one) => at(one, 'rds', 'route_config_name') === `inbound:${port.number}`,
        ),
        route: sent.routes.find(({ name }) => name === `inbound:${port.number}`),
      })),
  ),
);

describe('paths, inbound', () => {
  const looked = some(served.filter(({ port }) => looksAtPaths(port.access)));
  const free = some(served.filter(({ port }) => !looksAtPaths(port.access)));

  it('paths are normalised before rules see them', () => {
    for (const { managers: ofPort } of looked) {
      expect(values(some(ofPort), 'normalize_path')).toEqual(new Set([true]));
      expect(values(ofPort, 'merge_slashes')).toEqual(new Set([true]));
      expect(values(ofPort, 'path_with_escaped_slashes_action')).toEqual(
        new Set(['REJECT_REQUEST']),
      );
    }
  });

  it('where no rule looks at paths, they are left alone', () => {
    for (const { managers: ofPort } of free) {
      expect(values(some(ofPort), 'normalize_path')).toEqual(new Set([false]));
      expect(values(ofPort, 'merge_slashes')).toEqual(new Set([undefined]));
      expect(values(ofPort, 'path_with_escaped_slashes_action')).toEqual(
        new Set(['KEEP_UNCHANGED']),
      );
    }
  });

  it('path rules refuse what is not normalised, for connections from before them', () => {
    const unreadable = (route: JsonObject | undefined): Json | undefined =>
      at(
        route,
        'typed_per_filter_config',
        'countersign.deny',
        'rbac',
        'rules',
        'policies',
        'unreadable-path',
      );
    for (const { route } of looked) expect(unreadable(route)).toBeDefined();
    for (const { route } of free) expect(unreadable(route)).toBeUndefined();
  });
});

describe('HTTP', () => {
  const managers = all('HttpConnectionManager');
  const inbound = some(managers.filter((one) => 'rds' in one));

  it('inbound: no other spelling of the identity header reaches an application', () => {
    for (const { route } of served) {
      const removed = at(route, 'request_headers_to_remove') as string[];
      expect(removed).toHaveLength(7);
      for (const name of removed) {
        expect(name.replaceAll('_', '-')).toBe('x-forwarded-client-cert');
        expect(name).toContain('_');
      }
    }
  });

  it("inbound: the caller's identity cannot be forged", () => {
    expect(values(inbound, 'forward_client_cert_details')).toEqual(new Set(['SANITIZE_SET']));
    expect(values(inbound, 'set_current_client_cert_details', 'uri')).toEqual(new Set([true]));
  });

  it("both ways: Envoy's defaults that break applications are off", () => {
    expect(values(managers, 'upgrade_configs', 0, 'upgrade_type')).toEqual(new Set(['websocket']));
    expect(values(managers, 'proxy_100_continue')).toEqual(new Set([true]));
    expect(values(managers, 'generate_request_id')).toEqual(new Set([false]));
    expect(values(managers, 'http_protocol_options', 'enable_trailers')).toEqual(new Set([true]));
    expect(values(managers, 'http_protocol_options', 'allow_custom_methods')).toEqual(
      new Set([true]),
    );
    expect(values(managers, 'stream_idle_timeout')).toEqual(new Set(['0s']));
    expect(values(managers, 'http_protocol_options', 'accept_http_10')).toEqual(new Set([true]));
    expect(values(managers, 'server_header_transformation')).toEqual(new Set(['PASS_THROUGH']));
    expect(values(objects('route'), 'route', 'timeout')).toEqual(new Set(['0s']));
  });
});

const FILTERS = [
  'countersign.deny',
  'countersign.allow',
  'envoy.filters.http.header_mutation',
  'envoy.filters.http.router',
];

describe('rules', () => {
  it('the base of the allow filter refuses everything, that of the deny filter nothing', () => {
    const filters = objects('http_filters').flatMap((one) => one['http_filters'] as JsonObject[]);
    const base = (name: string): Set<string> =>
      new Set(
        some(filters.filter((one) => one['name'] === name)).map((one) =>
          JSON.stringify(at(one, 'typed_config', 'rules')),
        ),
      );
    // ALLOW is the action's zero value, which ProtoJSON leaves out.
    expect(base('countersign.allow')).toEqual(new Set(['{}']));
    expect(base('countersign.deny')).toEqual(new Set(['{"action":"DENY"}']));
  });

  it('the deny filter stands before the allow filter, both before the rest', () => {
    const names = objects('rds').map((one) =>
      (one['http_filters'] as JsonObject[]).map(({ name }) => name),
    );
    for (const list of names) {
      expect(list).toEqual(FILTERS);
    }
    const chains = objects('config_discovery').map(({ name }) => String(name).split(':')[0]);
    expect(new Set(chains)).toEqual(new Set(['countersign.deny', 'countersign.allow']));
  });

  it('an RBACPerRoute always has rules: without them it would switch the filter off', () => {
    for (const one of all('RBACPerRoute')) expect(at(one, 'rbac', 'rules')).toBeDefined();
  });

  it('every RouteConfiguration carries both filters, and every TCP chain has both', () => {
    for (const { service, sent } of workloads) {
      for (const { typed_per_filter_config: rules } of sent.routes) {
        expect(Object.keys(rules as JsonObject).sort()).toEqual([
          'countersign.allow',
          'countersign.deny',
        ]);
      }
      const tcp = service.ports.filter(({ protocol }) => protocol === 'tcp');
      expect(sent.extensions.map(({ name }) => name)).toEqual(
        tcp.flatMap((port) =>
          ['', ...(isOpenInPlain(port) ? ['plain:'] : [])].flatMap((way) => [
            `countersign.deny:${way}${endingOf(port)}`,
            `countersign.allow:${way}${endingOf(port)}`,
          ]),
        ),
      );
    }
  });
});
