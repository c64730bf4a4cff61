// Where a rollout stands, as the data folder has it: what is wanted, the tracks of what doesn't
// stand that way everywhere yet, and which open connections its edits were to end. It is stored
// before a step is entered, so that a server that is killed resumes it: it neither opens again what
// the step had closed, nor forgets that callers may still be on their way.
import { z } from 'zod';
import type { Port, Service, ServiceName } from '../../policy/index.js';
import { accessMarksSchema } from './access-marks.js';
import type { IdentityForm, IdentityGoal } from './identity-change.js';
import { toTrackId } from './kinds.js';
import { fromPhases, phasesSchema } from './phases-record.js';
import { meshSchema, toMesh, toStoredMesh } from './stored-shape.js';
import { type Held, NO_PROGRESS, type Track } from './track.js';
import { type RolloutRecord, toRecord } from './tracks.js';

const portSchema = z.custom<Port>((value) => {
  const port = value as Partial<Port> | null;
  return typeof port?.number === 'number' && typeof port.mode === 'string';
});
const serviceSchema = z.custom<ServiceName>((value) => typeof value === 'string');
const services = z.array(serviceSchema).readonly();
const ports = z.array(portSchema).readonly();

const heldSchema = <T extends z.ZodType>(refused: T) =>
  z.union([
    z.object({
      ...{ why: z.enum(['rejected', 'mute']), node: z.string(), said: z.string().optional() },
      ...{ refused, sinceMs: z.number() },
    }),
    z.object({ why: z.literal('aborted'), refused, sinceMs: z.number() }),
  ]);

/** What isn't here is seen anew: who has the step, and when its deadline is. */
const portTrackSchema = z.object({
  kind: z.literal('port'),
  ...{ service: serviceSchema, number: z.number(), sinceMs: z.number(), retries: z.number() },
  steps: z
    .array(
      z.object({ name: z.enum(['widen', 'move', 'narrow']), form: portSchema, awaits: services }),
    )
    .readonly(),
  ...{ base: portSchema, serving: ports, calling: ports, callers: services },
  held: heldSchema(portSchema).optional(),
});

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
const goalSchema = z.custom<IdentityGoal>(isObject);

const identityTrackSchema = z.object({
  kind: z.literal('identity'),
  ...{ service: serviceSchema, sinceMs: z.number(), retries: z.number() },
  ...{ goal: goalSchema, base: z.custom<IdentityForm>(isObject) },
  all: z
    .array(
      z.object({
        name: z.enum(['accept', 'issue', 'connect', 'drop']),
        form: z.custom<IdentityForm>(isObject),
        awaits: services,
      }),
    )
    .readonly(),
  /** So many of all steps, with the one that is in force. */
  left: z.number(),
  held: heldSchema(goalSchema).optional(),
});

const removalTrackSchema = z.object({
  kind: z.literal('removal'),
  ...{ service: serviceSchema, sinceMs: z.number(), retries: z.number() },
  last: z.custom<Service>(isObject),
  steps: z
    .array(
      z.discriminatedUnion('name', [
        z.object({ name: z.literal('leave'), form: z.literal('called'), awaits: services }),
        z.object({ name: z.literal('drain'), form: z.literal('draining'), awaits: services }),
        z.object({ name: z.literal('forget'), form: z.literal('gone'), awaits: services }),
      ]),
    )
    .readonly(),
});

const tracksSchema = z.object({
  wanted: meshSchema,
  tracks: z
    .array(z.discriminatedUnion('kind', [portTrackSchema, identityTrackSchema, removalTrackSchema]))
    .readonly(),
  marks: accessMarksSchema,
  isPaused: z.literal(true).optional(),
  declined: z.string().optional(),
});

const rolloutSchema = z.union([tracksSchema, phasesSchema]);

/** Changes with the shape of `Mesh`: a record of another version counts as none. */
export const ROLLOUT_DOCUMENT = {
  name: 'rollout.json',
  schema: rolloutSchema,
  version: 3,
  alsoReads: [2],
  versionField: 'format',
  others: 'none',
} as const;

export type StoredRollout = z.infer<typeof rolloutSchema>;
type StoredTrack = z.infer<typeof tracksSchema>['tracks'][number];

export function toStoredRollout({ wanted, tracks, ...rest }: RolloutRecord): StoredRollout {
  const stored = [...tracks.values()].map(toStoredTrack);
  return { wanted: toStoredMesh(wanted), tracks: stored, ...rest };
}

/** @param nowMs When the steps of what an older version left begin. */
export function toRolloutRecord(stored: StoredRollout, nowMs = 0): RolloutRecord {
  if ('phases' in stored) return fromPhases(stored, nowMs);
  const { marks, isPaused, declined } = stored;
  const wanted = toMesh(stored.wanted);
  const tracks = new Map(stored.tracks.map(toTrack).map((track) => [toTrackId(track), track]));
  return toRecord({ wanted, tracks, marks, isPaused, declined });
}

function toStoredTrack(track: Track): StoredTrack {
  switch (track.kind) {
    case 'port': {
      const { kind, service, number, sinceMs, retries, steps, held } = track;
      const { base, serving, calling, callers } = track;
      const known = { kind, service, number, sinceMs, retries, steps: [...steps] };
      const forms = { base, serving, calling, callers };
      return { ...known, ...forms, ...(held && { held: toStoredHeld(held) }) };
    }
    case 'identity': {
      const { kind, service, goal, base, steps, all, sinceMs, retries, held } = track;
      const known = { kind, service, goal, base, sinceMs, retries };
      // Those that are left are the last of all.
      const stored = { ...known, left: steps.length, all: [...all] };
      return { ...stored, ...(held && { held: toStoredHeld(held) }) };
    }
    case 'removal': {
      const { kind, service, last, steps, sinceMs, retries } = track;
      return { kind, service, last, steps: [...steps], sinceMs, retries };
    }
  }
}

/** Connections don't outlive the server. */
function toStoredHeld<G>(held: Held<G>): Held<G> {
  if (held.why === 'aborted') return held;
  const { connection: _, ...stored } = held;
  return stored;
}

function toTrack(track: StoredTrack): Track {
  switch (track.kind) {
    case 'port': {
      const { held, ...stored } = track;
      return { ...stored, ...NO_PROGRESS, ...(held && { held }) };
    }
    case 'identity': {
      const { held, left, base, all, ...stored } = track;
      const steps = all.slice(all.length - left);
      return { ...stored, base, all, steps, ...NO_PROGRESS, ...(held && { held }) };
    }
    case 'removal':
      return { ...track, ...NO_PROGRESS };
  }
}
