import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

// The project's own files as the tidy checks see them: paths relative to the root, with `/`.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What .gitignore names: generated, downloaded or made by a run. */
const IGNORED = ['.git', 'node_modules', 'dist', 'src/gen', '.cache', '.countersign', 'coverage'];

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** All files that are, or could be, committed. */
export function listFiles(folder = ''): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (IGNORED.includes(path) || path.endsWith('.log')) return [];
      return entry.isDirectory() ? listFiles(path) : [path];
    })
    .sort();
}

export function readText(path: string): TextFile {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** A node of the syntax tree (ESTree with TypeScript), as far as the checks look into it. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export interface Module extends TextFile {
  /** Every node of the syntax tree, parents first. */
  readonly nodes: readonly Node[];
}

export function readModule(path: string): Module {
  const file = readText(path);
  const tree = parseAst(file.text, { lang: 'ts' }) as unknown as Node;
  return { ...file, nodes: [...walk(tree)] };
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function* walk(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield* walk(child);
    }
  }
}

/** The text of a string literal. */
export function literal(node: unknown): string | undefined {
  return isNode(node) && node.type === 'Literal' && typeof node['value'] === 'string'
    ? node['value']
    : undefined;
}

const IMPORTS = [
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
];

/** What a module imports, statically, dynamically or as a type, as written. */
export function importsOf({ nodes }: Module): string[] {
  return nodes
    .filter(({ type }) => IMPORTS.includes(type))
    .map((node) => literal(node['source']))
    .filter((specifier) => specifier !== undefined);
}

/** What a module names by `new URL('./other.js', import.meta.url)`: a program that it starts. */
export function urlsOf({ nodes }: Module): string[] {
  return nodes
    .filter(({ type }) => type === 'NewExpression')
    .map((node) => literal((node['arguments'] as unknown[])[0]))
    .filter((specifier) => specifier?.endsWith('.js') === true)
    .filter((specifier) => specifier !== undefined);
}

/** The source file that a relative specifier means: `./a.js` is a.ts, but in src/gen it stays. */
export function resolveImport(from: string, specifier: string): string {
  const path = posix.join(dirname(from), specifier);
  return path.startsWith('src/gen/') ? path : path.replace(/\.js$/, '.ts');
}

/** Calls as they read: `Date.now`, `setTimeout`; `new Date` of no argument too. */
export function callsOf({ nodes }: Module): string[] {
  return nodes.flatMap((node) => {
    if (node.type === 'CallExpression') return [nameOf(node['callee'])];
    const isNew = node.type === 'NewExpression';
    if (isNew && (node['arguments'] as unknown[]).length === 0) {
      return [`new ${nameOf(node['callee'])}`];
    }
    return [];
  });
}

function nameOf(node: unknown): string {
  if (!isNode(node)) return '';
  if (node.type === 'Identifier') return String(node['name']);
  if (node.type !== 'MemberExpression') return '';
  return `${nameOf(node['object'])}.${nameOf(node['property'])}`;
}

/** Lines of each function, from its parameters to its closing brace. */
export function functionLengths({ text, nodes }: Module): { name: string; lines: number }[] {
  return nodes
    .filter(({ type }) => type.endsWith('FunctionExpression') || type === 'FunctionDeclaration')
    .map((node) => ({
      name: nameOf(node['id']) || `line ${text.slice(0, node.start).split('\n').length}`,
      lines: text.slice(node.start, node.end).split('\n').length,
    }));
}

/** Every text that a module holds as a literal; of a template its fixed parts, each by itself. */
export function literalsOf({ nodes }: Module): string[] {
  return nodes.flatMap((node) => {
    const text = literal(node);
    if (text !== undefined) return [text];
    if (node.type !== 'TemplateElement') return [];
    return [(node['value'] as { readonly cooked: string }).cooked];
  });
}

/** Each `new MeshError(…)`: codes and variants that it can have, as far as written there. */
export function newErrorsOf({ nodes }: Module): { codes: string[]; variants: string[] }[] {
  return nodes
    .filter((node) => node.type === 'NewExpression' && nameOf(node['callee']) === 'MeshError')
    .map((node) => {
      const [code, , options] = node['arguments'] as Node[];
      const fields = options === undefined ? [] : [...walk(options)];
      const variants = fields.filter(
        (field) => field.type === 'Property' && nameOf(field['key']) === 'variant',
      );
      return {
        codes: code === undefined ? [] : textsIn(code),
        variants: variants.flatMap((field) => textsIn(field['value'] as Node)),
      };
    });
}

function textsIn(node: Node): string[] {
  return [...walk(node)].map(literal).filter((text) => text !== undefined);
}
