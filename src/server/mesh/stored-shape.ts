// A resolved mesh as JSON has it.
import { z } from 'zod';
import type { Mesh, Service } from '../../policy/index.js';

export interface StoredMesh extends Omit<Mesh, 'services'> {
  readonly services: readonly Service[];
}

export const meshSchema = z.custom<StoredMesh>((value) => {
  const mesh = value as Partial<StoredMesh> | null;
  return typeof mesh?.trustDomain === 'string' && Array.isArray(mesh.services);
});

export function toStoredMesh(mesh: Mesh): StoredMesh {
  return { ...mesh, services: [...mesh.services.values()] };
}

export function toMesh(stored: StoredMesh): Mesh {
  const services = new Map(stored.services.map((service) => [service.name, service]));
  return { ...stored, services };
}
