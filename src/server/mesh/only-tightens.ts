// Whether an edit surely takes away and neither loosens, adds nor removes anything. A file that
// somebody is still writing looks like an edit too, and most often like one that removes its tail.
import {
  compareAccess,
  haveSameMeaning,
  type Mesh,
  needsHttp,
  type Port,
  type Service,
} from '../../policy/index.js';

/** What can't be compared exactly counts as loosening: such an edit waits longer, no more. */
export function onlyTightens(before: Mesh, after: Mesh): boolean {
  if (!haveSameMeaning(withoutServices(before), withoutServices(after))) return false;
  if (before.services.size !== after.services.size) return false;
  return [...before.services.values()].every((service) => {
    const next = after.services.get(service.name);
    return next !== undefined && serviceOnlyTightens(service, next, before.trustDomain);
  });
}

function withoutServices({ services: _, version: __, ...rest }: Mesh): unknown {
  return rest;
}

function serviceOnlyTightens(before: Service, after: Service, trustDomain: string): boolean {
  const { ports: old, ...rest } = before;
  const { ports: next, ...restAfter } = after;
  if (!haveSameMeaning(rest, restAfter) || old.length !== next.length) return false;
  return old.every((port, index) => {
    const other = next[index];
    return other !== undefined && portOnlyTightens(port, other, trustDomain);
  });
}

function portOnlyTightens(before: Port, after: Port, trustDomain: string): boolean {
  const { mode: oldMode, access: oldAccess, ...rest } = before;
  const { mode, access, ...restAfter } = after;
  if (!haveSameMeaning(rest, restAfter)) return false;
  if (mode !== oldMode && mode !== 'strict') return false;
  const rules = [oldAccess, access].flatMap(({ allow, deny }) => [...allow, ...deny]);
  const http = before.protocol !== 'tcp' || rules.some(needsHttp);
  // Who would lose something on the way back has gained it on the way there.
  const gains = compareAccess({ before: access, after: oldAccess, trustDomain, http });
  return !gains.identities && !gains.plain;
}
