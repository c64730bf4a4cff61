import type { ForeignCa, KeyAndCertificate } from './foreign-ca.js';

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface StaticBootstrapOptions {
  readonly admin: Endpoint;
  /** Plain HTTP → `app`. */
  readonly http: Endpoint;
  /**
   * HTTP over TLS that wants a client certificate of `ca` → `app`, with x-forwarded-client-cert.
   */
  readonly https: Endpoint & { readonly ca: ForeignCa; readonly server: KeyAndCertificate };
  /** TCP → `tcpApp`. */
  readonly tcp: Endpoint;
  readonly app: Endpoint;
  readonly tcpApp: Endpoint;
}

const TYPE = 'type.googleapis.com/envoy.extensions';

/** A bootstrap without any management server, to prove the harness on. */
export function toStaticBootstrap(options: StaticBootstrapOptions): object {
  const { admin, http, https, tcp, app, tcpApp } = options;
  return {
    admin: { address: at(admin) },
    static_resources: {
      listeners: [
        listener('http', http, { filters: [hcm('http')] }),
        listener('https', https, { filters: [hcm('https')], transport_socket: mutualTls(https) }),
        listener('tcp', tcp, { filters: [tcpProxy()] }),
      ],
      clusters: [cluster('app', app), cluster('tcp-app', tcpApp)],
    },
  };
}

function at({ address, port }: Endpoint): object {
  return { socket_address: { address, port_value: port } };
}

function listener(name: string, endpoint: Endpoint, chain: object): object {
  return {
    name,
    address: at(endpoint),
    enable_reuse_port: false,
    filter_chains: [chain],
  };
}

function hcm(statPrefix: string): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: statPrefix,
      forward_client_cert_details: 'SANITIZE_SET',
      set_current_client_cert_details: { uri: true },
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster: 'app', timeout: '0s' } }],
          },
        ],
      },
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
        },
      ],
    },
  };
}

function tcpProxy(): object {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: 'tcp',
      cluster: 'tcp-app',
    },
  };
}

function mutualTls({ ca, server }: StaticBootstrapOptions['https']): object {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: {
        tls_certificates: [
          {
            certificate_chain: { inline_string: server.cert },
            private_key: { inline_string: server.key },
          },
        ],
        validation_context: { trusted_ca: { inline_string: ca.cert } },
      },
    },
  };
}

function cluster(name: string, endpoint: Endpoint): object {
  return {
    name,
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: at(endpoint) } }] }],
    },
  };
}
