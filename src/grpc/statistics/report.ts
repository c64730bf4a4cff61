// What an Envoy's statistics sink sends (OTLP): who it says it is, and its gauges. Only what the
// server reads is decoded (protos/countersign/otlp-*.proto).
import { MeshError } from '../../base/index.js';
import { opentelemetry } from '../../gen/wire.js';

const { ExportMetricsServiceRequest: Message } = opentelemetry.proto.collector.metrics.v1;
type Message = opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
type DataPoint = opentelemetry.proto.metrics.v1.NumberDataPoint;

export interface StatisticsReport {
  /** Of the resource: claims. */
  readonly attributes: ReadonlyMap<string, string>;
  /** A gauge of 64 bits is the nearest number that JavaScript has. */
  readonly gauges: ReadonlyMap<string, number>;
}

/** A sidecar's has about 500 bytes (decision 043). */
export const MAX_REPORT_BYTES = 16_384;
/** A sidecar's has five gauges, and seven attributes. */
const MAX_ENTRIES = 64;

/** @throws MeshError request-invalid, resource-limit */
export function decodeReport(bytes: Buffer): StatisticsReport {
  const { resourceMetrics = [] } = decode(bytes);
  const attributes = new Map<string, string>();
  const gauges = new Map<string, number>();
  for (const { resource, scopeMetrics = [] } of resourceMetrics) {
    for (const { key, value } of resource?.attributes ?? []) {
      put(attributes, key, value?.stringValue ?? '');
    }
    for (const { name, gauge } of scopeMetrics.flatMap(({ metrics = [] }) => metrics)) {
      const [point, ...more] = gauge?.dataPoints ?? [];
      if (point === undefined || more.length > 0) throw junk('gauges of one value each');
      put(gauges, name, toValue(point));
    }
  }
  return { attributes, gauges };
}

function decode(bytes: Buffer): Message {
  if (bytes.length > MAX_REPORT_BYTES) {
    const message = `expected statistics of at most ${MAX_REPORT_BYTES} bytes`;
    throw new MeshError('resource-limit', `${message} but got ${bytes.length}`);
  }
  try {
    return Message.decode(bytes);
  } catch (cause) {
    throw junk('an ExportMetricsServiceRequest', cause);
  }
}

/** What is said twice says nothing. */
function put<T>(to: Map<string, T>, name: string | undefined, value: T): void {
  if (!name || to.has(name)) throw junk('a different name for each value');
  if (to.size === MAX_ENTRIES) throw junk(`at most ${MAX_ENTRIES} values`);
  to.set(name, value);
}

/** protobufjs gives an object of its own for 64 bits, where the package `long` is there. */
function toValue({ asInt, asDouble }: DataPoint): number {
  const value = Number(asInt ?? asDouble ?? 0);
  if (Number.isFinite(value) && value >= 0) return value;
  throw junk('gauges of zero or more');
}

function junk(expected: string, cause?: unknown): MeshError {
  const message = `expected ${expected} in the statistics of a sidecar but got something else`;
  return new MeshError('request-invalid', message, { cause });
}
