import type { Json } from '../../src/cli/proto-json.js';

export type { Json };
export type JsonObject = { readonly [key: string]: Json };

/** The value at a path of keys; undefined where it ends on the way. */
export function get(
  json: Json | undefined,
  ...keys: readonly (string | number)[]
): Json | undefined {
  return keys.reduce<Json | undefined>((value, key) => {
    if (typeof value !== 'object' || value === null) return undefined;
    return (value as JsonObject)[key];
  }, json);
}

export function list(json: Json | undefined): readonly Json[] {
  return Array.isArray(json) ? json : [];
}

export function text(json: Json | undefined): string | undefined {
  return typeof json === 'string' ? json : undefined;
}
