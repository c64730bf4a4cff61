// Whether two parts of meshes say the same, wherever they stand: any edit moves places in files.
import { isDeepStrictEqual } from 'node:util';

/**
 * Nor does it say anything else by what other identities the services of its rules may be known:
 * that is said of those services.
 */
const NO_MEANING: ReadonlySet<string> = new Set(['source', 'modeSource', 'aliases']);

/** Of the plain data of `model.ts`, without maps. */
export function haveSameMeaning(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(withoutPlaces(a), withoutPlaces(b));
}

function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== 'object' || value === null) return value;
  // JSON, from which a restart has them, knows nothing of what is undefined.
  const kept = Object.entries(value).filter(
    ([key, inner]) => !NO_MEANING.has(key) && inner !== undefined,
  );
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutPlaces(inner)]));
}
