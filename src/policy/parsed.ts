/**
 * What reading a piece of text gave. `expected` completes "expected … but got <the text>";
 * `refused` is a whole message, for what is known but not supported yet.
 */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string; readonly hint?: string }
  | { readonly ok: false; readonly refused: string };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function expected(what: string, hint?: string): Parsed<never> {
  return hint === undefined ? { ok: false, expected: what } : { ok: false, expected: what, hint };
}
