// What schemas of mesh.yaml are made of. An `error` text completes "expected … but got …".
import { z } from 'zod';
import type { Parsed } from './parsed.js';

/** Text that `read` turns into a value; what it says on failure becomes the problem. */
export function text<T>(what: string, read: (text: string) => Parsed<T>) {
  return z.string({ error: what }).transform((input, context): T => {
    const result = read(input);
    if (result.ok) return result.value;
    const params = 'refused' in result ? { refused: true } : { hint: result.hint };
    const message = 'refused' in result ? result.refused : result.expected;
    context.addIssue({ code: 'custom', message, params });
    return z.NEVER;
  });
}

export function list<T extends z.ZodType>(entry: T, what: string) {
  return z.array(entry, { error: `a list of ${what}` }).min(1, { error: 'at least one entry' });
}

export function oneOf<const T extends string>(words: readonly T[]) {
  return z.enum(words);
}
