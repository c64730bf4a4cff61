// The sink by which a sidecar's statistics reach the server, over the connection and with the proof
// that discovery has. Only the gauges that the server reads are sent: a filter of the sink, so that
// Envoy's own /stats has all of them. Since Envoy 1.37 (decision 043).
import { toSecondsAndNanos } from '../../base/index.js';
import { envoy, type xds } from '../../gen/bootstrap.js';
import { STATISTICS, STATISTICS_ATTRIBUTES, STATISTICS_INTERVAL_MS } from '../statistics/index.js';
import { toAny } from './any.js';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;
type GrpcService = envoy.config.core.v3.GrpcService;
type OnMatch = xds.type.matcher.v3.Matcher.OnMatch;

const SINK = 'envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig';
const INPUT = 'envoy.extensions.matching.common_inputs.stats.v3.StatFullNameMatchInput';
const RESOURCE =
  'envoy.extensions.tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig';

export interface StatisticsOptions {
  /** The server, as discovery reaches it. */
  readonly grpcService: GrpcService;
  /** What the node says of itself. */
  readonly node: string;
  readonly address: string | undefined;
  readonly listen: string | undefined;
}

export function toStatistics(
  options: StatisticsOptions,
): Pick<Bootstrap, 'statsSinks' | 'statsFlushInterval'> {
  const { SinkConfig } = envoy.extensions.stat_sinks.open_telemetry.v3;
  const sink = SinkConfig.encode({
    grpcService: options.grpcService,
    resourceDetectors: [toResource(options)],
    emitTagsAsAttributes: { value: false },
    customMetricConversions: toFilter(),
  });
  return {
    statsSinks: [{ name: 'envoy.stat_sinks.open_telemetry', typedConfig: toAny(SINK, sink) }],
    statsFlushInterval: toSecondsAndNanos(STATISTICS_INTERVAL_MS),
  };
}

/** Whose statistics they are: OTLP has no node. */
function toResource({ node, address, listen }: StatisticsOptions) {
  const detectors = envoy.extensions.tracers.opentelemetry.resource_detectors.v3;
  const names = STATISTICS_ATTRIBUTES;
  const attributes: { [name: string]: string } = { [names.node]: node };
  if (address !== undefined) attributes[names.address] = address;
  if (listen !== undefined) attributes[names.listen] = listen;
  const message = detectors.StaticConfigResourceDetectorConfig.encode({ attributes });
  const name = 'envoy.tracers.opentelemetry.resource_detectors.static_config';
  return { name, typedConfig: toAny(RESOURCE, message) };
}

function toFilter(): xds.type.matcher.v3.Matcher {
  const { SinkConfig } = envoy.extensions.stat_sinks.open_telemetry.v3;
  const { StatFullNameMatchInput } = envoy.extensions.matching.common_inputs.stats.v3;
  const toAction = (type: string, message: { finish(): Uint8Array }): OnMatch => ({
    action: { name: type, typedConfig: toAny(`${SINK}.${type}`, message) },
  });
  const kept = Object.entries(STATISTICS).map(([full, metricName]): [string, OnMatch] => [
    full,
    toAction('ConversionAction', SinkConfig.ConversionAction.encode({ metricName })),
  ]);
  return {
    matcherTree: {
      input: { name: 'name', typedConfig: toAny(INPUT, StatFullNameMatchInput.encode({})) },
      exactMatchMap: { map: Object.fromEntries(kept) },
    },
    onNoMatch: toAction('DropAction', SinkConfig.DropAction.encode({})),
  };
}
