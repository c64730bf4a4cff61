// `wait`: whether the mesh as it stands is in force on every connected sidecar, and on as many as
// are asked for, or why it can't be.
import { MeshError, type WaitUntilOptions, waitUntil } from '../../base/index.js';
import {
  findDeclared,
  findService,
  type Mesh,
  type ProblemJson,
  type ServiceName,
  serviceName,
  toProblemJson,
} from '../../policy/index.js';
import type { KeptOut, MemberView } from '../fleet/index.js';
import type { MeshState, Rollout } from '../mesh/index.js';
import { type KeptOutStatus, toKeptOut } from './kept-out.js';
import { type Nack, toNacks } from './nacks.js';
import { type PendingEditStatus, toPendingEditStatus } from './status.js';
import { type HeldStatus, toHeldEditText, toHeldStatus } from './step-status.js';
import type { Trouble } from './trouble.js';

/** Fewer sidecars have the mesh than were asked for. */
export interface Lack {
  /** Null: of any. */
  readonly service: string | null;
  readonly wanted: number;
  readonly got: number;
}

export type WaitAnswer =
  | {
      readonly inForce: true;
      readonly version: string;
      /** On so many it is in force: all that are connected. */
      readonly proxies: number;
      /** Those of them whose service the mesh doesn't declare: they have nothing. */
      readonly undeclared: readonly string[];
    }
  | {
      readonly inForce: false;
      readonly reason: 'nacked' | 'problems' | 'held' | 'timeout';
      readonly nacks: readonly Nack[];
      /** What went back, where there is such. */
      readonly held?: readonly HeldStatus[];
      readonly problems: readonly ProblemJson[];
      /** Connected ones that lack something, and those that are expected back. */
      readonly waitingFor: readonly string[];
      /** Connected ones that wait for their address, where there are such. */
      readonly keptOut?: readonly KeptOutStatus[];
      readonly lacking: readonly Lack[];
      /** What the server itself has yet to do, where no sidecar is waited for. */
      readonly server: string | null;
      /** An edit of the mesh file that isn't taken yet. */
      readonly pendingEdit?: PendingEditStatus;
      /** What is wrong with the server's surroundings, such as its disk, in words. */
      readonly troubles: readonly string[];
    };

export interface WaitInput {
  readonly meshState: () => MeshState;
  readonly members: () => readonly MemberView[];
  readonly keptOut: () => readonly KeptOut[];
  /** Sidecars that may come back within their grace. */
  readonly missing: () => readonly string[];
  readonly rollout: Rollout;
  /** The mesh that is in force and stored. */
  readonly settled: () => Mesh | undefined;
  readonly troubles: () => readonly Trouble[];
}

/** On how many sidecars at least. */
export interface Demand {
  readonly proxies: number;
  readonly services: ReadonlyMap<ServiceName, number>;
}

export const NO_DEMAND: Demand = { proxies: 0, services: new Map() };

const NOT_YET = {
  inForce: false,
  nacks: [],
  problems: [],
  waitingFor: [],
  lacking: [],
  server: null,
  troubles: [],
} as const;

/** @param query `proxies=3`, `service=web=2`. @throws MeshError request-invalid, service-unknown */
export function parseDemand(
  query: URLSearchParams,
  { mesh, problems, pendingEdit }: Pick<MeshState, 'mesh' | 'problems' | 'pendingEdit'>,
): Demand {
  const isBroken = problems.some(({ severity }) => severity === 'error');
  const services = new Map<ServiceName, number>();
  for (const text of query.getAll('service')) {
    const [name = '', count = ''] = text.split('=');
    const asked = serviceName(name);
    const service = findService(mesh, asked);
    services.set(service?.name ?? asked, toCount('service', count));
    // The file says something else already, and may declare it.
    if (service === undefined && (isBroken || pendingEdit !== undefined)) continue;
    if (service === undefined) {
      throw new MeshError('service-unknown', `the mesh declares no service "${name}"`);
    }
    if (!service.sidecar) {
      const message = `service "${name}" has no sidecars (sidecar: false): none can be waited for`;
      throw new MeshError('request-invalid', message);
    }
  }
  return { proxies: toCount('proxies', query.get('proxies') ?? '0'), services };
}

function toCount(name: string, text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new MeshError('request-invalid', `expected ${name} with a number of sidecars`);
}

/** The answer as things stand; undefined while it is open. */
function tryAnswer(input: WaitInput, demand: Demand): WaitAnswer | undefined {
  const { rollout, settled } = input;
  const { problems, mesh, pendingEdit } = input.meshState();
  // The files say something else already, good or bad.
  if (pendingEdit !== undefined) return undefined;
  const errors = problems.filter(({ severity }) => severity === 'error').map(toProblemJson);
  if (errors.length > 0) return { ...NOT_YET, reason: 'problems', problems: errors };
  // The newest mesh is on its way to the sidecars: what they rejected before it is no answer.
  if (rollout.inForce.value.version !== mesh.version) return undefined;
  const all = input.members();
  const nacks = all.flatMap(toNacks);
  if (nacks.length > 0) return { ...NOT_YET, reason: 'nacked', nacks };
  const held = rollout.held.map(toHeldStatus);
  if (held.length > 0) return { ...NOT_YET, reason: 'held', held };
  const isInForce = rollout.phase === undefined && settled() === mesh;
  if (!isInForce || !all.every(({ state }) => state === 'synced')) return undefined;
  if (toKeptOut(input.keptOut(), mesh).length > 0) return undefined;
  if (toLacks(all, mesh, demand).length > 0) return undefined;
  const undeclared = all
    .filter((member) => !isDeclared(member, mesh))
    .map(({ stream }) => stream.auth.node);
  return { inForce: true, version: mesh.version, proxies: all.length, undeclared };
}

export type WaitOptions = Omit<WaitUntilOptions<WaitAnswer>, 'look'> & {
  readonly demand?: Demand;
};

/** The answer once there is one; `timeout` after `timeoutMs`, or when nobody wants it any more. */
export async function waitForAnswer(
  input: WaitInput,
  { demand = NO_DEMAND, ...options }: WaitOptions,
): Promise<WaitAnswer> {
  const waited = await waitUntil({ ...options, look: () => tryAnswer(input, demand) });
  return waited.kind === 'answer' ? waited.value : toTimeout(input, demand);
}

function toTimeout(input: WaitInput, demand: Demand): WaitAnswer {
  const { members, missing, rollout, meshState } = input;
  const all = members();
  const late = all.filter(({ state }) => state !== 'synced').map(({ stream }) => stream.auth.node);
  const { phase } = rollout;
  const waitingFor = [...new Set([...late, ...(phase?.waitingFor ?? []), ...missing()])];
  const { mesh, pendingEdit: edit } = meshState();
  const lacking = toLacks(all, mesh, demand);
  const keptOut = toKeptOut(input.keptOut(), mesh);
  const known = waitingFor.length + lacking.length + keptOut.length;
  const isOther = known === 0 && edit === undefined;
  const isHeld = rollout.heldEdit !== undefined || rollout.isPaused;
  const server = isOther || isHeld ? toServerWork(input) : null;
  const troubles = input.troubles().map(({ text }) => text);
  const found = {
    waitingFor,
    ...(keptOut.length === 0 ? {} : { keptOut }),
    lacking,
    server,
    troubles,
  };
  const timeout = { ...NOT_YET, reason: 'timeout', ...found } as const;
  return edit === undefined ? timeout : { ...timeout, pendingEdit: toPendingEditStatus(edit) };
}

/** No sidecar is waited for: what is still to happen in the server itself. */
function toServerWork({ rollout, meshState }: WaitInput): string {
  const { heldEdit } = rollout;
  if (heldEdit !== undefined) return toHeldEditText(heldEdit);
  if (rollout.isPaused && rollout.steps.length > 0) return 'the rollout is paused';
  if (rollout.phase !== undefined) return `the phase "${rollout.phase.name}" has yet to end`;
  const isBegun = rollout.inForce.value.version === meshState().mesh.version;
  return isBegun ? 'the mesh has yet to be stored' : 'the mesh has yet to be put in force';
}

function toLacks(
  members: readonly MemberView[],
  mesh: Mesh,
  { proxies, services }: Demand,
): readonly Lack[] {
  const ready = members.filter((member) => member.state === 'synced' && isDeclared(member, mesh));
  const wanted = [...services].map(([service, count]) => ({
    service,
    wanted: count,
    got: ready.filter(({ stream }) => findService(mesh, stream.auth.service)?.name === service)
      .length,
  }));
  const all = { service: null, wanted: proxies, got: ready.length };
  return [all, ...wanted].filter((one) => one.got < one.wanted);
}

function isDeclared({ stream }: MemberView, mesh: Mesh): boolean {
  return findDeclared(mesh, stream.auth.service) !== undefined;
}
