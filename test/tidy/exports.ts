import { importsOf, type Module, type Node, resolveImport } from './sources.js';

// What modules export and import, by name.

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value;

const nodesOf = (value: unknown): readonly Node[] =>
  Array.isArray(value) ? value.filter(isNode) : [];

/** `{ a as b }`: a where it is imported, b where it is exported. */
function nameOf(node: unknown): string {
  if (!isNode(node)) return '';
  return String(node['name'] ?? node['value'] ?? '');
}

/** Values (functions, classes, constants) that the module declares and exports. */
export function exportedValues({ nodes }: Module): readonly string[] {
  return nodes
    .filter(({ type }) => type === 'ExportNamedDeclaration')
    .flatMap((node) => declaredBy(node['declaration']));
}

function declaredBy(declaration: unknown): readonly string[] {
  if (!isNode(declaration) || declaration.type.startsWith('TS')) return [];
  if (declaration.type === 'VariableDeclaration') {
    return nodesOf(declaration['declarations']).map(({ id }) => nameOf(id));
  }
  return [nameOf(declaration['id'])];
}

/** Names that the module passes on from others (`export { a } from './b.js'`). */
export function passedOn({ nodes }: Module): readonly string[] {
  return nodes
    .filter(({ type, source }) => type === 'ExportNamedDeclaration' && isNode(source))
    .flatMap((node) => nodesOf(node['specifiers']).map(({ local }) => nameOf(local)));
}

/** Of what it passes on, what isn't a type. */
export function passedOnValues(module: Module): readonly string[] {
  const types = new Set(
    module.nodes
      .filter(({ type, source }) => type === 'ExportNamedDeclaration' && isNode(source))
      .flatMap((node) =>
        nodesOf(node['specifiers'])
          .filter(({ exportKind }) => exportKind === 'type' || node['exportKind'] === 'type')
          .map(({ local }) => nameOf(local)),
      ),
  );
  return passedOn(module).filter((name) => !types.has(name));
}

/** Names that the module imports, as the other module exports them. */
export function importedNames({ nodes }: Module): readonly string[] {
  const loaded = nodes
    .filter(({ type, init }) => type === 'VariableDeclarator' && isLoading(init))
    .flatMap(({ id }) => nodesOf((id as Node)['properties']).map(({ key }) => nameOf(key)));
  const named = nodes
    .filter(({ type }) => type === 'ImportDeclaration')
    .flatMap((node) =>
      nodesOf(node['specifiers'])
        .filter(({ type }) => type === 'ImportSpecifier')
        .map(({ imported }) => nameOf(imported)),
    );
  return [...named, ...loaded];
}

/** `await import('./heavy.js')` */
const isLoading = (init: unknown): boolean =>
  isNode(init) &&
  init.type === 'AwaitExpression' &&
  isNode(init['argument']) &&
  init['argument'].type === 'ImportExpression';

/** What the module loads when it runs: a command's file, a heavy library. */
export function loadedBy(module: Module): readonly string[] {
  return module.nodes
    .filter(({ type }) => type === 'ImportExpression')
    .map(({ source }) => (isNode(source) ? String(source['value']) : ''))
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => resolveImport(module.path, specifier));
}

/** Circles of files that import one another, each once, its files in the order of their paths. */
export function circlesOf(modules: readonly Module[]): readonly (readonly string[])[] {
  const next = new Map(
    modules.map((module) => [
      module.path,
      importsOf(module)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => resolveImport(module.path, specifier)),
    ]),
  );
  return [...strongComponents(next)]
    .filter((files) => files.length > 1)
    .map((files) => files.sort());
}

/** Tarjan's algorithm (SIAM Journal on Computing 1, 1972). */
function* strongComponents(next: ReadonlyMap<string, readonly string[]>): Iterable<string[]> {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (path: string): void => {
    index.set(path, index.size);
    low.set(path, index.size - 1);
    stack.push(path);
    for (const to of next.get(path) ?? []) {
      if (!next.has(to)) continue;
      if (!index.has(to)) visit(to);
      if (stack.includes(to)) low.set(path, Math.min(low.get(path) ?? 0, low.get(to) ?? 0));
    }
    if (low.get(path) !== index.get(path)) return;
    found.push(stack.splice(stack.indexOf(path)));
  };
  for (const path of next.keys()) if (!index.has(path)) visit(path);
  yield* found;
}
