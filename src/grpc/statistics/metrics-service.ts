// OpenTelemetry's metrics service on this server's port, as Envoy's statistics sink calls it: the
// wire of it. Whose statistics they are, and what they mean, is its host's to say.
// Protocol: protos/countersign/otlp-export.proto.
import type { ServiceRegistry } from '../discovery.js';
import type { Logger } from '../host.js';
import { type Caller, toCaller } from '../peer.js';
import { attachUnary } from '../unary.js';
import { decodeReport, type StatisticsReport } from './report.js';

/** Full name of the service. */
export const METRICS_SERVICE = 'opentelemetry.proto.collector.metrics.v1.MetricsService';
const METHOD = 'Export';

export interface StatisticsCall {
  readonly caller: Caller;
  /** What it says. Throws a MeshError where that can't be read. */
  readonly read: () => StatisticsReport;
}

export interface StatisticsOptions {
  /** Rejects with a MeshError where it isn't taken. */
  readonly take: (call: StatisticsCall) => Promise<void>;
  /** Calls that are worked on at once; more are refused. Default 1000. */
  readonly maxInProgress?: number;
  readonly logger?: Logger;
}

/** A whole fleet reports each two seconds. */
const DEFAULT_MAX_IN_PROGRESS = 1_000;
/** An ExportMetricsServiceResponse: all was taken. */
const TAKEN = Buffer.alloc(0);

/** Serves Export on `server`. */
export function attachStatistics(server: ServiceRegistry, options: StatisticsOptions): void {
  const { take, logger, maxInProgress = DEFAULT_MAX_IN_PROGRESS } = options;
  attachUnary(server, {
    ...{ service: METRICS_SERVICE, method: METHOD, maxInProgress, logger },
    answer: async (call) => {
      await take({ caller: toCaller(call), read: () => decodeReport(call.request) });
      return TAKEN;
    },
    words: {
      calls: 'reports of statistics',
      refused: 'statistics refused',
      failed: 'statistics could not be taken',
    },
  });
}
