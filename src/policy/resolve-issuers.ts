// From `nodeIssuers` as it is written to what the server uses: defaults applied, and each file's
// path as seen from the file that names it.
import { dirname, isAbsolute, join } from 'node:path';
import { toPlace } from '../base/index.js';
import { DEFAULT_ALGORITHMS, type IssuerText, isHttps } from './issuer-schema.js';
import type { NodeIssuer, NodeIssuerKeys } from './model.js';
import type { AddProblem, Report } from './report.js';
import { formatPath, type Path, placeAt, type Tree } from './tree.js';

const SECTION = 'nodeIssuers';

export function resolveIssuers(
  texts: readonly IssuerText[] = [],
  tree: Tree,
): readonly NodeIssuer[] {
  return texts.map(({ issuer, audiences, jwks, algorithms, nodes }, i) => {
    const path = [SECTION, i];
    return {
      issuer,
      audiences,
      keys: toKeys(issuer, jwks, { tree, path: [...path, 'jwks'] }),
      algorithms: algorithms ?? DEFAULT_ALGORITHMS,
      nodes: nodes.map(({ service, claims, instance, addresses }, j) => ({
        service,
        claims: Object.entries(claims).map(([name, pattern]) => ({ name, pattern })),
        instance,
        addresses,
        source: placeAt(tree, [...path, 'nodes', j]),
      })),
      source: placeAt(tree, path),
    };
  });
}

function toKeys(
  issuer: string,
  keys: NodeIssuerKeys | undefined,
  { tree, path }: { readonly tree: Tree; readonly path: Path },
): NodeIssuerKeys {
  if (keys === undefined) return { kind: 'discovery', issuer };
  if (keys.kind !== 'file') return keys;
  if (isAbsolute(keys.path)) return keys;
  return { kind: 'file', path: join(dirname(placeAt(tree, path).file), keys.path) };
}

/** What the schema can't say: each issuer once, and discovery only over https. */
export function checkIssuers(
  issuers: readonly NodeIssuer[],
  { tree, report }: { readonly tree: Tree; readonly report: Report },
): void {
  const addProblem: AddProblem = (path, problem) =>
    report.add({ ...problem, source: placeAt(tree, path), path: formatPath(path) });
  const first = new Map<string, NodeIssuer>();
  for (const [i, issuer] of issuers.entries()) {
    const path = [SECTION, i, 'issuer'];
    const earlier = first.get(issuer.issuer);
    if (earlier !== undefined) {
      const place = toPlace(earlier.source);
      addProblem(path, { message: `expected each issuer once but got it at ${place} too` });
    }
    first.set(issuer.issuer, earlier ?? issuer);
    if (issuer.keys.kind === 'discovery' && !isDiscoverable(issuer.issuer)) {
      addProblem(path, {
        message: `expected an https URL to find its keys at but got "${issuer.issuer}"`,
        hint: 'name its keys: jwks: and a file, or an https URL',
      });
    }
  }
}

/** OpenID Connect Discovery 1.0 section 3: https, no query, no fragment. */
function isDiscoverable(issuer: string): boolean {
  return isHttps(issuer) && !issuer.includes('?');
}
