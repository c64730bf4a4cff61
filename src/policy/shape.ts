// From the schema's findings to problems in MODEL.md's words: "expected strict, permissive or
// disable but got "stirct" (did you mean "strict"?)", each at its place.
import type { z } from 'zod';
import { describe, listOr, type Report } from './report.js';
import { type MeshText, meshSchema, SECTION_KEYS, type Section } from './schema.js';
import { formatPath, type Path, placeAt, type Tree, toPlain, valueAt } from './tree.js';
import { isUnsupportedKey, isUnsupportedValue } from './unsupported.js';

type Issue = z.core.$ZodIssue;

interface Shape {
  /** Undefined where anything is wrong. */
  readonly mesh: MeshText | undefined;
  /** Paths at which something is wrong. */
  readonly faults: readonly Path[];
}

/** Checks the whole tree against the schema; everything wrong is reported. */
export function readShape(tree: Tree, report: Report): Shape {
  const result = meshSchema.safeParse(toPlain(tree));
  if (result.success) return { mesh: result.data, faults: [] };
  const faults: Path[] = [];
  for (const issue of result.error.issues) {
    new Translator(tree, report, faults).translate(issue, []);
  }
  return { mesh: undefined, faults };
}

class Translator {
  constructor(
    private readonly tree: Tree,
    private readonly report: Report,
    private readonly faults: Path[],
  ) {}

  translate(issue: Issue, base: Path): void {
    const path = [...base, ...issue.path.map((part) => toPart(part))];
    switch (issue.code) {
      case 'unrecognized_keys':
        for (const key of issue.keys) this.#unknownKey(path, key);
        return;
      case 'invalid_union':
        this.#union(issue, path);
        return;
      case 'invalid_value':
        this.#notOneOf(path, issue.values.map(String));
        return;
      case 'custom':
        this.#custom(issue, path);
        return;
      default:
        this.#add(
          path,
          `expected ${issue.message} but got ${this.#shown(path)}`,
          this.#quote(path),
        );
    }
  }

  #unknownKey(path: Path, key: string): void {
    const section = sectionOf(path);
    const whole = [...path, key];
    if (isUnsupportedKey(section, key)) {
      this.#add(whole, `${key} is not supported yet`);
      return;
    }
    const meant = this.report.didYouMean(key, SECTION_KEYS[section]);
    this.#add(whole, `unknown key "${key}"${meant}`, meant === '' ? homeOf(key) : undefined);
  }

  /** The branch that fits what was written tells more than "none fits". */
  #union(issue: z.core.$ZodIssueInvalidUnion, path: Path): void {
    const atRoot = ({ code, path: inner }: Issue): boolean =>
      inner.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
    const branch = issue.errors.find((issues) => !issues.some(atRoot));
    if (branch !== undefined) {
      for (const inner of branch) this.translate(inner, path);
      return;
    }
    const words = issue.errors.flat().flatMap((inner) => {
      return inner.code === 'invalid_value' && inner.path.length === 0 ? inner.values : [];
    });
    this.#wrongWord({ path, expectation: issue.message, words: words.map(String) });
  }

  #notOneOf(path: Path, words: readonly string[]): void {
    this.#wrongWord({ path, expectation: listOr(words), words });
  }

  #wrongWord(wrong: { path: Path; expectation: string; words: readonly string[] }): void {
    const value = valueAt(this.tree, wrong.path);
    const key = isPort(wrong.path) ? 'protocol' : String(wrong.path.at(-1));
    if (isUnsupportedValue(key, value)) {
      this.#add(wrong.path, `${key} ${describe(value)} is not supported yet`);
      return;
    }
    const meant = this.report.didYouMean(value, wrong.words);
    this.#add(wrong.path, `expected ${wrong.expectation} but got ${describe(value)}${meant}`);
  }

  #custom(issue: z.core.$ZodIssueCustom, path: Path): void {
    const refused = issue.params?.['refused'] === true;
    const hint: unknown = issue.params?.['hint'];
    const message = refused
      ? issue.message
      : `expected ${issue.message} but got ${this.#shown(path)}`;
    this.#add(path, message, typeof hint === 'string' ? hint : undefined);
  }

  #shown(path: Path): string {
    const value = valueAt(this.tree, path);
    const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
    return empty && !Array.isArray(value) ? 'an empty map' : describe(value);
  }

  /** YAML reads `123` and `true` as no text: say how to write them as text. */
  #quote(path: Path): string | undefined {
    if (path.at(-1) === 'trustDomain' && valueAt(this.tree, path) === undefined) {
      return 'add trustDomain: and a name of your own, such as shop.example';
    }
    const parent = path.at(-2);
    const value = valueAt(this.tree, path);
    const isText = typeof value === 'number' || typeof value === 'boolean';
    const ofTexts = ['from', 'methods', 'paths', 'endpoints'].includes(String(parent));
    return isText && (ofTexts || path.at(-1) === 'serviceAccount')
      ? `quote it: "${value}"`
      : undefined;
  }

  #add(path: Path, message: string, hint?: string): void {
    this.faults.push(path);
    this.report.add({
      source: placeAt(this.tree, path),
      path: formatPath(path),
      message,
      hint,
    });
  }
}

function toPart(part: PropertyKey): string | number {
  return typeof part === 'number' ? part : String(part);
}

function isPort(path: Path): boolean {
  return path.length === 4 && path[0] === 'services' && path[2] === 'ports';
}

/** Which kind of map stands at `path`. */
function sectionOf(path: Path): Section {
  const last = path.at(-1);
  if (typeof last === 'number') return 'rule';
  if (last === 'not' && typeof path.at(-2) === 'number') return 'not';
  const isScope = path.length === 0 || path.length === 2 || isPort(path);
  if (!isScope && (last === 'tls' || last === 'certificates')) return last;
  if (path.length === 0) return 'mesh';
  if (isPort(path)) return 'port';
  return path[0] === 'namespaces' ? 'namespace' : 'service';
}

const HOMES: readonly Section[] = ['mesh', 'namespace', 'service', 'port', 'rule'];

/** Where a key belongs that stands at the wrong place. */
function homeOf(key: string): string | undefined {
  const homes = HOMES.filter((section) => (SECTION_KEYS[section] as string[]).includes(key));
  return homes.length === 0 ? undefined : `${key} belongs to a ${listOr(homes)}`;
}
