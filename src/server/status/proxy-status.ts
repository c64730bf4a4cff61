// One connected sidecar as `status` shows it.
import { toRfc3339 } from '../../base/index.js';
import { findDeclared, type Mesh } from '../../policy/index.js';
import { DISCOVERY_TYPES } from '../../translate/index.js';
import type { Standing } from '../../xds/index.js';
import type { MemberView } from '../fleet/index.js';
import type { ProxyState } from '../mesh/index.js';
import type { Horizon } from './horizon.js';
import { type HorizonStatus, toProxyHorizon } from './horizon-report.js';
import { toSources } from './rejected.js';
import { type StatisticsStatus, toStatisticsStatus } from './statistics-status.js';
import { toTokenEndMs } from './token-end.js';
import { toUnboundStatuses, type UnboundStatus } from './unbound.js';
import { toUnwellStatuses, type UnwellOf, type UnwellStatus } from './unwell.js';

export interface TypeStatus {
  readonly state: 'synced' | 'pending' | 'nacked';
  /** The proxy has asked for the type on this stream. */
  readonly subscribed: boolean;
  /**
   * Of what the proxy has, on this stream or from an earlier one; empty where it hasn't asked for
   * the type, or where what it has isn't known yet.
   */
  readonly version: string;
  /** Envoy's own words, where the newest content was rejected. */
  readonly error?: string;
  /** `file:line:column` of what was rejected. */
  readonly source?: string;
}

export type TypeName = keyof typeof DISCOVERY_TYPES;

export interface ProxyStatus {
  readonly node: string;
  readonly service: string;
  /** The mesh has its service. */
  readonly declared: boolean;
  readonly address: string;
  /** RFC 3339. */
  readonly connectedAt: string;
  /**
   * `unbound`: it lacks only listeners that it can't bind. `held`: it keeps the mesh that its kind
   * last took, since another of its kind rejected the newest.
   */
  readonly state: ProxyState;
  /** The node that rejected what this one is not sent therefore; null: none did. */
  readonly heldBy: string | null;
  /** A static Envoy takes secrets alone: its listeners and clusters are its own. */
  readonly secretsOnly: boolean;
  /** Of a static Envoy only `sds`, of all its streams. */
  readonly types: Readonly<Partial<Record<TypeName, TypeStatus>>>;
  /** Listeners whose address it can't bind; its others serve. */
  readonly unbound: readonly UnboundStatus[];
  /** Ports whose application its checks find unwell, as it reports. */
  readonly unwell: readonly UnwellStatus[];
  /** What it reports of itself. */
  readonly statistics: StatisticsStatus;
  readonly certificate: {
    readonly serial: string;
    readonly spiffeId: string;
    /** RFC 3339. */
    readonly notAfter: string;
  } | null;
  /** By which it joined; null: by something else than a token of ours. */
  readonly token: {
    readonly id: string;
    /** RFC 3339; its key's end where that is earlier. */
    readonly endsAt: string;
  } | null;
  /** What fails first of it, if the server stopped now. */
  readonly horizon: Pick<HorizonStatus, 'at' | 'what'> | null;
}

export interface ProxyStatusInput {
  readonly mesh: Mesh;
  readonly horizon: Horizon;
  readonly keyEndMs: (keyId: string) => number | undefined;
  readonly unwellOf: UnwellOf;
}

export function toProxyStatus(
  member: MemberView,
  { mesh, horizon, keyEndMs, unwellOf }: ProxyStatusInput,
): ProxyStatus {
  const { stream, leaf, state } = member;
  const { node, service, address, credential } = stream.auth;
  return {
    node,
    service,
    declared: findDeclared(mesh, service) !== undefined,
    address,
    connectedAt: toRfc3339(stream.connectedAtMs),
    state,
    heldBy: member.hold?.isRejected === true ? member.hold.canary : null,
    secretsOnly: stream.auth.isStatic === true,
    types: stream.auth.isStatic ? { sds: toSecretsStatus(member) } : toTypes(member),
    unbound: toUnboundStatuses(member),
    unwell: toUnwellStatuses(unwellOf(stream.auth)),
    statistics: toStatisticsStatus(member.statistics),
    certificate:
      leaf === undefined
        ? null
        : {
            serial: leaf.serialHex,
            spiffeId: leaf.spiffeId,
            notAfter: toRfc3339(leaf.notAfterMs),
          },
    token:
      credential.kind === 'token'
        ? { id: credential.id, endsAt: toRfc3339(toTokenEndMs(credential, keyEndMs)) }
        : null,
    horizon: toProxyHorizon(horizon, node),
  };
}

function toTypes({ reports, snapshot, state, troubles }: MemberView): ProxyStatus['types'] {
  const standings = new Map(reports.map((report) => [report.typeUrl, report.standing]));
  const names = Object.keys(DISCOVERY_TYPES) as TypeName[];
  const types = Object.fromEntries(
    names.map((name) => {
      const typeUrl = DISCOVERY_TYPES[name];
      const hasContent = (snapshot?.get(typeUrl)?.resources.size ?? 0) > 0;
      const lacks = hasContent && state !== 'synced';
      return [name, toTypeStatus(standings.get(typeUrl) ?? { state: 'absent' }, lacks)];
    }),
  ) as Record<TypeName, TypeStatus>;
  if (troubles.length > 0 && types.lds.state !== 'nacked') {
    types.lds = { ...types.lds, state: 'nacked', error: troubles.join('; ') };
  }
  return types;
}

/** What Envoy rejected, and what it asks for in vain or can't be given. */
function toSecretsStatus({ reports, state, troubles }: MemberView): TypeStatus {
  const all = reports.map(({ standing }) => toTypeStatus(standing, false));
  const nacked = all.find((one) => one.state === 'nacked');
  const versions = new Set(all.map(({ version }) => version).filter((text) => text !== ''));
  const joined = { subscribed: all.length > 0, version: [...versions].sort().join(',') };
  if (nacked !== undefined) return { ...nacked, ...joined };
  if (troubles.length > 0) return { ...joined, state: 'nacked', error: troubles.join('; ') };
  return { ...joined, state: state === 'synced' ? 'synced' : 'pending' };
}

/** @param lacks There is something of this type that the sidecar needs and hasn't asked for yet. */
function toTypeStatus(standing: Standing, lacks: boolean): TypeStatus {
  if (standing.state === 'absent') {
    return { state: lacks ? 'pending' : 'synced', subscribed: false, version: '' };
  }
  const { state, version = '' } = standing;
  const subscribed = true;
  if (state !== 'nacked') return { state, subscribed, version };
  const { message, resources } = standing.rejection;
  const source = toSources(resources);
  const nacked = { state, subscribed, version, error: message };
  return source === '' ? nacked : { ...nacked, source };
}
