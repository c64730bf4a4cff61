// The statistics sink of a bootstrap: to whom, with what proof, and of what.
import { expect, it } from 'vitest';
import { toProtoJson } from '../../src/cli/proto-json.js';
import { envoy } from '../../src/gen/bootstrap.js';
import { type BootstrapOptions, toBootstrap } from '../../src/translate/bootstrap/index.js';

const OPTIONS: BootstrapOptions = {
  service: 'payments/ledger',
  instance: 'one',
  xds: { host: '127.0.0.1', port: 18_000 },
  xdsAnchorPem: '',
  xdsServerName: 'xds.example',
  token: { kind: 'inline', token: 't' },
};

interface Sink {
  readonly grpc_service: object;
  readonly resource_detectors: readonly { typed_config: { attributes: object } }[];
  readonly custom_metric_conversions: {
    readonly matcher_tree: { readonly exact_match_map: { readonly map: Record<string, unknown> } };
    readonly on_no_match: { readonly action: { readonly typed_config: object } };
  };
}

function toJson(options: BootstrapOptions) {
  const bytes = envoy.config.bootstrap.v3.Bootstrap.encode(toBootstrap(options)).finish();
  return toProtoJson('envoy.config.bootstrap.v3.Bootstrap', bytes) as unknown as {
    stats_flush_interval?: string;
    stats_sinks?: readonly { readonly name: string; readonly typed_config: Sink }[];
    dynamic_resources: { ads_config: { grpc_services: readonly object[] } };
  };
}

it('goes where discovery goes, with the same token', () => {
  const { stats_sinks: [sink] = [], dynamic_resources: resources } = toJson(OPTIONS);
  expect(sink?.name).toBe('envoy.stat_sinks.open_telemetry');
  expect(sink?.typed_config.grpc_service).toEqual(resources.ads_config.grpc_services[0]);
});

it('sends five gauges and drops the rest, every two seconds', () => {
  const { stats_sinks: [sink] = [], stats_flush_interval: interval } = toJson(OPTIONS);
  const { matcher_tree: tree, on_no_match: other } =
    sink?.typed_config.custom_metric_conversions ?? {};
  expect(Object.keys(tree?.exact_match_map.map ?? {}).sort()).toEqual([
    'listener_manager.lds.version',
    'listener_manager.total_filter_chains_draining',
    'listener_manager.total_listeners_draining',
    'listener_manager.total_listeners_warming',
    'server.state',
  ]);
  expect(other?.action.typed_config).toMatchObject({
    '@type': expect.stringMatching(/SinkConfig\.DropAction$/),
  });
  expect(interval).toBe('2s');
});

it.each([
  [{}, { 'countersign.node': 'payments/ledger~one' }],
  [
    { address: '10.0.0.1', listen: 'any' as const },
    {
      'countersign.node': 'payments/ledger~one',
      'countersign.address': '10.0.0.1',
      'countersign.listen': 'any',
    },
  ],
])('says whose it is as discovery does: %o', (given, attributes) => {
  const { stats_sinks: [sink] = [] } = toJson({ ...OPTIONS, ...given });
  expect(sink?.typed_config.resource_detectors[0]?.typed_config.attributes).toEqual(attributes);
});

it('is left out for an Envoy that would refuse it', () => {
  const json = toJson({ ...OPTIONS, reportsStatistics: false });
  expect([json.stats_sinks, json.stats_flush_interval]).toEqual([undefined, undefined]);
});
