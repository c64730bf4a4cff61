// How one service gets from the names and identities that it may have on some sidecar to its new
// ones (decision 046), so that no call fails whichever sidecars have which step:
//   accept: everybody takes it by its old identities and its new one, and its own sidecars are
//           called by either name
//   issue: its sidecars are given leaves of the new identity, and its callers call it by its new
//          name
//   connect: its sidecars make their connections to others anew, by the new leaf
//   drop: nobody takes the old ones any more
// Steps that change nothing for anybody are left out: a renamed service keeps what `formerly` says,
// and a new account alone changes no name.
import type { SourceRef } from '../../base/index.js';
import {
  findService,
  type Mesh,
  type Moving,
  mayCall,
  type Service,
  type ServiceName,
  toNames,
  toSpiffeIds,
} from '../../policy/index.js';

/** What of a service is not as the wanted mesh says, while its identity changes. */
export interface IdentityForm {
  /** Identities that count as the service, beside those of the mesh; absent: none. */
  readonly alsoKnownAs?: readonly string[];
  readonly moving?: Moving;
}

export type IdentityStepName = 'accept' | 'issue' | 'connect' | 'drop';

export interface IdentityStep {
  readonly name: IdentityStepName;
  readonly form: IdentityForm;
  /** Services whose sidecars must have it before the next. */
  readonly awaits: readonly ServiceName[];
}

/** What a service is called and known by in the wanted mesh. */
export interface IdentityGoal {
  readonly names: readonly ServiceName[];
  readonly spiffeIds: readonly string[];
  readonly source: SourceRef;
}

export function toIdentityGoal(service: Service): IdentityGoal {
  return { names: toNames(service), spiffeIds: toSpiffeIds(service), source: service.source };
}

export interface IdentityBefore {
  /** Meshes of which each may be in force on some sidecar; the last is the published one. */
  readonly olds: readonly Mesh[];
  readonly wanted: Mesh;
  /** An earlier change of it has not come to its end: nothing is known of what its leaves are. */
  readonly isUnfinished?: boolean;
}

/** The service as a mesh has it, by the name that it has now or by an earlier one. */
export function toEarlier(mesh: Mesh, service: Service): Service | undefined {
  const { name, formerly = [] } = service;
  for (const one of [name, ...formerly]) {
    const found = findService(mesh, one);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The steps for a service of the wanted mesh; empty: its names and identities stay. */
export function planIdentity(
  service: Service,
  { olds, wanted, isUnfinished = false }: IdentityBefore,
): readonly IdentityStep[] {
  const earlier = olds.flatMap((mesh) => toEarlier(mesh, service) ?? []);
  const published = olds.at(-1) && toEarlier(olds.at(-1) as Mesh, service);
  // One that isn't published has no sidecar with a leaf, and nobody calls it.
  if (published === undefined) return [];
  const isReissued = isUnfinished || earlier.some((one) => toCertified(one) !== service.spiffeId);
  const isCalledAnew = earlier.some((one) => toCalled(one) !== service.name);
  const lostIds = toLost(earlier.flatMap(toSpiffeIds), toSpiffeIds(service));
  const lostNames = toLost(earlier.flatMap(toNames), toNames(service));
  if (!isReissued && !isCalledAnew && lostIds.length + lostNames.length === 0) return [];
  const around = toNeighbours(service, { olds, wanted });
  const toForm = (moving: Moving): IdentityForm => ({
    ...(lostIds.length === 0 ? {} : { alsoKnownAs: lostIds }),
    moving: lostNames.length === 0 ? moving : { ...moving, alsoCalled: lostNames },
  });
  const accept: IdentityStep = {
    name: 'accept',
    form: toForm({ certifiedAs: toCertified(published), calledAs: toCalled(published) }),
    awaits: around,
  };
  const issue: IdentityStep = { name: 'issue', form: toForm({}), awaits: around };
  const connect: IdentityStep = {
    name: 'connect',
    form: toForm({ connects: service.spiffeId }),
    awaits: [service.name],
  };
  const drop: IdentityStep = { name: 'drop', form: {}, awaits: around };
  const isMoved = isReissued || isCalledAnew;
  return [
    ...(isMoved ? [accept] : []),
    ...(isMoved && lostIds.length + lostNames.length > 0 ? [issue] : []),
    ...(lostIds.length > 0 ? [connect] : []),
    drop,
  ];
}

/** The identity of its leaves. */
function toCertified({ spiffeId, moving }: Service): string {
  return moving?.certifiedAs ?? spiffeId;
}

/** The name by which its callers' sidecars ask for it. */
function toCalled({ name, moving }: Service): ServiceName {
  return moving?.calledAs ?? name;
}

function toLost<T extends string>(before: readonly T[], now: readonly T[]): readonly T[] {
  return [...new Set(before)].filter((one) => !now.includes(one));
}

/** The service, those that may call it and those that it may call. */
function toNeighbours(service: Service, { olds, wanted }: IdentityBefore): readonly ServiceName[] {
  const names = [...olds, wanted].flatMap((mesh) => {
    const own = toEarlier(mesh, service);
    if (own === undefined) return [];
    const calls = (caller: Service, callee: Service): boolean =>
      callee.ports.some((port) => mayCall(mesh, { caller, callee, port }));
    return [...mesh.services.values()]
      .filter((other) => other === own || calls(other, own) || calls(own, other))
      .map(({ name }) => findService(wanted, name)?.name ?? name);
  });
  return [...new Set([service.name, ...names])].sort();
}
