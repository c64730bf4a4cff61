// What can't change while the server runs: the trust domain, the CA, two services to one.
import { changedAuthority, findService, type Mesh, type Problem } from '../../policy/index.js';

/** What is wrong with `wanted` as an edit of `old`. */
export function identityProblems(old: Mesh, wanted: Mesh, file: string): Problem[] {
  if (wanted.trustDomain !== old.trustDomain) {
    const domains = `expected "${old.trustDomain}" but got "${wanted.trustDomain}"`;
    return [
      {
        severity: 'error',
        source: { file, line: 1, column: 1 },
        path: 'trustDomain',
        message: `${domains}: the authority is of the former`,
        hint: 'another trust domain is another mesh: start a server with a data folder of its own',
      },
    ];
  }
  const changed = changedAuthority(old.authority, wanted.authority);
  if (changed !== undefined) {
    return [
      {
        severity: 'error',
        source: wanted.authority?.source ?? { file, line: 1, column: 1 },
        path: changed,
        message: 'changing the CA of a running mesh is not supported yet',
        hint: 'restart the server: sidecars are then given certificates of the other CA',
      },
    ];
  }
  return [...wanted.services.values()].flatMap((service): Problem[] => {
    const { formerly = [], name } = service;
    const merged = [...new Set([name, ...formerly].flatMap((one) => findService(old, one) ?? []))];
    const [first, second] = merged;
    if (first === undefined || second === undefined) return [];
    return [
      {
        severity: 'error',
        source: service.source,
        path: `services.${name}.formerly`,
        message: `"${first.name}" and "${second.name}" are two services: they can't become one`,
        hint: 'callers have an address for each: remove one, and name it in formerly afterwards',
      },
    ];
  });
}
