// Who is here and who isn't: the mesh's services and the sidecars that were seen, held against each
// other. Pure: `status`, `wait` and the metrics show the same of it.
import { findDeclared, findService, type Mesh, toNames } from '../../policy/index.js';
import { findRevocation, type Revocations } from '../../revocation/index.js';
import type { GoneSidecar, MemberView } from '../fleet/index.js';

export interface AttendanceInput {
  /** In force. */
  readonly mesh: Mesh;
  readonly members: readonly MemberView[];
  /** Those that were connected and are not. */
  readonly gone: readonly GoneSidecar[];
  readonly revocations: Revocations;
}

export interface ServiceAttendance {
  readonly service: string;
  /** The mesh has it. */
  readonly declared: boolean;
  /** It has sidecars, by the mesh. */
  readonly expected: boolean;
  readonly connected: number;
  readonly synced: number;
  readonly gone: number;
}

export interface Attendance {
  /** Those that the mesh declares, then those that it doesn't and that are connected, by name. */
  readonly services: readonly ServiceAttendance[];
  /** Of declared services, but for those that are shut out; the one that went last first. */
  readonly gone: readonly GoneSidecar[];
  /** Connected sidecars of services that the mesh doesn't declare: they have no configuration. */
  readonly undeclared: readonly MemberView[];
  /** Declared services that have sidecars, of which none is connected. */
  readonly missing: readonly string[];
}

export function toAttendance(input: AttendanceInput): Attendance {
  const { mesh, members, revocations } = input;
  const gone = input.gone.filter(
    ({ node, service }) =>
      findDeclared(mesh, service) !== undefined &&
      findRevocation(revocations, { node, service, names: toAllNames(mesh, service) }) ===
        undefined,
  );
  const counts = countAll(input, gone);
  const own = [...mesh.services.values()].filter(({ leaving }) => leaving === undefined);
  const declared = own.map(({ name, sidecar }) => ({
    ...{ service: name, declared: true, expected: sidecar },
    ...(counts.get(name) ?? NOBODY),
  }));
  const undeclared = members.filter(
    ({ stream }) => findDeclared(mesh, stream.auth.service) === undefined,
  );
  const others = [...new Set(undeclared.map(({ stream }) => stream.auth.service))].map(
    (service) => ({
      ...{ service, declared: false, expected: false },
      ...(counts.get(service) ?? NOBODY),
    }),
  );
  return {
    services: [...declared.sort(byName), ...others.sort(byName)],
    gone,
    undeclared,
    missing: declared
      .filter(({ expected, connected }) => expected && connected === 0)
      .map(({ service }) => service),
  };
}

type Counts = Pick<ServiceAttendance, 'connected' | 'synced' | 'gone'>;

const NOBODY: Counts = { connected: 0, synced: 0, gone: 0 };

function toAllNames(mesh: Mesh, name: string): readonly string[] {
  const service = findService(mesh, name);
  return service === undefined ? [name] : toNames(service);
}

/** By the name that a service has now. */
function countAll(
  { mesh, members }: Pick<AttendanceInput, 'mesh' | 'members'>,
  gone: readonly GoneSidecar[],
): ReadonlyMap<string, Counts> {
  const counts = new Map<string, Counts>();
  const add = (name: string, more: Partial<Counts>): void => {
    const service = findService(mesh, name)?.name ?? name;
    const { connected, synced, gone: left } = counts.get(service) ?? NOBODY;
    counts.set(service, {
      connected: connected + (more.connected ?? 0),
      synced: synced + (more.synced ?? 0),
      gone: left + (more.gone ?? 0),
    });
  };
  for (const { stream, state } of members) {
    add(stream.auth.service, { connected: 1, synced: state === 'synced' ? 1 : 0 });
  }
  for (const { service } of gone) add(service, { gone: 1 });
  return counts;
}

function byName(a: ServiceAttendance, b: ServiceAttendance): number {
  return a.service < b.service ? -1 : 1;
}

/** So many sidecars are named in one sentence. */
const NAMED = 5;

/** What an operator is warned of, a sentence for each service that is not declared. */
export function toUndeclaredTexts(
  { undeclared }: Pick<Attendance, 'undeclared'>,
  mesh: Mesh,
): readonly string[] {
  const byService = new Map<string, string[]>();
  for (const { stream } of undeclared) {
    const { service, node } = stream.auth;
    byService.set(service, [...(byService.get(service) ?? []), node]);
  }
  return [...byService].map(([service, nodes]) => {
    const named = nodes.slice(0, NAMED).join(', ');
    const more = nodes.length > NAMED ? `, and ${nodes.length - NAMED} more` : '';
    const what = `the mesh declares no service "${service}", of which sidecars are connected`;
    const left =
      findService(mesh, service) === undefined
        ? 'they have no configuration, and calls to them fail'
        : 'nobody begins a call to them any more, and what is open is let go on for a while';
    return `${what} (${named}${more}): ${left}`;
  });
}
