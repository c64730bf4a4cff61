// What an edit of the mesh means for the names and identities of each service: nothing, or a track
// to the wanted ones. Whoever is renamed is renamed in what was planned before, too; and rules of
// before are told by which identity they know a service that is about to have others
// (`named-access.ts`).
import {
  type Alias,
  findService,
  haveSameMeaning,
  type Port,
  type ServiceName,
  toSpiffeIds,
} from '../../policy/index.js';
import type { EditInput, Planned } from './edit-ports.js';
import { planIdentity, toEarlier, toIdentityGoal } from './identity-change.js';
import { beginIdentity, toIdentityId } from './identity-track.js';
import { toTrackId } from './kinds.js';
import { nameForm, withAliases } from './named-access.js';
import type { Moment } from './port-track.js';
import type { IdentityTrack, PortTrack, Track, TrackId } from './track.js';

export function editIdentities(
  { published, tracks, wanted, isOther }: EditInput,
  moment: Moment,
): readonly Planned[] {
  return [...wanted.services.values()].flatMap((service): Planned[] => {
    const { name } = service;
    const found = tracks.get(toIdentityId({ service: name }));
    const old = found?.kind === 'identity' ? found : undefined;
    const goal = toIdentityGoal(service);
    const isAborted = isOther && old?.held?.why === 'aborted';
    const id = toIdentityId({ service: name });
    if (old !== undefined && !isAborted && haveSameMeaning(old.goal, goal)) {
      return [{ id, track: { ...old, goal }, isBegun: false }];
    }
    const isUnfinished = old !== undefined;
    const steps = planIdentity(service, { olds: [published], wanted, isUnfinished });
    if (steps.length === 0) return [];
    return [{ id, track: beginIdentity({ service: name, goal }, steps, moment), isBegun: true }];
  });
}

/** What was published and planned, with the names that the wanted mesh has for its services. */
export function toWantedNames({ published, tracks, wanted, isOther }: EditInput): EditInput {
  const toName = (name: ServiceName): ServiceName => {
    const now = findService(wanted, name)?.name;
    if (now !== undefined) return now;
    // A renaming that was taken back.
    const old = published.services.get(name);
    return (
      [...wanted.services.values()].find((one) => old && toEarlier(published, one) === old)?.name ??
      name
    );
  };
  const renamed = [...tracks.values()].map((track) => renameIn(track, toName));
  return {
    ...{ published, wanted, isOther },
    tracks: new Map(renamed.map((track): [TrackId, Track] => [toTrackId(track), track])),
  };
}

function renameIn(track: Track, toName: (name: ServiceName) => ServiceName): Track {
  const service = toName(track.service);
  const renameStep = <S extends Track['steps'][number]>(step: S): S => ({
    ...step,
    awaits: [...new Set(step.awaits.map(toName))],
  });
  switch (track.kind) {
    case 'port': {
      const callers = [...new Set(track.callers.map(toName))];
      return { ...track, service, callers, steps: track.steps.map(renameStep) };
    }
    case 'identity': {
      const all = track.all.map(renameStep);
      return { ...track, service, all, steps: all.slice(all.length - track.steps.length) };
    }
    // It has the name that it had.
    case 'removal': {
      const [leave, ...rest] = track.steps;
      const steps = leave?.name === 'leave' ? [renameStep(leave), ...rest] : track.steps;
      return { ...track, steps };
    }
  }
}

/** The same, with rules that know services by what these were, where they become others. */
export function withOldNaming(input: EditInput, identities: readonly Planned[]): EditInput {
  const aliases = identities.flatMap(({ track, isBegun }): Alias[] =>
    isBegun && track.kind === 'identity' ? toOldAliases(track, input) : [],
  );
  if (aliases.length === 0) return input;
  const tracks = [...input.tracks].map(([id, track]): [TrackId, Track] => [
    id,
    track.kind === 'port' ? nameTrack(track, aliases) : track,
  ]);
  return {
    ...input,
    published: withAliases(input.published, aliases),
    tracks: new Map(tracks),
  };
}

function toOldAliases({ service }: IdentityTrack, { published, wanted }: EditInput): Alias[] {
  const now = wanted.services.get(service);
  const old = now && toEarlier(published, now);
  if (now === undefined || old === undefined) return [];
  const all = [...toSpiffeIds(old), ...toSpiffeIds(now)];
  const others = [...new Set(all)].filter((id) => id !== old.spiffeId);
  return others.length === 0 ? [] : [{ spiffeId: old.spiffeId, others }];
}

/** Forms are told apart by being the same object. */
function nameTrack(track: PortTrack, aliases: readonly Alias[]): PortTrack {
  const known = new Map<Port, Port>();
  const name = (port: Port): Port => {
    const named = known.get(port) ?? nameForm(port, aliases);
    known.set(port, named);
    return named;
  };
  const { steps, base, serving, calling, held } = track;
  return {
    ...track,
    steps: steps.map((step) => ({ ...step, form: name(step.form) })),
    ...{ base: name(base), serving: serving.map(name), calling: calling.map(name) },
    ...(held && { held: { ...held, refused: name(held.refused) } }),
  };
}
