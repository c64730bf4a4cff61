// One file's text as a tree: YAML 1.2 by the `yaml` package.
import { strict as assert } from 'node:assert';
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
} from 'yaml';
import type { SourceRef } from '../base/index.js';
import { describe, type Report } from './report.js';
import { formatPath, type MapTree, type Path, type Tree } from './tree.js';
import { tokenizeYaml } from './yaml-tokens.js';

/** Characters of one mesh, all its files together. */
export const MESH_SIZE_LIMIT = 2 * 1024 * 1024;
/** The parser's open constructs; a mesh needs about ten levels, each at most two of these. */
const DEPTH_LIMIT = 64;
/** Values after aliases are followed. */
const VALUE_LIMIT = 250_000;
/** One slip in YAML causes many errors; the first few show where it is. */
const SYNTAX_ERROR_LIMIT = 10;

const QUOTE_HINT = '"*" begins an alias in YAML: quote it, as in from: ["*"]';

/** The tree of `text`, or undefined after its problems were reported. Its root is a map. */
export function readYaml(file: string, text: string, report: Report): MapTree | undefined {
  const lines = new LineCounter();
  const at = (offset: number): SourceRef => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const fail = (offset: number, message: string, hint?: string): undefined => {
    report.add({ source: at(offset), path: '', message, hint });
    return undefined;
  };

  const withoutMark = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const tokens = tokenizeYaml(withoutMark, lines, DEPTH_LIMIT);
  if (typeof tokens === 'number')
    return fail(tokens, 'expected a mesh but got one nested too deeply');
  const composer = new Composer({
    version: '1.2',
    prettyErrors: false,
    // The check in `yaml` compares each key with each other one; the reader below uses a Map.
    uniqueKeys: false,
    logLevel: 'silent',
  });
  const [document, second] = composer.compose(tokens, false, withoutMark.length);
  if (document === undefined || isEmpty(document)) {
    return fail(0, 'expected a map but got an empty file', 'see `countersign init` for a start');
  }
  if (reportSyntax(document, fail)) return undefined;
  if (second !== undefined) {
    const hint = 'put each document into a file of its own, in one folder';
    return fail(second.range[0], 'expected one YAML document but got several', hint);
  }
  if (document.directives.yaml.version !== '1.2') {
    return fail(0, `expected YAML 1.2 but got ${document.directives.yaml.version}`);
  }
  assert(document.contents !== null);
  const reader = new Reader(at, report);
  const root = reader.read(document.contents, []);
  if (root === undefined || reader.isBroken) return undefined;
  if (root.kind === 'map') return root;
  return fail(document.contents.range[0], `expected a map but got ${describeTree(root)}`);
}

type ParsedDocument = Document.Parsed<ParsedNode>;

function isEmpty({ contents, errors }: ParsedDocument): boolean {
  const nothing = contents === null || (isScalar(contents) && contents.source === '');
  return nothing && errors.length === 0;
}

function reportSyntax(
  document: ParsedDocument,
  fail: (offset: number, message: string, hint?: string) => void,
): boolean {
  // A tag that YAML doesn't know is only a warning there; to us nothing unknown is fine.
  const found = [...document.errors, ...document.warnings].slice(0, SYNTAX_ERROR_LIMIT);
  for (const { code, message, pos } of found) {
    if (code === 'BAD_ALIAS') {
      fail(pos[0], 'expected a value but got an alias without a name', QUOTE_HINT);
    } else {
      const text = message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');
      const hint = code === 'TAB_AS_INDENT' ? 'indent with spaces' : undefined;
      fail(pos[0], `expected valid YAML but got a mistake: ${text}`, hint);
    }
  }
  return found.length > 0;
}

class Reader {
  readonly #at: (offset: number) => SourceRef;
  readonly #report: Report;
  readonly #anchors = new Map<string, ParsedNode>();
  /** Anchors whose content is being read: an alias to one of them would never end. */
  readonly #open = new Set<ParsedNode>();
  #values = 0;
  /**
   * Set where something is missing from the tree: checking the rest would report what isn't
   * wrong.
   */
  #broken = false;

  constructor(at: (offset: number) => SourceRef, report: Report) {
    this.#at = at;
    this.#report = report;
  }

  get isBroken(): boolean {
    return this.#broken;
  }

  read(node: ParsedNode, path: Path): Tree | undefined {
    const source = this.#at(node.range[0]);
    if (++this.#values > VALUE_LIMIT) {
      // One report is enough; whatever else is read after it is not used.
      this.#broken = true;
      if (this.#values === VALUE_LIMIT + 1) {
        this.#fail(source, path, `expected at most ${VALUE_LIMIT} values but got more`);
      }
      return undefined;
    }
    if (isAlias(node)) return this.#follow(node.source, path, source);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    this.#open.add(node);
    const tree = this.#readContent(node, path, source);
    this.#open.delete(node);
    return tree;
  }

  #readContent(node: ParsedNode, path: Path, source: SourceRef): Tree | undefined {
    if (isMap(node)) return this.#readMap(node.items, path, source);
    if (isSeq(node)) {
      const items = node.items.map((item, i) => this.read(item as ParsedNode, [...path, i]));
      return { kind: 'list', source, items: items.filter((item) => item !== undefined) };
    }
    assert(isScalar(node));
    return { kind: 'scalar', source, value: node.value };
  }

  #readMap(
    items: readonly { readonly key: unknown; readonly value: unknown }[],
    path: Path,
    source: SourceRef,
  ): MapTree {
    const entries = new Map<string, { source: SourceRef; value: Tree }>();
    for (const { key: keyNode, value: valueNode } of items) {
      const key = keyText(keyNode as ParsedNode);
      const keySource = this.#at((keyNode as ParsedNode).range[0]);
      if (key === undefined || key === '__proto__') {
        this.#fail(keySource, path, 'expected a plain word as a key but got something else');
        continue;
      }
      if (key === '<<') {
        this.#broken = true;
        const hint = 'repeat its keys here, or set them once in a wider scope';
        this.#fail(keySource, path, 'merge keys (<<) are not read', hint);
        continue;
      }
      const first = entries.get(key);
      if (first !== undefined) {
        const at = `${first.source.line}:${first.source.column}`;
        this.#fail(keySource, [...path, key], `expected each key once but got it at ${at} too`);
        continue;
      }
      const value: Tree | undefined =
        valueNode === null
          ? { kind: 'scalar', source: keySource, value: null }
          : this.read(valueNode as ParsedNode, [...path, key]);
      if (value !== undefined) entries.set(key, { source: keySource, value });
    }
    return { kind: 'map', source, entries };
  }

  #follow(name: string, path: Path, source: SourceRef): Tree | undefined {
    const target = this.#anchors.get(name);
    this.#broken ||= target === undefined || this.#open.has(target);
    if (target === undefined) {
      this.#fail(source, path, `expected a known anchor but got "*${name}"`, QUOTE_HINT);
      return undefined;
    }
    if (this.#open.has(target)) {
      this.#fail(source, path, `expected an end but got an alias of what it stands in: "*${name}"`);
      return undefined;
    }
    return this.read(target, path);
  }

  #fail(source: SourceRef, path: Path, message: string, hint?: string): void {
    this.#report.add({ source, path: formatPath(path), message, hint });
  }
}

/**
 * A key as it is written: `8080` and `0x1F90` are different keys, though YAML reads equal
 * numbers.
 */
function keyText(key: ParsedNode): string | undefined {
  if (!isScalar(key)) return undefined;
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function describeTree(tree: Tree): string {
  return tree.kind === 'scalar' ? describe(tree.value) : 'a list';
}
