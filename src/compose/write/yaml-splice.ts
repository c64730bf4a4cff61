// Lines put into a YAML file at the end of one of its maps, so that every other byte stays: the
// user's comments, order and style. Where a map can't be added to as text (an alias, say), the
// result is undefined, never a file that says something else.
import { isDeepStrictEqual } from 'node:util';
import { isMap, isSeq, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { indent } from './yaml-words.js';

/** One key that a map lacks. */
export interface Addition {
  readonly path: readonly string[];
  /** As block style has it, from column 0; comments may come before it. */
  readonly lines: readonly string[];
  /** The same on one line, for a map in flow style: `8080: http`. */
  readonly flow: string;
}

type YamlPair = Pair<Node, Node | null>;

/** Undefined: it can't be done so. */
export function trySplice(text: string, addition: Addition): string | undefined {
  const { contents, errors } = parseDocument(text, { merge: true });
  if (errors.length > 0 || !isMap(contents)) return undefined;
  const spliced = splice(text, contents as YAMLMap<Node, Node | null>, addition);
  return spliced !== undefined && saysWhatItShould(text, spliced, addition) ? spliced : undefined;
}

function splice(
  text: string,
  root: YAMLMap<Node, Node | null>,
  { path, lines, flow }: Addition,
): string | undefined {
  let map = root;
  let pair: YamlPair | undefined;
  for (const key of path) {
    pair = map.items.find((item) => String(item.key) === key);
    if (pair === undefined) return undefined;
    if (isMap(pair.value)) map = pair.value as YAMLMap<Node, Node | null>;
    else if (!isNothing(pair.value) || key !== path.at(-1)) return undefined;
  }
  if (pair !== undefined && isNothing(pair.value)) {
    return insertLines(text, keyEnd(pair), indent(lines, columnOf(text, pair.key) + 2));
  }
  if (map.flow === true) return insertFlow(text, map, flow);
  const last = map.items.at(-1);
  const first = map.items[0];
  if (last === undefined || first === undefined) return undefined;
  return insertLines(text, endOf(last), indent(lines, columnOf(text, first.key)));
}

function isNothing(node: Node | null): boolean {
  return (
    node === null || ('value' in node && node.value === null && node.range?.[0] === node.range?.[1])
  );
}

/** After the line in which `offset` is, with the comment that stands there. */
function insertLines(text: string, offset: number, lines: readonly string[]): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const isLineEnd = offset > 0 && text[offset - 1] === '\n';
  const found = isLineEnd ? offset - 1 : text.indexOf('\n', offset);
  const end = found === -1 ? text.length : found;
  const at = text[end - 1] === '\r' ? end - 1 : end;
  return `${text.slice(0, at)}${eol}${lines.join(eol)}${text.slice(at)}`;
}

function insertFlow(text: string, map: YAMLMap<Node, Node | null>, flow: string): string {
  const brace = (map.range?.[1] ?? 0) - 1;
  const before = text.slice(0, brace).trimEnd();
  const isEmpty = map.items.length === 0;
  return `${before}${isEmpty ? ' ' : ', '}${flow} ${text.slice(brace)}`;
}

function columnOf(text: string, node: Node): number {
  const offset = node.range?.[0] ?? 0;
  return offset - (text.lastIndexOf('\n', offset - 1) + 1);
}

function keyEnd({ key }: YamlPair): number {
  return key.range?.[1] ?? 0;
}

/** Where the last thing that stands in it ends, before comments and empty lines that follow. */
function endOf({ key, value }: YamlPair): number {
  const node: Node | null = value;
  if (node === null || isNothing(node)) return keyEnd({ key, value } as YamlPair);
  if (isMap(node) && node.flow !== true && node.items.length > 0) {
    return endOf(node.items.at(-1) as YamlPair);
  }
  if (isSeq(node) && node.flow !== true && node.items.length > 0) {
    const item = node.items.at(-1) as Node;
    return isMap(item) && item.flow !== true && item.items.length > 0
      ? endOf(item.items.at(-1) as YamlPair)
      : (item.range?.[1] ?? 0);
  }
  return node.range?.[1] ?? 0;
}

/** What it said before, and what was added; and nothing else. */
function saysWhatItShould(before: string, after: string, { path, flow }: Addition): boolean {
  const [expected, got] = [plain(before), plain(after)];
  const added = plain(`{ ${flow} }`) as Record<string, unknown>;
  let map = expected as Record<string, unknown>;
  for (const key of path) {
    map[key] ??= {};
    map = map[key] as Record<string, unknown>;
  }
  Object.assign(map, added);
  return isDeepStrictEqual(got, expected);
}

function plain(text: string): unknown {
  const document = parseDocument(text, { merge: true });
  return document.errors.length > 0 ? undefined : document.toJS();
}
