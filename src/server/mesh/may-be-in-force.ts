// What may be in force on some sidecar while an edit is under way, and for as long as a sidecar is
// mute: the forms that each service has had since all sidecars last agreed. A mesh is kept for the
// services of which it has a form of its own, so that many edits cost what they change, and not
// each the whole mesh; and of one service so many forms are kept.
import { haveSameMeaning, type Mesh, type Service, type ServiceName } from '../../policy/index.js';
import type { Phase } from './phases.js';

/**
 * Of one service: what all sidecars last agreed on, and the newest. Without those between, a call
 * of a sidecar that is stuck on just such a one may fail until it answers; nobody is let in by
 * that, and what it was to end is marked all the same.
 */
const MOST_FORMS = 8;

/** The meshes that may be in force once `next` may be, which comes last and whole. */
export function withNext(olds: readonly Mesh[], next: Mesh): readonly Mesh[] {
  const forms = new Map<ServiceName, Service[]>();
  for (const service of next.services.values()) forms.set(service.name, [service]);
  const kept = new Map<Mesh, Mesh>();
  for (const mesh of byWeight(olds)) {
    const own = [...mesh.services].filter(([name, service]) => {
      const known = forms.get(name) ?? [];
      if (known.length >= MOST_FORMS || known.some((one) => haveSameMeaning(one, service))) {
        return false;
      }
      forms.set(name, [...known, service]);
      return true;
    });
    if (own.length > 0) kept.set(mesh, { ...mesh, services: new Map(own) });
  }
  return [...olds.flatMap((mesh) => kept.get(mesh) ?? []), next];
}

/**
 * The meshes that may be in force once everybody for whom the phase waits has it. Callers aren't
 * waited for while the sidecars that they call widen: they may still come as in any mesh of before.
 */
export function afterPhase(meshes: readonly Mesh[], { mesh, awaits }: Phase): readonly Mesh[] {
  return awaits?.role === 'serving' ? meshes : [mesh];
}

/** What all had first, then the newest: those between are given up first. */
function byWeight([first, ...later]: readonly Mesh[]): readonly Mesh[] {
  return first === undefined ? [] : [first, ...later.reverse()];
}
