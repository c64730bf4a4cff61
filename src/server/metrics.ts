// Prometheus text exposition (format 0.0.4) of what an operator alarms on.
import { toHorizonMetrics } from './horizon-report.js';
import type { StatusInput } from './status.js';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

export function toMetrics({ meshState, rollout, members, horizon }: StatusInput): string {
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
  ];
  if (ends.length > 0) {
    metrics.push({
      name: 'certificate_first_end_timestamp_seconds',
      help: 'When the first leaf of a connected proxy ends.',
      value: Math.min(...ends) / 1000,
    });
  }
  return metrics.map(toText).join('') + toHorizonMetrics(horizon);
}

function toText({ name, help, value }: Metric): string {
  const full = `countersign_${name}`;
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${full} ${value}\n`;
}
