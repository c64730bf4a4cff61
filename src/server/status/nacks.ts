// What a sidecar rejects, with its place in mesh.yaml and in Envoy's own words.
import type { MemberView } from '../fleet/index.js';
import { toSources, toTypeName } from './rejected.js';
import { toUnboundStatuses, type UnboundStatus } from './unbound.js';

export interface Nack {
  readonly node: string;
  readonly type: string;
  /** Envoy's own words. */
  readonly error: string;
  /** `file:line:column`s of what was rejected, where known. */
  readonly source?: string;
  /** What it rejects for nothing but an address that it can't bind. */
  readonly unbound?: readonly UnboundStatus[];
}

export function toNacks(member: MemberView): Nack[] {
  const { stream, reports, troubles, state } = member;
  const { node, isStatic } = stream.auth;
  const own = troubles.map((error) => ({ node, type: isStatic ? 'sds' : 'lds', error }));
  const rejected = reports.flatMap(({ typeUrl, standing }) => {
    // Something newer is under way: what was rejected before it says nothing of it.
    if (standing.state !== 'nacked' || standing.retrying) return [];
    const { message, resources } = standing.rejection;
    const unbound = state === 'unbound' ? toUnboundStatuses(member) : [];
    const known = { node, type: toTypeName(typeUrl), error: message };
    const nack = unbound.length === 0 ? known : { ...known, unbound };
    const sources = toSources(resources);
    return [sources === '' ? nack : { ...nack, source: sources }];
  });
  return [...own, ...rejected];
}

/** The same for people, in one line; undefined: it rejects nothing. */
export function toRejectionText(member: MemberView): string | undefined {
  const [first] = toNacks(member);
  if (first === undefined) return undefined;
  const place = first.source === undefined ? '' : `${first.source} `;
  return `${place}${first.type}: ${first.error}`;
}
