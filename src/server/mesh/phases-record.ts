// What a version left that changed the whole mesh in phases, one after the other: the meshes that
// may be in force, and the phases from the running one on. Each port's track is planned anew from
// all forms that it may have, and the published one stays in force: nothing opens.
import { z } from 'zod';
import type { Mesh, Port, Service } from '../../policy/index.js';
import { accessMarksSchema, NO_ACCESS_MARKS } from './access-marks.js';
import { withForm } from './forms-in-force.js';
import { beginPort, idToText, isSameForm, type Moment } from './port-track.js';
import { meshSchema, toMesh } from './stored-shape.js';
import type { PortTrack, Track, TrackId } from './track.js';
import type { RolloutRecord } from './tracks.js';

export const phasesSchema = z.object({
  /** The last of them is published. */
  mayBeInForce: z.array(meshSchema).min(1),
  phases: z.array(z.object({ mesh: meshSchema })),
  /** Absent: stored by a version that made none. */
  marks: accessMarksSchema.optional(),
});

type StoredPhases = z.infer<typeof phasesSchema>;

export function fromPhases(stored: StoredPhases, nowMs: number): RolloutRecord {
  const meshes = stored.mayBeInForce.map(toMesh);
  const last = stored.phases.at(-1);
  const wanted = last === undefined ? meshes.at(-1) : toMesh(last.mesh);
  if (wanted === undefined) throw new Error('a record has a mesh');
  const moment = { nowMs, meshes: [...meshes, wanted] };
  const tracks = new Map<TrackId, Track>();
  for (const service of wanted.services.values()) {
    for (const port of service.ports) {
      const olds = meshes.flatMap((mesh) => portOf(mesh, service, port) ?? []);
      const track = toTrack({ service, port, olds }, moment);
      if (track !== undefined) tracks.set(idToText(track), track);
    }
  }
  return { wanted, tracks, marks: stored.marks ?? NO_ACCESS_MARKS };
}

function portOf(mesh: Mesh, { name }: Service, { number }: Port): Port | undefined {
  return mesh.services.get(name)?.ports.find((port) => port.number === number);
}

/** Undefined: it has stood as it is wanted all along, or is new. */
function toTrack(
  at: { readonly service: Service; readonly port: Port; readonly olds: readonly Port[] },
  moment: Moment,
): PortTrack | undefined {
  const { service, port, olds } = at;
  const forms = olds.reduce(withForm, [] as readonly Port[]);
  const [first] = forms;
  if (first === undefined || forms.every((form) => isSameForm(form, port))) return undefined;
  const base = first.between?.callers ?? first;
  const { name, number } = { name: service.name, number: port.number };
  const known = { service: name, number, base, serving: forms, calling: forms, callers: [] };
  return beginPort(known, port, moment);
}
