// From the schema's findings to problems in MODEL.md's words: "expected strict, permissive or
// disable but got "stirct" (did you mean "strict"?)", each at its place.
import type { z } from 'zod';
import { describe, listOr, type Report } from './report.js';
import { type MeshText, MODES, meshSchema, SECTION_KEYS, type Section } from './schema.js';
import { formatPath, type Path, placeAt, type Tree, toPlain, treeAt, valueAt } from './tree.js';
import { isUnsupportedKey, isUnsupportedValue } from './unsupported.js';
import { emptyListHint, listHint, protocolHint } from './wording.js';

type Issue = z.core.$ZodIssue;

const MAP_FORMS: Readonly<Record<string, string>> = {
  ports: 'write a map from port to protocol, as in ports: { 8080: http }',
  services: 'write a map from name to settings, as in services: { web: {} }',
  namespaces: 'write a map from name to settings, as in namespaces: { payments: {} }',
};
/** Lists and maps of texts. */
const TEXTS = ['from', 'formerly', 'methods', 'paths', 'endpoints', 'audiences', 'claims'];
/** Lists of texts. */
const LISTS = [
  ...['from', 'formerly', 'methods', 'paths', 'endpoints', 'audiences', 'curves'],
  'cipherSuites',
];
const UNIT_HINT = 'durations have a unit, as in 24h';

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
        if (this.#isMisnamedFrom(path)) return;
        this.#add(path, `expected ${issue.message} but got ${this.#shown(path)}`, this.#hint(path));
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

  /** Problems of the branch that fits what was written say more than "none fits". */
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
      const hint = key === 'protocol' ? protocolHint(value) : undefined;
      this.#add(wrong.path, `${key} ${describe(value)} is not supported yet`, hint);
      return;
    }
    const meant = this.report.didYouMean(value, wrong.words);
    const message = `expected ${wrong.expectation} but got ${describe(value)}${meant}`;
    const hint = key === 'protocol' && meant === '' ? protocolHint(value) : undefined;
    this.#add(wrong.path, message, hint ?? this.#modeHint(wrong.path));
  }

  /** `mtls: { mode: STRICT }` is how other meshes write it. */
  #modeHint(path: Path): string | undefined {
    const mode = path.at(-1) === 'mtls' ? valueAt(this.tree, [...path, 'mode']) : undefined;
    const word = MODES.find((each) => typeof mode === 'string' && each === mode.toLowerCase());
    return word === undefined ? undefined : `write mtls: ${word}`;
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

  /** An allow rule whose callers stand under a key that was reported already. */
  #isMisnamedFrom(path: Path): boolean {
    if (path.at(-1) !== 'from' || valueAt(this.tree, path) !== undefined) return false;
    const rule = treeAt(this.tree, path.slice(0, -1));
    const known: readonly string[] = SECTION_KEYS.rule;
    return rule?.kind === 'map' && [...rule.entries.keys()].some((key) => !known.includes(key));
  }

  #hint(path: Path): string | undefined {
    const key = String(path.at(-1));
    const value = valueAt(this.tree, path);
    if (Array.isArray(value)) return value.length === 0 ? emptyListHint(key) : MAP_FORMS[key];
    if (LISTS.includes(key)) return listHint(value);
    if (typeof value === 'number' && key === 'ttl') return UNIT_HINT;
    if (typeof value === 'number' && key === 'target') return `write 127.0.0.1:${value}`;
    return this.#quote(path);
  }

  /** YAML reads `123` and `true` as no text: say how to write them as text. */
  #quote(path: Path): string | undefined {
    if (path.at(-1) === 'trustDomain' && valueAt(this.tree, path) === undefined) {
      return 'add trustDomain: and a name of your own, such as shop.example';
    }
    const parent = path.at(-2);
    const value = valueAt(this.tree, path);
    const isText = typeof value === 'number' || typeof value === 'boolean';
    const ofTexts = TEXTS.includes(String(parent));
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
  if (path[0] === 'nodeIssuers') return path.length === 2 ? 'issuer' : 'node';
  if (typeof last === 'number') return 'rule';
  if (last === 'not' && typeof path.at(-2) === 'number') return 'not';
  const isScope = path.length === 0 || path.length === 2 || isPort(path);
  if (!isScope && (last === 'tls' || last === 'certificates' || last === 'capture')) return last;
  if (path.length === 0) return 'mesh';
  if (path[0] === 'authority') return path.length === 1 ? 'authority' : 'stepCa';
  if (isPort(path)) return 'port';
  if (isPort(path.slice(0, -1)) && last === 'health') return last;
  return path[0] === 'namespaces' ? 'namespace' : 'service';
}

const HOMES: readonly Section[] = ['mesh', 'namespace', 'service', 'port', 'rule'];

/** Where a key belongs that stands at the wrong place. */
function homeOf(key: string): string | undefined {
  const homes = HOMES.filter((section) => (SECTION_KEYS[section] as string[]).includes(key));
  return homes.length === 0 ? undefined : `${key} belongs to a ${listOr(homes)}`;
}
