// OpenTelemetry's metrics service on this server's port, as Envoy's statistics sink calls it: the
// wire of it. Whose statistics they are, and what they mean, is its host's to say.
// Protocol: protos/countersign/otlp-export.proto.
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { MeshError } from '../../base/index.js';
import type { ServiceRegistry } from '../discovery.js';
import type { Logger } from '../host.js';
import { toMethod } from '../method.js';
import { type Caller, toCaller } from '../peer.js';
import { isForPeer, toStatus } from '../status.js';
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

type Call = ServerUnaryCall<Buffer, Buffer>;

/** Serves Export on `server`. */
export function attachStatistics(server: ServiceRegistry, options: StatisticsOptions): void {
  const { take, logger, maxInProgress = DEFAULT_MAX_IN_PROGRESS } = options;
  let inProgress = 0;
  const answer = async (call: Call): Promise<Buffer> => {
    if (inProgress >= maxInProgress) {
      const message = `expected at most ${maxInProgress} reports of statistics at once`;
      throw new MeshError('resource-limit', message);
    }
    inProgress += 1;
    try {
      await take({ caller: toCaller(call), read: () => decodeReport(call.request) });
      return TAKEN;
    } finally {
      inProgress -= 1;
    }
  };
  const toRefusal = (call: Call, error: unknown): ReturnType<typeof toStatus> => {
    const refusal = toStatus(error);
    const peer = toCaller(call).address;
    if (isForPeer(error)) logger?.warn({ peer, reason: refusal.details }, 'statistics refused');
    else logger?.error({ peer, err: error }, 'statistics could not be taken');
    return refusal;
  };
  const method = { service: METRICS_SERVICE, name: METHOD };
  server.addService(
    { [METHOD]: toMethod({ ...method, requestStream: false, responseStream: false }) },
    {
      [METHOD](call: Call, done: sendUnaryData<Buffer>): void {
        answer(call).then(
          (response) => done(null, response),
          (error: unknown) => done(toRefusal(call, error)),
        );
      },
    },
  );
}
