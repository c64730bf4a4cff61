// The text of one compose file as values. Compose's own additions to YAML are known (`!reset`,
// `!override`), anchors and merge keys are followed, and everything is bounded before anything
// recursive sees it: nesting by the tokens, aliases by the number of values that come of them.
import {
  Composer,
  type Document,
  isAlias,
  isMap as isMapNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  type Scalar as ScalarNode,
} from 'yaml';
import { tokenizeYaml } from '../../policy/index.js';
import { composeInvalid, shownName } from './compose-error.js';
import { newMap, type Value, type ValueMap } from './values.js';

/** Characters of one file. */
export const MAX_FILE_SIZE = 2 * 1024 * 1024;
/** Open constructs of the parser; a compose file needs about ten levels, each at most two. */
const MAX_DEPTH = 96;
/** Values after aliases are followed; Compose's own limit. */
const MAX_VALUES = 100_000;

export type KeyPath = readonly string[];

export interface YamlDocument {
  readonly value: Value;
  /** Where `!reset` and `!override` stand: what earlier files say there doesn't count. */
  readonly resets: readonly KeyPath[];
}

/** Lines of keys, by their path; of the first three levels. */
export type KeyLines = ReadonlyMap<string, number>;

export interface YamlText {
  readonly documents: readonly YamlDocument[];
  readonly lines: KeyLines;
}

export function linesKey(path: KeyPath): string {
  return path.join('\0');
}

/** @throws MeshError `compose-invalid` with file and line */
export function readYamlText(file: string, text: string): YamlText {
  if (text.length > MAX_FILE_SIZE) {
    const limit = `${MAX_FILE_SIZE} characters`;
    throw composeInvalid(`expected at most ${limit} but got ${text.length}`, { at: { file } });
  }
  const withoutMark = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const counter = new LineCounter();
  const tokens = tokenizeYaml(withoutMark, counter, MAX_DEPTH);
  const lineAt = (offset: number): number => Math.max(1, counter.linePos(offset).line);
  if (typeof tokens === 'number') {
    const at = { file, line: lineAt(tokens) };
    throw composeInvalid('expected a compose file but got one nested too deeply', { at });
  }
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
  const lines = new Map<string, number>();
  const reader = new Reader({ file, text: withoutMark, lineAt, lines });
  const documents: YamlDocument[] = [];
  for (const document of composer.compose(tokens, false, withoutMark.length)) {
    documents.push(reader.readDocument(document as Document.Parsed<ParsedNode>));
  }
  return { documents, lines };
}

interface ReaderOptions {
  readonly file: string;
  readonly text: string;
  readonly lineAt: (offset: number) => number;
  readonly lines: Map<string, number>;
}

class Reader {
  readonly #file: string;
  readonly #text: string;
  readonly #lineAt: (offset: number) => number;
  readonly #lines: Map<string, number>;
  #anchors = new Map<string, ParsedNode>();
  /** Anchors whose content is being read: an alias to one of them would never end. */
  readonly #open = new Set<ParsedNode>();
  #resets: KeyPath[] = [];
  #values = 0;

  constructor({ file, text, lineAt, lines }: ReaderOptions) {
    this.#file = file;
    this.#text = text;
    this.#lineAt = lineAt;
    this.#lines = lines;
  }

  readDocument(document: Document.Parsed<ParsedNode>): YamlDocument {
    const [error] = document.errors;
    if (error !== undefined) {
      const message = error.message.charAt(0).toLowerCase() + error.message.slice(1);
      throw this.#invalid(error.pos[0], `expected valid YAML but got a mistake: ${message}`);
    }
    this.#anchors = new Map();
    this.#resets = [];
    const value = document.contents === null ? null : this.#read(document.contents, []);
    return { value: value ?? null, resets: this.#resets };
  }

  /** Undefined for what `!reset` removes. */
  #read(node: ParsedNode, path: KeyPath): Value | undefined {
    if (++this.#values > MAX_VALUES) {
      throw this.#invalid(node.range[0], `expected at most ${MAX_VALUES} values but got more`);
    }
    if (isAlias(node)) return this.#follow(node.source, node.range[0], path);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (node.tag === '!reset' || node.tag === '!override') {
      this.#resets.push(path);
      if (node.tag === '!reset') return undefined;
    }
    if (isScalar(node)) {
      const scalar = toScalar(node);
      const isCut = typeof scalar === 'string' && this.#isCut(node);
      return isCut ? scalar.replace(/\n$/, '') : scalar;
    }
    this.#open.add(node);
    const value = isSeq(node)
      ? node.items.flatMap((item, i) => this.#read(item as ParsedNode, [...path, `[${i}]`]) ?? [])
      : this.#readMap(node, path);
    this.#open.delete(node);
    return value;
  }

  /** A block at the very end of a file, whose last line has no end: its text has none either. */
  #isCut(node: ScalarNode): boolean {
    const isBlock = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
    const end = node.range?.[1] ?? 0;
    return isBlock && end >= this.#text.length && !this.#text.endsWith('\n');
  }

  #readMap(node: ParsedNode, path: KeyPath): ValueMap {
    const map = newMap();
    const merged: ValueMap[] = [];
    const seen = new Map<string, number>();
    if (!isMapNode(node)) return map;
    for (const { key: keyNode, value: valueNode } of node.items) {
      const offset = (keyNode as ParsedNode).range[0];
      const key = this.#keyOf(keyNode as ParsedNode, path);
      const line = this.#lineAt(offset);
      const first = seen.get(key);
      if (first !== undefined) {
        const what = `expected each key once but got ${shownName(key)} at line ${first} too`;
        throw this.#invalid(offset, what);
      }
      seen.set(key, line);
      if (key === '<<') {
        merged.push(...this.#mergeSources(valueNode as ParsedNode | null, path));
        continue;
      }
      const inner = [...path, key];
      if (inner.length <= 3) this.#lines.set(linesKey(inner), line);
      const value = valueNode === null ? null : this.#read(valueNode as ParsedNode, inner);
      if (value !== undefined) map[key] = value;
    }
    for (const source of merged) {
      for (const [key, value] of Object.entries(source)) {
        if (!seen.has(key) && !(key in map)) map[key] = value;
      }
    }
    return map;
  }

  /** What `<<` brings: a map, or several, of which the first wins. */
  #mergeSources(node: ParsedNode | null, path: KeyPath): ValueMap[] {
    const offset = node?.range[0] ?? 0;
    const value = node === null ? null : this.#read(node, path);
    const sources = Array.isArray(value) ? value : [value];
    return sources.map((source) => {
      if (typeof source === 'object' && source !== null && !Array.isArray(source)) return source;
      throw this.#invalid(offset, 'expected a map under << but got something else');
    });
  }

  #keyOf(node: ParsedNode, path: KeyPath): string {
    const key = isScalar(node) ? node.value : undefined;
    if (typeof key === 'string' && key !== '__proto__') return key;
    const shown = isScalar(node) && key !== '__proto__' ? String(node.source ?? key) : undefined;
    const where = path.length === 0 ? 'at the top' : `in ${path.join('.')}`;
    const what = shown === undefined ? 'something else' : shownName(shown).slice(1, -1);
    throw composeInvalid(`expected a word as a key ${where} but got ${what}`, {
      at: { file: this.#file, line: this.#lineAt(node.range[0]) },
      ...(shown === undefined ? {} : { hint: `quote it: ${shownName(shown)}` }),
    });
  }

  #follow(name: string, offset: number, path: KeyPath): Value | undefined {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      throw this.#invalid(offset, `expected a known anchor but got ${shownName(`*${name}`)}`);
    }
    if (this.#open.has(target)) {
      const what = `an alias of what it stands in: ${shownName(`*${name}`)}`;
      throw this.#invalid(offset, `expected an end but got ${what}`);
    }
    return this.#read(target, path);
  }

  #invalid(offset: number, message: string): Error {
    return composeInvalid(message, { at: { file: this.#file, line: this.#lineAt(offset) } });
  }
}

/** Compose reads a number that begins with 0 as octal, and keeps integers of any length. */
function toScalar(node: ScalarNode): Value {
  const { value, source } = node;
  if (typeof value === 'number' && typeof source === 'string') {
    if (/^0[0-7]+$/.test(source)) return Number.parseInt(source, 8);
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) return source;
  }
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  return typeof value === 'string' ? value : String(value);
}
