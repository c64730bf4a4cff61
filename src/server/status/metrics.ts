// What an operator alarms on, for Prometheus.

import { toSeconds } from '../../base/index.js';
import type { RefusalView } from '../join/index.js';
import { toAttendance } from './attendance.js';
import { toHorizonFamilies } from './horizon-report.js';
import { toLoadFamilies } from './load.js';
import { type Family, toExposition } from './prometheus.js';
import { toStatisticsGauges } from './statistics-status.js';
import type { StatusInput } from './status.js';
import { toStepFamilies } from './step-status.js';
import { TROUBLE_KINDS, type Trouble } from './trouble.js';
import { toUnwellFamily } from './unwell.js';

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

export function toMetrics(input: StatusInput): string {
  const { meshState, rollout, members, horizon, refusals, revocations } = input;
  const count = (state: string): number => members.filter((one) => one.state === state).length;
  const errors = meshState.problems.filter(({ severity }) => severity === 'error').length;
  const ends = members.flatMap(({ leaf }) => (leaf === undefined ? [] : [leaf.notAfterMs]));
  const gauges: Gauge[] = [
    ...toAttendanceGauges(input),
    { name: 'proxies_connected', help: 'Connected proxies.', value: members.length },
    { name: 'proxies_synced', help: 'Proxies on which all is in force.', value: count('synced') },
    {
      name: 'proxies_nacked',
      help: 'Proxies that rejected something.',
      value: count('nacked') + count('unbound'),
    },
    ...toStatisticsGauges(members),
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
      value: toSeconds(meshState.loadedAtMs),
    },
    {
      name: 'clock_ahead_seconds',
      help: 'By how much the clock is ahead of what it should be, where it is in doubt.',
      value: toSeconds(input.clockAheadMs),
    },
    { name: 'revocations', help: 'Revocations in force.', value: revocations.list.size },
  ];
  if (revocations.crls !== undefined) {
    gauges.push({
      name: 'revocation_list_end_timestamp_seconds',
      help: 'When the revocation lists end, and every peer with them is refused.',
      value: toSeconds(revocations.crls.nextUpdateMs),
    });
  }
  if (ends.length > 0) {
    gauges.push({
      name: 'certificate_first_end_timestamp_seconds',
      help: 'When the first leaf of a connected proxy ends.',
      value: toSeconds(Math.min(...ends)),
    });
  }
  return toExposition([
    ...gauges.map(toFamily),
    toUnwellFamily({ ...input, mesh: rollout.inForce.value }),
    ...toStepFamilies(input),
    ...toHorizonFamilies(horizon),
    toRefusedFamily(refusals),
    toTroubleFamily(input.troubles),
    ...toLoadFamilies(input.load),
  ]);
}

function toAttendanceGauges(input: StatusInput): readonly Gauge[] {
  const mesh = input.rollout.inForce.value;
  const revocations = input.revocations.list;
  const { gone, undeclared, missing } = toAttendance({ ...input, mesh, revocations });
  return [
    { name: 'proxies_gone', help: 'Proxies that left and are not back.', value: gone.length },
    {
      name: 'proxies_undeclared',
      help: 'Connected proxies of services that the mesh does not declare.',
      value: undeclared.length,
    },
    {
      name: 'proxies_kept_out',
      help: 'Connected proxies that wait for their address, which another one has.',
      value: input.keptOut.length,
    },
    {
      name: 'services_without_proxy',
      help: 'Services that should have a proxy and have none connected.',
      value: missing.length,
    },
    {
      name: 'refused_callers',
      help: 'Different callers of the xDS port that were refused within an hour.',
      value: input.refusals.list().length,
    },
  ];
}

function toTroubleFamily(troubles: readonly Trouble[]): Family {
  return {
    name: 'trouble',
    type: 'gauge',
    help: "1 while something is wrong with the server's surroundings.",
    samples: TROUBLE_KINDS.map((kind) => ({
      labels: { kind },
      value: troubles.some((one) => one.kind === kind) ? 1 : 0,
    })),
  };
}

/** A counter by code; a code that has not occurred has no sample. */
function toRefusedFamily(refusals: RefusalView): Family {
  const samples = [...refusals.counts()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, value]) => ({ labels: { code }, value }));
  return {
    name: 'refused_total',
    type: 'counter',
    help: 'Refused callers of the xDS port.',
    samples,
  };
}

function toFamily({ name, help, value }: Gauge): Family {
  return { name, type: 'gauge', help, samples: [{ value }] };
}
