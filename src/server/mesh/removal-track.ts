// The track of a service that the mesh declares no longer, or of an earlier name of one that is no
// longer good (decision 046), for as long as sidecars of it are connected:
//   leave: its callers have no listener for it any more, and what is open of theirs goes on; its
//          own sidecars serve that, and those who haven't heard of it yet
//   drain: its sidecars have no listeners either, and what is open lives on until Envoy ends it
//   forget: nothing is left of it
// The new mesh is in force meanwhile: nobody waits for the last of it.
import {
  findService,
  type Mesh,
  mayCall,
  type Service,
  type ServiceName,
  splitServiceName,
  toNames,
} from '../../policy/index.js';
import type { EditInput, Planned } from './edit-ports.js';
import type { Moment } from './port-track.js';
import { NO_PROGRESS, type RemovalStep, type RemovalTrack, type TrackId } from './track.js';

/** No service's and no port's. */
export function toRemovalId({ service }: { readonly service: ServiceName }): TrackId {
  return `${service} (removed)`;
}

/** Names by which sidecars of the published mesh may be connected, and that are good no longer. */
export function editRemovals(input: EditInput, { nowMs }: Moment): readonly Planned[] {
  const { published, tracks, wanted } = input;
  return [...published.services.values()].flatMap((old) =>
    toNames(old)
      .filter((name) => findService(wanted, name) === undefined)
      .map((service): Planned => {
        const id = toRemovalId({ service });
        const known = tracks.get(id);
        if (known?.kind === 'removal') return { id, track: known, isBegun: false };
        const last = toLast(old, service);
        const steps = toSteps(last, { published, wanted, old });
        const progress = { ...NO_PROGRESS, sinceMs: nowMs, retries: 0 };
        const track: RemovalTrack = { kind: 'removal', service, last, steps, ...progress };
        return { id, track, isBegun: true };
      }),
  );
}

/** What its sidecars serve on with. */
function toLast(old: Service, name: ServiceName): Service {
  const { formerly: _, moving, ...rest } = old;
  const others = toNames(old).filter((one) => one !== name);
  const alsoCalled = [...others, ...(moving?.alsoCalled ?? [])];
  const certifiedAs = moving?.certifiedAs;
  const kept = {
    ...(alsoCalled.length === 0 ? {} : { alsoCalled }),
    ...(certifiedAs === undefined ? {} : { certifiedAs }),
  };
  return {
    ...{ ...rest, ...splitServiceName(name), name },
    ...(Object.keys(kept).length === 0 ? {} : { moving: kept }),
  };
}

function toSteps(
  { name }: Service,
  { published, wanted, old }: { published: Mesh; wanted: Mesh; old: Service },
): readonly RemovalStep[] {
  const calls = (caller: Service): boolean =>
    caller !== old && old.ports.some((port) => mayCall(published, { caller, callee: old, port }));
  const callers = [...published.services.values()]
    .filter(calls)
    .map((caller) => findService(wanted, caller.name)?.name ?? caller.name);
  return [
    { name: 'leave', form: 'called', awaits: [...new Set(callers)].sort() },
    { name: 'drain', form: 'draining', awaits: [name] },
    { name: 'forget', form: 'gone', awaits: [] },
  ];
}

/** Undefined: there is nothing left of it. */
export function nextRemovalStep(track: RemovalTrack, { nowMs }: Moment): RemovalTrack | undefined {
  const steps = track.steps.slice(1);
  return steps.length === 0 ? undefined : { ...track, ...NO_PROGRESS, steps, sinceMs: nowMs };
}

/** The mesh with what is left of services that it doesn't declare. */
export function withLeaving(mesh: Mesh, leaving: readonly RemovalTrack[]): Mesh {
  const left = leaving.flatMap(({ last, steps }): [ServiceName, Service][] => {
    const [step] = steps;
    if (step === undefined || step.form === 'gone') return [];
    return [[last.name, { ...last, leaving: step.form }]];
  });
  if (left.length === 0) return mesh;
  const all = [...left, ...mesh.services].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...mesh, services: new Map(all) };
}
