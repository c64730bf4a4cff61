// What a compose file holds once YAML has been read: plain values, whose maps have no prototype, so
// that no key of somebody else's file means anything but itself.

export type Scalar = string | number | boolean | null;
export type Value = Scalar | Value[] | ValueMap;
export interface ValueMap {
  [key: string]: Value;
}

export function newMap(): ValueMap {
  return Object.create(null) as ValueMap;
}

export function isMap(value: unknown): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The map, or an empty one for anything else. */
export function mapOf(value: unknown): ValueMap {
  return isMap(value) ? value : newMap();
}

/** A list's items; one item for a single value; none for nothing. */
export function listOf(value: Value | undefined): Value[] {
  if (Array.isArray(value)) return value;
  return value === undefined || value === null || isMap(value) ? [] : [value];
}

/** A scalar as text, as Compose prints it; undefined for nothing, lists and maps. */
export function textOf(value: Value | undefined): string | undefined {
  if (value === undefined || value === null || typeof value === 'object') return undefined;
  return String(value);
}

/** The texts of a list, or the one of a single value. */
export function textsOf(value: Value | undefined): string[] {
  return listOf(value).flatMap((item) => textOf(item) ?? []);
}

export function isTrue(value: Value | undefined): boolean {
  return value === true || value === 'true';
}

export function cloneValue(value: Value): Value {
  if (Array.isArray(value)) return value.map(cloneValue);
  if (!isMap(value)) return value;
  const copy = newMap();
  for (const [key, inner] of Object.entries(value)) copy[key] = cloneValue(inner);
  return copy;
}
