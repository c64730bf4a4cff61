// Which services a change concerns: those whose own part of it changed, and whoever may call such a
// one, by what was or by what is. All that a sidecar is sent follows from these, but for what the
// whole mesh shares. So an edit of one port is translated for those who serve or call it.
import { isDeepStrictEqual } from 'node:util';
import { haveSameMeaning, type Mesh, mayCall, type ServiceName } from '../../policy/index.js';
import { NOTHING_REVOKED, type Registry, type Revoked, toForms } from '../../translate/index.js';

export interface Translated {
  readonly mesh: Mesh;
  readonly endpoints: Registry;
  readonly revoked?: Revoked;
}

/** Undefined: any may be. */
export function toAffected(
  before: Translated,
  next: Translated,
): ReadonlySet<ServiceName> | undefined {
  const changed = toChanged(before, next);
  if (changed === undefined || changed.size === 0) return changed;
  const callers = [before, next].flatMap(({ mesh }) => {
    const ports = [...changed].flatMap((name) => {
      const callee = mesh.services.get(name);
      return callee?.ports.map((port) => ({ callee, port: toForms(port).callers })) ?? [];
    });
    return [...mesh.services.values()].filter((caller) =>
      ports.some((one) => mayCall(mesh, { caller, ...one })),
    );
  });
  return new Set([...changed, ...callers.map(({ name }) => name)]);
}

/** Services of which something itself is another. */
function toChanged(before: Translated, next: Translated): Set<ServiceName> | undefined {
  if (!isSameOfAll(before.mesh, next.mesh)) return undefined;
  const marked = toMarked(before.revoked ?? NOTHING_REVOKED, next.revoked ?? NOTHING_REVOKED);
  if (marked === undefined) return undefined;
  const own = [...next.mesh.services].filter(([name, service]) => {
    const old = before.mesh.services.get(name);
    if (old !== service && !haveSameMeaning(old, service)) return true;
    const [a, b] = [before, next].map(({ endpoints }) => endpoints.get(name));
    return a !== b && !isDeepStrictEqual(a, b);
  });
  return new Set([...own.map(([name]) => name), ...marked]);
}

/** What each service's translation looks at: who there is, by what identity, in which order. */
function isSameOfAll(before: Mesh, next: Mesh): boolean {
  if (before === next) return true;
  const { services: old, version: _, ...restBefore } = before;
  const { services, version: __, ...rest } = next;
  if (!haveSameMeaning(restBefore, rest)) return false;
  return isDeepStrictEqual(toKnownAs(old), toKnownAs(services));
}

/** With the names and identities that a service has beside its own, while it changes. */
function toKnownAs(all: Mesh['services']): unknown {
  return [...all.values()].map(({ name, spiffeId, formerly, alsoKnownAs, moving, leaving }) => ({
    ...{ name, spiffeId, formerly, alsoKnownAs, moving, leaving },
  }));
}

/** Services whose connections are to end; undefined: more than that has changed. */
function toMarked(before: Revoked, next: Revoked): readonly ServiceName[] | undefined {
  if (before === next) return [];
  const { inboundMarks: oldInbound, plainMarks: oldPlain, ...restBefore } = before;
  const { inboundMarks, plainMarks, ...rest } = next;
  if (!isDeepStrictEqual(restBefore, rest)) return undefined;
  return [...differing(oldInbound, inboundMarks), ...differing(oldPlain, plainMarks)].map(
    toService,
  );
}

function differing(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((port) => a.get(port) !== b.get(port));
}

/** `payments/ledger` of `payments/ledger:8080`. */
function toService(port: string): ServiceName {
  return port.slice(0, port.lastIndexOf(':')) as ServiceName;
}
