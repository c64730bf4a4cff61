// Prometheus text exposition (format 0.0.4) of what an operator alarms on.

import type { RefusalView } from '../join/index.js';
import { toHorizonMetrics } from './horizon-report.js';
import type { StatusInput } from './status.js';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

export function toMetrics(input: StatusInput): string {
  const { meshState, rollout, members, horizon, refusals, revocations } = input;
  const count = (state: string): number => members.filter((one) => one.state === state).length;
  const errors = meshState.problems.filter(({ severity }) => severity === 'error').length;
  const ends = members.flatMap(({ leaf }) => (leaf === undefined ? [] : [leaf.notAfterMs]));
  const metrics: Metric[] = [
    { name: 'proxies_connected', help: 'Connected proxies.', value: members.length },
    { name: 'proxies_synced', help: 'Proxies on which all is in force.', value: count('synced') },
    {
      name: 'proxies_nacked',
      help: 'Proxies that rejected something.',
      value: count('nacked') + count('unbound'),
    },
    {
      name: 'mesh_errors',
      help: 'Errors of the mesh file; an earlier one is in force.',
      value: errors,
    },
    {
      name: 'phase_running',
      help: '1 while a change is being carried out.',
      value: rollout.phase === undefined ? 0 : 1,
    },
    {
      name: 'mesh_loaded_timestamp_seconds',
      help: 'When the newest good mesh was read.',
      value: meshState.loadedAtMs / 1000,
    },
    { name: 'revocations', help: 'Revocations in force.', value: revocations.list.size },
  ];
  if (revocations.crls !== undefined) {
    metrics.push({
      name: 'revocation_list_end_timestamp_seconds',
      help: 'When the revocation lists end, and every peer with them is refused.',
      value: revocations.crls.nextUpdateMs / 1000,
    });
  }
  if (ends.length > 0) {
    metrics.push({
      name: 'certificate_first_end_timestamp_seconds',
      help: 'When the first leaf of a connected proxy ends.',
      value: Math.min(...ends) / 1000,
    });
  }
  return metrics.map(toText).join('') + toHorizonMetrics(horizon) + toRefusedText(refusals);
}

/** A counter by code; a code that has not occurred has no line. */
function toRefusedText(refusals: RefusalView): string {
  const name = 'countersign_refused_total';
  const lines = [...refusals.counts()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, count]) => `${name}{code="${code}"} ${count}\n`);
  const heading = `# HELP ${name} Refused callers of the xDS port.\n# TYPE ${name} counter\n`;
  return heading + lines.join('');
}

function toText({ name, help, value }: Metric): string {
  const full = `countersign_${name}`;
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${full} ${value}\n`;
}
