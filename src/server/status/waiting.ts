// `wait`: whether the mesh as it stands is in force on every connected sidecar, or why it can't be.
import { toPlace, type WaitUntilOptions, waitUntil } from '../../base/index.js';
import { type Mesh, type ProblemJson, toProblemJson } from '../../policy/index.js';
import type { Rejection } from '../../xds/index.js';
import type { MemberView } from '../fleet/index.js';
import type { MeshState, Rollout } from '../mesh/index.js';
import { type PendingEditStatus, toPendingEditStatus, toTypeName } from './status.js';

export interface Nack {
  readonly node: string;
  readonly type: string;
  /** Envoy's own words. */
  readonly error: string;
  /** `file:line:column`s of what was rejected, where known. */
  readonly source?: string;
}

export type WaitAnswer =
  | { readonly inForce: true; readonly version: string }
  | {
      readonly inForce: false;
      readonly reason: 'nacked' | 'problems' | 'timeout';
      readonly nacks: readonly Nack[];
      readonly problems: readonly ProblemJson[];
      readonly waitingFor: readonly string[];
      /** An edit of the mesh file that isn't taken yet. */
      readonly pendingEdit?: PendingEditStatus;
    };

export interface WaitInput {
  readonly meshState: () => MeshState;
  readonly members: () => readonly MemberView[];
  readonly rollout: Rollout;
  /** The mesh that is in force and stored. */
  readonly settled: () => Mesh | undefined;
}

/** The answer as things stand; undefined while it is open. */
export function tryAnswer({
  meshState,
  members,
  rollout,
  settled,
}: WaitInput): WaitAnswer | undefined {
  const { problems, mesh, pendingEdit } = meshState();
  // The files say something else already, good or bad.
  if (pendingEdit !== undefined) return undefined;
  const errors = problems.filter(({ severity }) => severity === 'error').map(toProblemJson);
  const empty = { inForce: false, nacks: [], problems: [], waitingFor: [] } as const;
  if (errors.length > 0) return { ...empty, reason: 'problems', problems: errors };
  // The newest mesh is on its way to the sidecars: what they rejected before it is no answer.
  if (rollout.inForce.value.version !== mesh.version) return undefined;
  const all = members();
  const nacks = all.flatMap(toNacks);
  if (nacks.length > 0) return { ...empty, reason: 'nacked', nacks };
  const isInForce = rollout.phase === undefined && settled() === mesh;
  if (isInForce && all.every(({ state }) => state === 'synced')) {
    return { inForce: true, version: mesh.version };
  }
  return undefined;
}

/** The answer once there is one; `timeout` after `timeoutMs`, or when nobody wants it any more. */
export async function waitForAnswer(
  input: WaitInput,
  options: Omit<WaitUntilOptions<WaitAnswer>, 'look'>,
): Promise<WaitAnswer> {
  const waited = await waitUntil({ ...options, look: () => tryAnswer(input) });
  return waited.kind === 'answer' ? waited.value : toTimeout(input);
}

function toTimeout({ members, meshState }: WaitInput): WaitAnswer {
  const waitingFor = members()
    .filter(({ state }) => state !== 'synced')
    .map(({ stream }) => stream.auth.node);
  const timeout = {
    inForce: false,
    reason: 'timeout',
    nacks: [],
    problems: [],
    waitingFor,
  } as const;
  const edit = meshState().pendingEdit;
  return edit === undefined ? timeout : { ...timeout, pendingEdit: toPendingEditStatus(edit) };
}

function toNacks({ stream, troubles }: MemberView): Nack[] {
  const { node } = stream.auth;
  const own = troubles.map((error) => ({ node, type: 'lds', error }));
  const rejected = stream.state().flatMap(({ typeUrl, standing }) => {
    // Something newer is under way: what was rejected before it says nothing of it.
    if (standing.state !== 'nacked' || standing.retrying) return [];
    const { message, resources } = standing.rejection;
    const nack = { node, type: toTypeName(typeUrl), error: message };
    const sources = toSources(resources);
    return [sources === '' ? nack : { ...nack, source: sources }];
  });
  return [...own, ...rejected];
}

/** Places of the rejected resources, each once. */
export function toSources(resources: Rejection['resources']): string {
  const places = resources.flatMap(({ source }) => (source === undefined ? [] : [toPlace(source)]));
  return [...new Set(places)].join(', ');
}
