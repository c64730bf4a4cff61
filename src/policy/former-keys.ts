// The names in `formerly`: nobody has one of them now, and one service had each.
import type { ServiceName } from './model.js';
import { tryNameParts } from './names.js';
import { formatPath, itemsAt, type Path, type Tree } from './tree.js';

type Add = (path: Path, message: string, hint?: string) => void;

/** Each earlier name, and where it stands. */
export function checkFormerNames(
  services: ReadonlyMap<ServiceName, Path>,
  tree: Tree,
  add: Add,
): ReadonlyMap<ServiceName, Path> {
  const formers = new Map<ServiceName, Path>();
  for (const [own, service] of services) {
    for (const [index, item] of itemsAt(tree, [...service, 'formerly'])) {
      const text = item.kind === 'scalar' ? item.value : undefined;
      const parts = typeof text === 'string' ? tryNameParts(text) : undefined;
      if (parts?.ok !== true) continue;
      const { name } = parts.value;
      const path = [...service, 'formerly', index];
      const problem = toProblem(name, { own, declared: services.get(name), at: formers.get(name) });
      if (problem === undefined) formers.set(name, path);
      else add(path, ...problem);
    }
  }
  return formers;
}

interface Known {
  readonly own: ServiceName;
  readonly declared: Path | undefined;
  /** Where it stands already. */
  readonly at: Path | undefined;
}

function toProblem(
  name: ServiceName,
  { own, declared, at }: Known,
): readonly [message: string, hint?: string] | undefined {
  if (name === own) return [`expected an earlier name but got "${name}", which it has now`];
  if (declared !== undefined) {
    return [
      `expected a name that no service has now but got "${name}"`,
      `${formatPath(declared)} declares it: remove one of the two`,
    ];
  }
  if (at === undefined) return undefined;
  return [
    `expected each earlier name once but "${name}" is at ${formatPath(at)} too`,
    "its tokens and its address can be one service's alone: remove one of the two",
  ];
}
