// What sidecars report of themselves, in `status --json` and in the metrics.
import { expect, it } from 'vitest';
import {
  toStatisticsGauges,
  toStatisticsStatus,
} from '../../../src/server/status/statistics-status.js';
import { SILENT } from '../../fakes/no-statistics.js';

const DRAINING = { chains: 2, listeners: 1, sinceMs: Date.UTC(2026, 0, 1) };
const REPORTS = { verdict: 'in-force', reports: true, draining: undefined } as const;

it('a sidecar that reports nothing, and one that drains', () => {
  expect(toStatisticsStatus(SILENT)).toEqual({
    ...{ reports: false, inForce: 'unknown', draining: null },
  });
  expect(toStatisticsStatus({ ...REPORTS, draining: DRAINING })).toEqual({
    ...{ reports: true, inForce: 'in-force' },
    draining: { chains: 2, listeners: 1, since: '2026-01-01T00:00:00.000Z' },
  });
});

it('how many report nothing, and how many drain', () => {
  const views = [SILENT, SILENT, REPORTS, { ...REPORTS, draining: DRAINING }];
  const gauges = toStatisticsGauges(views.map((statistics) => ({ statistics })));
  expect(gauges.map(({ name, value }) => [name, value])).toEqual([
    ['proxies_without_statistics', 2],
    ['proxies_draining', 1],
  ]);
});
