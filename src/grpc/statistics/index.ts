// Envoy's statistics sink (OTLP): a face of its own, since it is no part of the library.

export { attachStatistics, METRICS_SERVICE, type StatisticsCall } from './metrics-service.js';
export type { StatisticsReport } from './report.js';
