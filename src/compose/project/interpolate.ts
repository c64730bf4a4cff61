// Variables in a compose file, as Compose replaces them: `$X`, `${X}`, `${X:-d}`, `${X-d}`,
// `${X:?e}`, `${X?e}`, `${X:+r}`, `${X+r}`, nested in one another, and `$$` for a dollar sign. What
// else begins with a dollar sign (`$1`, `$(date)`) stays as it is.

export type Lookup = (name: string) => string | undefined;

export interface Substitution {
  readonly lookup: Lookup;
  /** Told of each variable that is read as empty because nobody sets it. */
  readonly onUnset: (name: string) => void;
}

/** Why a text can't be interpolated: `required variable X is missing a value`. */
export class InterpolationError extends Error {}

const NAME = /^[_a-zA-Z][_a-zA-Z0-9]*/;
const OPERATOR = /^:?[-?+]/;
/** Deeper nesting is nobody's wish. */
const MAX_DEPTH = 32;
/** Characters that may come of one text: defaults that repeat one another grow fast. */
const MAX_RESULT = 1_000_000;

/** @throws InterpolationError */
export function interpolate(text: string, substitution: Substitution, depth = 0): string {
  if (depth > MAX_DEPTH) throw new InterpolationError('its variables are nested too deeply');
  let result = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0) break;
    result += text.slice(at, dollar);
    const { value, end } = replaceAt(text, dollar, { substitution, depth });
    result += value;
    at = end;
    if (result.length > MAX_RESULT) throw new InterpolationError('it becomes too long');
  }
  return result + text.slice(at);
}

interface Context {
  readonly substitution: Substitution;
  readonly depth: number;
}

/** What stands at the dollar sign, and where it ends. */
function replaceAt(text: string, dollar: number, context: Context): { value: string; end: number } {
  const next = text[dollar + 1];
  if (next === '$') return { value: '$', end: dollar + 2 };
  if (next === '{') {
    const close = closingBrace(text, dollar + 1);
    if (close < 0) throw new InterpolationError('a "${" has no end');
    return { value: braced(text.slice(dollar + 2, close), context), end: close + 1 };
  }
  const name = NAME.exec(text.slice(dollar + 1))?.[0];
  if (name === undefined) return { value: '$', end: dollar + 1 };
  return { value: plain(name, context.substitution), end: dollar + 1 + name.length };
}

function braced(inside: string, { substitution, depth }: Context): string {
  const name = NAME.exec(inside)?.[0];
  if (name === undefined) throw new InterpolationError('a "${" has no name of a variable');
  const rest = inside.slice(name.length);
  if (rest === '') return plain(name, substitution);
  const operator = OPERATOR.exec(rest)?.[0];
  if (operator === undefined) {
    throw new InterpolationError(`what follows the variable ${name} is no operator`);
  }
  const word = (): string => interpolate(rest.slice(operator.length), substitution, depth + 1);
  const value = substitution.lookup(name);
  const isThere = operator.startsWith(':') ? Boolean(value) : value !== undefined;
  switch (operator.at(-1)) {
    case '-':
      return isThere ? (value ?? '') : word();
    case '+':
      return isThere ? word() : (value ?? '');
    default: {
      if (isThere) return value ?? '';
      const reason = word();
      const missing = `required variable ${name} is missing a value`;
      throw new InterpolationError(reason === '' ? missing : `${missing}: ${reason}`);
    }
  }
}

function plain(name: string, { lookup, onUnset }: Substitution): string {
  const value = lookup(name);
  if (value === undefined) onUnset(name);
  return value ?? '';
}

/** Where the brace at `open` is closed, counting braces inside; -1 where it isn't. */
function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}' && --depth === 0) return i;
  }
  return -1;
}
