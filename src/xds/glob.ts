// Glob collections: a name `xdstp://authority/type/path/*` asks for all resources whose name
// differs from it in the last part of the path alone. Its context parameters are part of a name, in
// any order. Rule: xRFC TP1, "Glob collections"
// (https://github.com/cncf/xds/blob/main/proposals/TP1-xds-transport-next.md).

const SCHEME = 'xdstp:';
const ANY = '/*';

interface Parts {
  /** Scheme, authority, type and id. */
  readonly path: string;
  /** With the `?`, sorted; empty where there are none. */
  readonly parameters: string;
}

function partsOf(name: string): Parts {
  const at = name.indexOf('?');
  if (at === -1) return { path: name, parameters: '' };
  const parameters = name
    .slice(at + 1)
    .split('&')
    .sort()
    .join('&');
  return { path: name.slice(0, at), parameters: `?${parameters}` };
}

export function isGlob(name: string): boolean {
  return name.startsWith(SCHEME) && partsOf(name).path.endsWith(ANY);
}

/** The glob collection that a resource is in; empty for one without such a name. */
export function collectionOf(name: string): string {
  if (!name.startsWith(SCHEME)) return '';
  const { path, parameters } = partsOf(name);
  return `${path.slice(0, path.lastIndexOf('/'))}${ANY}${parameters}`;
}

/** The globs among the names; of equal ones, one. */
export function toGlobs(names: Iterable<string>): ReadonlySet<string> {
  return new Set([...names].filter(isGlob).map(collectionOf));
}
