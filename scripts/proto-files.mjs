// Which of Envoy's protos are compiled (with all that they import).
const v3 = (path, file) => `envoy/${path}/v3/${file}.proto`;

/** Whole messages that `serve` encodes. */
export const ENCODED_PROTOS = [
  v3('config/listener', 'listener'),
  v3('config/cluster', 'cluster'),
  v3('config/route', 'route'),
  v3('config/endpoint', 'endpoint'),
  v3('extensions/transport_sockets/tls', 'tls'),
  v3('extensions/transport_sockets/raw_buffer', 'raw_buffer'),
  v3('extensions/filters/network/http_connection_manager', 'http_connection_manager'),
  v3('extensions/filters/network/tcp_proxy', 'tcp_proxy'),
  v3('extensions/filters/network/rbac', 'rbac'),
  v3('extensions/filters/network/direct_response', 'config'),
  v3('extensions/filters/http/rbac', 'rbac'),
  v3('extensions/filters/http/header_mutation', 'header_mutation'),
  v3('extensions/filters/http/router', 'router'),
  v3('extensions/filters/listener/tls_inspector', 'tls_inspector'),
  v3('extensions/filters/listener/original_dst', 'original_dst'),
  v3('extensions/matching/common_inputs/network', 'network_inputs'),
  'xds/type/matcher/v3/ip.proto',
  v3('extensions/upstreams/http', 'http_protocol_options'),
  v3('extensions/http/header_formatters/preserve_case', 'preserve_case'),
  v3('service/health', 'hds'),
];

/** What others build configurations of, in `countersign/envoy`: all of these folders. */
const LIBRARY_FOLDERS = [
  ...['filters/http', 'filters/listener', 'filters/network', 'access_loggers/file'],
  ...['access_loggers/stream', 'access_loggers/grpc', 'access_loggers/filters'],
  ...['transport_sockets', 'upstreams', 'compression', 'load_balancing_policies', 'retry'],
  ...['health_checkers', 'clusters', 'http', 'internal_redirect', 'path', 'request_id'],
  ...['string_matcher', 'early_data'],
].map((folder) => `envoy/extensions/${folder}/`);
/** But what is of one vendor, of a protocol of its own, or imports protos that nobody ships. */
const LEFT_OUT = /dubbo|thrift|mongo|zookeeper|redis|wasm|aws|s2a|alts|\/quic\//;

/** What `countersign/envoy` encodes and decodes, of all files of the v3 API. */
export function toLibraryProtos(files) {
  const extensions = files.filter(
    (file) =>
      LIBRARY_FOLDERS.some((folder) => file.startsWith(folder)) &&
      file.includes('/v3/') &&
      !LEFT_OUT.test(file),
  );
  return [
    ...new Set([
      ...ENCODED_PROTOS,
      ...extensions.sort(),
      v3('config/bootstrap', 'bootstrap'),
      v3('config/route', 'scoped_route'),
      v3('service/discovery', 'discovery'),
      v3('service/runtime', 'rtds'),
    ]),
  ];
}

/** What the `bootstrap` command encodes; a module of its own, which `serve` doesn't load. */
export const BOOTSTRAP_PROTOS = [
  v3('config/bootstrap', 'bootstrap'),
  v3('extensions/transport_sockets/tls', 'tls'),
  v3('extensions/upstreams/http', 'http_protocol_options'),
  v3('extensions/filters/http/credential_injector', 'credential_injector'),
  v3('extensions/http/injected_credentials/generic', 'generic'),
  v3('extensions/filters/http/upstream_codec', 'upstream_codec'),
  v3('extensions/stat_sinks/open_telemetry', 'open_telemetry'),
  v3('extensions/matching/common_inputs/stats', 'stats'),
  v3('extensions/tracers/opentelemetry/resource_detectors', 'static_config_resource_detector'),
];

/** Everything that `render` and `bootstrap` print and tests read. */
export const DESCRIBED_PROTOS = [
  ...ENCODED_PROTOS,
  ...BOOTSTRAP_PROTOS.filter((file) => !ENCODED_PROTOS.includes(file)),
  v3('service/discovery', 'ads'),
  v3('admin', 'config_dump'),
  v3('extensions/retry/host/previous_hosts', 'previous_hosts'),
  v3('extensions/access_loggers/file', 'file'),
  v3('extensions/access_loggers/stream', 'stream'),
];

/** What gRPC reflection describes beside our own: the services, and what travels in them. */
export const REFLECTED_PROTOS = [
  v3('service/discovery', 'ads'),
  v3('service/listener', 'lds'),
  v3('service/route', 'rds'),
  v3('service/route', 'srds'),
  v3('service/cluster', 'cds'),
  v3('service/endpoint', 'eds'),
  v3('service/endpoint', 'leds'),
  v3('service/secret', 'sds'),
  v3('service/runtime', 'rtds'),
  v3('service/extension', 'config_discovery'),
  v3('service/status', 'csds'),
  ...ENCODED_PROTOS,
];
