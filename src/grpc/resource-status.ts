// What a stream knows of each resource that its peer has asked for, got or rejected: the state of
// the session seen resource by resource, for people and for CSDS.
import {
  EMPTY_SET,
  isUnderWay,
  type Rejection,
  type Resource,
  rejectionOf,
  type Snapshot,
  type TypeReport,
} from '../xds/index.js';
import type { AnswerTimes } from './answer-times.js';

export interface ResourceRejection {
  /** The peer's own words. */
  readonly message: string;
  /** What it rejected. */
  readonly resource: Resource;
  /** When the peer last rejected something of this type; milliseconds since the Unix epoch. */
  readonly atMs: number | undefined;
}

export interface ResourceStatus {
  readonly typeUrl: string;
  readonly name: string;
  /**
   * `requested`: asked for, and not taken yet. `does-not-exist`: asked for, and not in the
   * snapshot. `acked`: taken. `rejected`: its newest content was; an earlier one may be in force.
   */
  readonly state: 'requested' | 'does-not-exist' | 'acked' | 'rejected';
  /**
   * Whether the peer has just what the snapshot says, something else, or hasn't been sent
   * anything.
   */
  readonly delivery: 'synced' | 'stale' | 'not-sent' | 'rejected';
  /** Of what the peer has taken; empty where it has taken nothing. */
  readonly version: string;
  /** What the peer has taken; undefined where it took it on an earlier stream. */
  readonly resource: Resource | undefined;
  /**
   * When the peer took what it has, milliseconds since the Unix epoch; undefined where it has
   * nothing, or has it from an earlier stream.
   */
  readonly ackedAtMs: number | undefined;
  readonly rejection: ResourceRejection | undefined;
}

export interface StatusInput {
  readonly reports: readonly TypeReport[];
  readonly snapshot: Snapshot | undefined;
  readonly times: ReadonlyMap<string, AnswerTimes>;
}

/** One entry a resource, in the order of types, then by name. */
export function toResourceStatuses(input: StatusInput): readonly ResourceStatus[] {
  return input.reports.flatMap((report) =>
    namesOf(report, input.snapshot).map((name) => toStatus(name, report, input)),
  );
}

/** Every name that the peer asked for, has taken or rejected. */
function namesOf(report: TypeReport, snapshot: Snapshot | undefined): readonly string[] {
  const names = new Set([...report.names, ...report.acked.keys()]);
  for (const { name } of rejectionOf(report)?.resources ?? []) names.add(name);
  const set = report.wildcard ? snapshot?.get(report.typeUrl) : undefined;
  for (const name of set?.resources.keys() ?? []) names.add(name);
  return [...names].sort();
}

function toStatus(
  name: string,
  report: TypeReport,
  { snapshot, times }: StatusInput,
): ResourceStatus {
  const { typeUrl } = report;
  const acked = report.acked.get(name);
  const wanted = (snapshot?.get(typeUrl) ?? EMPTY_SET).resources.get(name);
  const known = times.get(typeUrl);
  const rejected = rejectedResource(name, rejectionOf(report), acked?.version);
  const common = {
    typeUrl,
    name,
    version: acked?.version ?? '',
    resource: acked !== undefined && 'value' in acked ? (acked as Resource) : undefined,
    ackedAtMs: acked && known?.takenAtMs(name),
    rejection: undefined,
  };
  if (rejected !== undefined) {
    const { message } = rejected.rejection;
    const rejection = { message, resource: rejected.resource, atMs: known?.rejectedAtMs };
    return { ...common, state: 'rejected', delivery: 'rejected', rejection };
  }
  if (acked !== undefined) {
    const synced = acked.version === wanted?.version;
    return { ...common, state: 'acked', delivery: synced ? 'synced' : 'stale' };
  }
  if (wanted === undefined && snapshot !== undefined) {
    return { ...common, state: 'does-not-exist', delivery: 'not-sent' };
  }
  const sent = wanted !== undefined && isUnderWay(report) && report.sentVersion !== undefined;
  return { ...common, state: 'requested', delivery: sent ? 'stale' : 'not-sent' };
}

function rejectedResource(
  name: string,
  rejection: Rejection | undefined,
  ackedVersion: string | undefined,
): { rejection: Rejection; resource: Resource } | undefined {
  const resource = rejection?.resources.find((one) => one.name === name);
  if (rejection === undefined || resource === undefined) return undefined;
  return resource.version === ackedVersion ? undefined : { rejection, resource };
}
