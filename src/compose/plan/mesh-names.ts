// Names in mesh.yaml: labels of RFC 1123, each once, none of them a reserved word.
import { tryServiceName } from '../../policy/index.js';

/** By name in the compose file. Names that were chosen stand; others give way to them. */
export function toMeshNames(
  services: readonly { readonly compose: string; readonly chosen: string | undefined }[],
): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const add = (compose: string, name: string): void => {
    names.set(compose, name);
    taken.add(name);
  };
  for (const { compose, chosen } of services) if (chosen !== undefined) add(compose, chosen);
  // A name that is a label as it stands goes before those that become the same by our doing.
  for (const { compose } of services) {
    const isFree = !names.has(compose) && !taken.has(compose);
    if (isFree && isMeshName(compose)) add(compose, compose);
  }
  for (const { compose } of services) {
    if (!names.has(compose)) add(compose, freeName(toLabel(compose), taken));
  }
  return names;
}

/** Whether mesh.yaml takes it for a service of the default namespace as it stands. */
export function isMeshName(text: string): boolean {
  return !text.includes('/') && tryServiceName(text) === text;
}

function toLabel(compose: string): string {
  const label = compose
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 56)
    .replace(/-+$/, '');
  const name = label === '' ? 'service' : label;
  return isMeshName(name) ? name : `${name}-service`;
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!taken.has(candidate)) return candidate;
  }
}
