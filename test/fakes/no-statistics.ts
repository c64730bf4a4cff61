import type { Statistics, StatisticsView } from '../../src/server/telemetry/index.js';

/** Of sidecars that report nothing of themselves. */
export const NO_STATISTICS: Pick<Statistics, 'viewOf'> = { viewOf: () => SILENT };

export const SILENT: StatisticsView = { verdict: 'unknown', reports: false, draining: undefined };
