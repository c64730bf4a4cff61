// Fields of Envoy's messages that are newer than the protos which the package ships, by their
// numbers in Envoy 1.40.0. An older Envoy passes over a field that it doesn't know.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NEWER = [
  {
    file: 'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
    message: 'TcpProxy',
    // Since 1.37.
    fields: `
  UpstreamConnectMode upstream_connect_mode = 21;
  google.protobuf.UInt32Value max_early_data_bytes = 22;
`,
    types: `
enum UpstreamConnectMode {
  IMMEDIATE = 0;
  ON_DOWNSTREAM_DATA = 1;
  ON_DOWNSTREAM_TLS_HANDSHAKE = 2;
}
`,
  },
  {
    file: 'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
    message: 'TcpProxy',
    // In all that we support.
    fields: `
  config.core.v3.BackoffStrategy backoff_options = 18;
`,
    types: '',
    imports: ['envoy/config/core/v3/backoff.proto'],
  },
  {
    file: 'envoy/config/listener/v3/listener.proto',
    message: 'Listener',
    // Since 1.37.
    fields: `
  core.v3.TcpKeepalive tcp_keepalive = 37;
`,
    types: '',
  },
  {
    file: 'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
    message: 'HttpProtocolOptions',
    fields: `
  message OutlierDetection {
    config.common.matcher.v3.MatchPredicate error_matcher = 1;
  }
  OutlierDetection outlier_detection = 8;
`,
    types: '',
    imports: ['envoy/config/common/matcher/v3/matcher.proto'],
  },
  {
    file: 'envoy/config/core/v3/protocol.proto',
    message: 'HttpProtocolOptions',
    fields: `
  google.protobuf.UInt32Value max_response_headers_kb = 7;
`,
    types: '',
  },
  {
    file: 'envoy/config/core/v3/protocol.proto',
    message: 'Http1ProtocolOptions',
    fields: `
  repeated type.matcher.v3.StringMatcher ignore_http_11_upgrade = 11;
`,
    types: '',
  },
  {
    file: 'envoy/config/common/mutation_rules/v3/mutation_rules.proto',
    message: 'HeaderMutation',
    fields: `
  message RemoveOnMatch {
    type.matcher.v3.StringMatcher key_matcher = 1;
  }
  RemoveOnMatch remove_on_match = 3;
`,
    types: '',
    imports: ['envoy/type/matcher/v3/string.proto'],
  },
  {
    file: 'envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto',
    message: 'Mutations',
    fields: `
  repeated config.common.mutation_rules.v3.HeaderMutation response_trailers_mutations = 4;
  repeated config.common.mutation_rules.v3.HeaderMutation request_trailers_mutations = 5;
`,
    types: '',
  },
  {
    file: 'envoy/extensions/stat_sinks/open_telemetry/v3/open_telemetry.proto',
    message: 'SinkConfig',
    // The first two in all that we support; DropAction since 1.37.
    fields: `
  repeated config.core.v3.TypedExtensionConfig resource_detectors = 7;
  .xds.type.matcher.v3.Matcher custom_metric_conversions = 8;
  message ConversionAction {
    string metric_name = 2;
  }
  message DropAction {
  }
`,
    types: '',
    imports: ['envoy/config/core/v3/extension.proto', 'xds/type/matcher/v3/matcher.proto'],
  },
];

/** Files that the package doesn't ship. */
const WHOLE = new Map([
  [
    'envoy/extensions/matching/common_inputs/stats/v3/stats.proto',
    `syntax = "proto3";
package envoy.extensions.matching.common_inputs.stats.v3;
message StatFullNameMatchInput {
}
`,
  ],
]);

/** Writes the package's files with those fields to `folder`, which is to be searched first. */
export function writeNewerProtos(folder, packageFolder) {
  for (const [file, text] of WHOLE) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  for (const { file, message, fields, types, imports = [] } of NEWER) {
    const path = join(folder, file);
    const source = existsSync(path) ? path : join(packageFolder, file);
    const added = imports.map((path) => `\nimport "${path}";`).join('');
    const text = readFileSync(source, 'utf8')
      .replaceAll('\r', '')
      .replace(/^package .*;$/m, (line) => line + added);
    const begin = text.indexOf(`\nmessage ${message} {\n`);
    const end = text.indexOf('\n}\n', begin);
    if (begin < 0 || end < 0) throw new Error(`${file} has no message ${message}`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${text.slice(0, end)}${fields}}\n${types}${text.slice(end + 3)}`);
  }
}
