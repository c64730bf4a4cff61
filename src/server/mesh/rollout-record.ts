// Where a rollout stands, as the data folder has it: what may be in force on a sidecar, the phases
// that are left, the running one first, and which open connections its edits were to end. It is
// stored before a phase is entered, so that a server that is killed resumes that phase: it neither
// opens again what the phase had closed, nor forgets that callers may still be on their way.
import { z } from 'zod';
import type { Mesh, Service, ServiceName } from '../../policy/index.js';
import { type AccessMarks, accessMarksSchema, NO_ACCESS_MARKS } from './access-marks.js';
import type { Phase } from './phases.js';

export interface RolloutRecord {
  readonly mayBeInForce: readonly Mesh[];
  /** Empty: the only mesh in force is wholly so. */
  readonly phases: readonly Phase[];
  /** With those of the running phase. */
  readonly marks: AccessMarks;
}

export const ROLLOUT_FILE = 'rollout.json';

/** Changes with the shape of `Mesh`: a record of another version counts as none. */
export const ROLLOUT_VERSION = {
  version: 2,
  versionField: 'format',
  others: 'none',
} as const;

interface StoredMesh extends Omit<Mesh, 'services'> {
  readonly services: readonly Service[];
}

const meshSchema = z.custom<StoredMesh>((value) => {
  const mesh = value as Partial<StoredMesh> | null;
  return typeof mesh?.trustDomain === 'string' && Array.isArray(mesh.services);
});

/** Absent: everybody; a record of a version that always waited for all has none. */
const awaitsSchema = z
  .object({
    role: z.enum(['serving', 'calling']),
    services: z.array(z.custom<ServiceName>((value) => typeof value === 'string')).readonly(),
  })
  .optional();

export const rolloutSchema = z.object({
  mayBeInForce: z.array(meshSchema).min(1),
  phases: z.array(z.object({ name: z.string(), mesh: meshSchema, awaits: awaitsSchema })),
  /** Absent: stored by a version that made none. */
  marks: accessMarksSchema.optional(),
});

export type StoredRollout = z.infer<typeof rolloutSchema>;

export function toStoredRollout({ mayBeInForce, phases, marks }: RolloutRecord): StoredRollout {
  return {
    mayBeInForce: mayBeInForce.map(toStoredMesh),
    phases: phases.map(({ mesh, ...phase }) => ({ ...phase, mesh: toStoredMesh(mesh) })),
    marks,
  };
}

export function toRolloutRecord(stored: StoredRollout): RolloutRecord {
  return {
    mayBeInForce: stored.mayBeInForce.map(toMesh),
    phases: stored.phases.map(({ name, mesh, awaits }) => ({
      ...{ name, mesh: toMesh(mesh) },
      ...(awaits === undefined ? {} : { awaits }),
    })),
    marks: stored.marks ?? NO_ACCESS_MARKS,
  };
}

function toStoredMesh(mesh: Mesh): StoredMesh {
  return { ...mesh, services: [...mesh.services.values()] };
}

function toMesh(stored: StoredMesh): Mesh {
  const services = new Map(stored.services.map((service) => [service.name, service]));
  return { ...stored, services };
}
