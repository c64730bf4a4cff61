// What an edit of the mesh means for each of its ports: nothing, or a track from all the forms that
// may be in force to the wanted one. A port that isn't published lets nobody in: nothing is to be
// kept. One that the edit doesn't touch goes on as it was.
import type { Mesh, Port, ServiceName } from '../../policy/index.js';
import { toEarlier } from './identity-change.js';
import {
  atRest,
  beginPort,
  idToText,
  isSameForm,
  type Moment,
  refreshPort,
  toGoal,
  toPortAt,
} from './port-track.js';
import type { PortTrack, Track, TrackId } from './track.js';

export interface Planned {
  readonly id: TrackId;
  readonly track: Track;
  /** Its first step is in force from now on. */
  readonly isBegun: boolean;
}

export interface EditInput {
  readonly published: Mesh;
  readonly tracks: ReadonlyMap<TrackId, Track>;
  readonly wanted: Mesh;
  /** The file says something else than when things were last wanted. */
  readonly isOther: boolean;
}

export function editPorts(input: EditInput, moment: Moment): readonly Planned[] {
  const { published, tracks, wanted, isOther } = input;
  return [...wanted.services.values()].flatMap((declared) => {
    const { name: service, ports } = declared;
    const before = toEarlier(published, declared)?.ports ?? [];
    return ports.flatMap((port): Planned[] => {
      const current = before.find(({ number }) => number === port.number);
      if (current === undefined) return [];
      const id = idToText({ service, number: port.number });
      const old = tracks.get(id);
      const isPort = old?.kind === 'port';
      const planned = isPort
        ? editTrack({ old, port, isOther }, moment)
        : begin({ service, current, port }, moment);
      return planned === undefined ? [] : [{ id, ...planned }];
    });
  });
}

type Plan = Omit<Planned, 'id'>;

function begin(
  at: { readonly service: ServiceName; readonly current: Port; readonly port: Port },
  moment: Moment,
): Plan | undefined {
  const { service, current, port } = at;
  if (isSameForm(current, port)) return undefined;
  return { track: beginPort(atRest(service, current), port, moment), isBegun: true };
}

function editTrack(
  edit: { readonly old: PortTrack; readonly port: Port; readonly isOther: boolean },
  moment: Moment,
): Plan {
  const { old, port, isOther } = edit;
  const { held } = old;
  // What an operator aborted is wanted again by whoever edits the file.
  const isAborted = isOther && held?.why === 'aborted';
  const isWanted = isSameForm(held?.refused ?? toGoal(old), port);
  if (isWanted && !isAborted) return { track: refreshPort(old, port), isBegun: false };
  return { track: beginPort(toPortAt(old), port, moment), isBegun: true };
}
