// Problems are collected, never thrown: everything wrong with a mesh is reported at once.
import { closest, type SourceRef } from '../base/index.js';
import type { Problem, Severity } from './model.js';
import type { Path } from './tree.js';

/**
 * Comparing each misspelt word with each known name costs their product: stop offering after this
 * many.
 */
const SUGGESTION_LIMIT = 200;
/** No name that could be meant is longer (RFC 1123 label, slash, label). */
const LONGEST_WORD = 128;

export interface Found {
  readonly severity?: Severity;
  /** `check --strict` takes it for an error. */
  readonly strict?: true;
  readonly source: SourceRef;
  readonly path: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Adds a problem at a path of the mesh. */
export type AddProblem = (path: Path, problem: Omit<Found, 'source' | 'path'>) => void;

export class Report {
  readonly #problems: Problem[] = [];
  #suggestions = 0;

  add({ severity = 'error', strict, source, path, message, hint }: Found): void {
    const asked = strict === undefined ? {} : { strict };
    const problem = { severity, ...asked, source, path, message };
    this.#problems.push(hint === undefined ? problem : { ...problem, hint });
  }

  /** ` (did you mean "strict"?)`, or nothing where no candidate is near. */
  didYouMean(word: unknown, candidates: Iterable<string>): string {
    if (typeof word !== 'string' || word.length > LONGEST_WORD) return '';
    if (this.#suggestions >= SUGGESTION_LIMIT) return '';
    this.#suggestions++;
    const found = closest(word, candidates);
    return found === undefined || found === word ? '' : ` (did you mean "${found}"?)`;
  }

  get hasErrors(): boolean {
    return this.#problems.some(({ severity }) => severity === 'error');
  }

  /** By file, line and column; at one place in the order of their messages. */
  sorted(): Problem[] {
    return [...this.#problems].sort(
      (a, b) =>
        compareText(a.source.file, b.source.file) ||
        a.source.line - b.source.line ||
        a.source.column - b.source.column ||
        compareText(a.path, b.path) ||
        compareText(a.message, b.message),
    );
  }
}

/** Order by UTF-16 code units: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const LONGEST_SHOWN = 60;

/** A value as messages show it: text quoted and cut, `a list`, `a map`, `nothing`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return String(value);
  const shown = value.length > LONGEST_SHOWN ? `${value.slice(0, LONGEST_SHOWN)}…` : value;
  return JSON.stringify(shown);
}

/** `a, b or c` */
export function listOr(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
