// What can't change while the server runs: the trust domain, the CA, who a service is.
import { changedAuthority, type Mesh, type Problem } from '../../policy/index.js';

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
    const before = old.services.get(service.name);
    if (before === undefined || before.spiffeId === service.spiffeId) return [];
    const change = `"${before.serviceAccount}" to "${service.serviceAccount}"`;
    return [
      {
        severity: 'error',
        source: service.source,
        path: `services.${service.name}.serviceAccount`,
        message: `changing ${change} in a running mesh is not supported yet`,
        hint: 'remove the service and declare it anew in a second edit: its calls fail in between',
      },
    ];
  });
}
