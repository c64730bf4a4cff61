// Where a rollout stands, as the data folder has it: what is wanted, the tracks of what doesn't
// stand that way everywhere yet, and which open connections its edits were to end. It is stored
// before a step is entered, so that a server that is killed resumes it: it neither opens again what
// the step had closed, nor forgets that callers may still be on their way.
import { z } from 'zod';
import type { Port, ServiceName } from '../../policy/index.js';
import { accessMarksSchema } from './access-marks.js';
import { toTrackId } from './kinds.js';
import { fromPhases, phasesSchema } from './phases-record.js';
import { meshSchema, toMesh, toStoredMesh } from './stored-shape.js';
import { NO_PROGRESS, type PortTrack, type Track } from './track.js';
import { type RolloutRecord, toRecord } from './tracks.js';

const portSchema = z.custom<Port>((value) => {
  const port = value as Partial<Port> | null;
  return typeof port?.number === 'number' && typeof port.mode === 'string';
});
const serviceSchema = z.custom<ServiceName>((value) => typeof value === 'string');
const services = z.array(serviceSchema).readonly();
const ports = z.array(portSchema).readonly();

const heldSchema = z.union([
  z.object({
    ...{ why: z.enum(['rejected', 'mute']), node: z.string(), said: z.string().optional() },
    ...{ refused: portSchema, sinceMs: z.number() },
  }),
  z.object({ why: z.literal('aborted'), refused: portSchema, sinceMs: z.number() }),
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
  onward: portSchema.optional(),
  ...{ base: portSchema, serving: ports, calling: ports, callers: services },
  held: heldSchema.optional(),
});

const tracksSchema = z.object({
  wanted: meshSchema,
  tracks: z.array(portTrackSchema).readonly(),
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
type StoredTrack = z.infer<typeof portTrackSchema>;

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
      const { onward, base, serving, calling, callers } = track;
      const known = { kind, service, number, sinceMs, retries, steps: [...steps] };
      const forms = { ...(onward && { onward }), base, serving, calling, callers };
      return { ...known, ...forms, ...(held && { held: toStoredHeld(held) }) };
    }
  }
}

/** Connections don't outlive the server. */
function toStoredHeld(held: NonNullable<PortTrack['held']>): NonNullable<StoredTrack['held']> {
  if (held.why === 'aborted') return held;
  const { connection: _, ...stored } = held;
  return stored;
}

function toTrack({ held, onward, ...stored }: StoredTrack): Track {
  return { ...stored, ...NO_PROGRESS, ...(onward && { onward }), ...(held && { held }) };
}
