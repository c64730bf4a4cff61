// `status` for people: what is in force, what is under way, who is missing, and a table of sidecars
// with what each one rejected.
import { MINUTE_MS, SECOND_MS, toSpan } from '../base/index.js';
import type {
  GoneStatus,
  PendingEditStatus,
  ProxyStatus,
  ServerStatus,
} from '../server/status/index.js';
import { toTable } from '../terminal/index.js';
import { toHeldLines } from './held-text.js';
import { toHorizonLines } from './horizon-text.js';
import { count, formatProblemJson } from './problems.js';
import { toRefusedLines } from './refused-text.js';
import { toSilentLines, toStatisticsLines } from './statistics-text.js';
import { toStepLines } from './step-text.js';
import { toAge, toTimeLeft } from './time-text.js';
import { toUnboundLines } from './unbound-text.js';
import { toUnwellLines } from './unwell-text.js';

/** The order in which Envoy meets them; secrets last, as `render` has it. */
const TYPES = ['lds', 'cds', 'eds', 'rds', 'ecds', 'sds'] as const;
/** So many are shown of who is gone and of what is missing; `--json` has them all. */
const SHOWN = 20;

/** `ownNowMs`: by this machine's clock; ages and times left are by the server's. */
export function toStatusLines(status: ServerStatus, ownNowMs: number): string[] {
  const { revocations, rootChange } = status;
  const nowMs = Date.parse(status.now);
  const lines = toMeshLines(status, nowMs);
  lines.push(...toStepLines(status, nowMs));
  lines.push(...toRootLines(rootChange, nowMs));
  lines.push(...toClockLines(nowMs, ownNowMs), ...toHorizonLines(status, nowMs));
  for (const { kind, subject, revokedAt, proxies: done } of revocations) {
    const where = `in force on ${done.inForce} of ${count(done.of, 'proxy')}`;
    lines.push(`revoked ${kind} ${subject}, ${toAge(revokedAt, nowMs)} ago: ${where}`);
  }
  return [
    ...lines,
    ...toDrainLines(status, nowMs),
    ...toRemovalLines(status, nowMs),
    ...toHeldLines(status.proxies),
    ...toMissingLines(status),
    ...toSilentLines(status.proxies, nowMs),
    ...toProxyLines(status, nowMs),
    ...toGoneLines(status.gone, nowMs),
    ...toRefusedLines(status.refused, nowMs),
  ];
}

/** Since when each proxy is waited for, which is not since when the stage runs. */
function toRootLines(change: ServerStatus['rootChange'], nowMs: number): string[] {
  if (change === null) return [];
  const { name, since, waitingFor, nodes } = change;
  const all = nodes.map((one) => `${one.node} (${toAge(one.since, nowMs)})`);
  const more = all.length > SHOWN ? [`${all.length - SHOWN} more`] : [];
  const who = all.length === 0 ? waitingFor : [...all.slice(0, SHOWN), ...more];
  const waits = who.length === 0 ? '' : `, waits for ${who.join(', ')}`;
  return [`phase ${name}, for ${toAge(since, nowMs)}${waits}`];
}

function toMeshLines({ mesh, summary }: ServerStatus, nowMs: number): string[] {
  const { proxies, synced } = summary;
  const errors = mesh.problems.filter(({ severity }) => severity === 'error');
  const age = toAge(mesh.loadedAt, nowMs);
  const who =
    proxies === 0 ? 'no proxy is connected' : `${synced} of ${count(proxies, 'proxy')} synced`;
  const first = `mesh ${mesh.version}, read ${age} ago; ${who}`;
  const lines = [first];
  if (mesh.pendingEdit !== undefined) lines.push(toPendingEditLine(mesh.pendingEdit, nowMs));
  if (errors.length === 0) return lines;
  const found = `the mesh file has ${count(errors.length, 'error')}`;
  return [...lines, `${found}; the mesh above stays in force:`, ...errors.map(formatProblemJson)];
}

/** Two clocks that differ by more than this, the answer's way included, don't agree. */
const CLOCKS_AGREE_MS = MINUTE_MS;

function toClockLines(nowMs: number, ownNowMs: number): string[] {
  const aheadMs = nowMs - ownNowMs;
  if (Math.abs(aheadMs) <= CLOCKS_AGREE_MS) return [];
  const how = `${toSpan(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
  return [`warning: the server's clock is ${how} this machine's: one of them is wrong`];
}

function toMissingLines({ services }: ServerStatus): string[] {
  const missing = services.filter(({ expected, connected }) => expected && connected === 0);
  if (missing.length === 0) return [];
  const names = missing.slice(0, SHOWN).map(({ service }) => service);
  const more = missing.length - names.length;
  const rest = more > 0 ? `, and ${more} more: see --json` : '';
  return [`no sidecar is connected of ${names.join(', ')}${rest}`];
}

function toProxyLines({ proxies }: ServerStatus, nowMs: number): string[] {
  if (proxies.length === 0) return [];
  const types = TYPES.map((type) => type.toUpperCase());
  const heading = ['PROXY', 'ADDRESS', ...types, 'CERTIFICATE', 'TOKEN'];
  const rows = proxies.map((proxy) => toRow(proxy, nowMs));
  return ['', ...toTable([heading, ...rows]), ...toRejections(proxies, nowMs)];
}

/** Why an edit isn't in force yet, for people. */
export function toPendingEditLine({ since, stillMs }: PendingEditStatus, nowMs: number): string {
  const seconds = `${stillMs / SECOND_MS} s`;
  const changed = `the mesh file was changed in place ${toAge(since, nowMs)} ago`;
  return `${changed} and is taken once it has stood still for ${seconds}`;
}

/** A server of an earlier version knows of none. */
function toDrainLines({ drains = [] }: Partial<ServerStatus>, nowMs: number): string[] {
  return drains.map(({ node, since, stage, waitingFor }) => {
    const began = `since ${toAge(since, nowMs)}`;
    if (stage === 'done') return `drained ${node}, ${began}: it takes no new connections`;
    const who = waitingFor.length === 0 ? '' : `, waits for ${waitingFor.join(', ')}`;
    return `draining ${node}, ${began}: ${DRAIN_STAGES[stage]}${who}`;
  });
}

/** A server of an earlier version knows of none. */
function toRemovalLines({ removed = [] }: Partial<ServerStatus>, nowMs: number): string[] {
  return removed
    .filter(({ nodes }) => nodes.length > 0)
    .map(({ service, endsAt, nodes }) => {
      const how = endsAt === null ? 'its callers leave' : `draining ${toTimeLeft(endsAt, nowMs)}`;
      const named = nodes.slice(0, SHOWN).join(', ');
      const more = nodes.length > SHOWN ? `, and ${nodes.length - SHOWN} more` : '';
      return `removed ${service}: ${how}, connected: ${named}${more}`;
    });
}

const DRAIN_STAGES = {
  callers: 'callers go over to others',
  settling: 'callers have gone over',
  inbound: 'its listeners are withdrawn',
} as const;

function toRow(proxy: ProxyStatus, nowMs: number): string[] {
  const { node, address, certificate, token } = proxy;
  const left = certificate === null ? 'none' : toTimeLeft(certificate.notAfter, nowMs);
  const joinedBy = token === null ? '-' : toTimeLeft(token.endsAt, nowMs);
  return [node, address, ...TYPES.map((type) => toState(proxy, type)), left, joinedBy];
}

function toState(proxy: ProxyStatus, type: (typeof TYPES)[number]): string {
  const found = proxy.types[type];
  if (found === undefined) return '-';
  const { state, subscribed } = found;
  if (state === 'synced' && !subscribed) return '-';
  if (state !== 'nacked') return state;
  return type === 'lds' && isUnbound(proxy) ? 'unbound' : 'NACKED';
}

/** All that it rejects are addresses that it can't bind. */
function isUnbound({ state, unbound = [] }: Partial<ProxyStatus>): boolean {
  return state === 'unbound' && unbound.length > 0;
}

function toRejections(proxies: readonly ProxyStatus[], nowMs: number): string[] {
  const lines = proxies.flatMap((proxy) => {
    const { node, types, unbound, unwell } = proxy;
    const rejected = TYPES.flatMap((type) => {
      const { error, source } = types[type] ?? {};
      // What it can't bind has lines of its own.
      if (error === undefined || (type === 'lds' && isUnbound(proxy))) return [];
      const place = source === undefined ? '' : `${source} `;
      return [`${place}${node} rejects ${type}: ${error}`];
    });
    return [
      // A server of an earlier version knows of none.
      ...(proxy.secretsOnly ? [`${node} takes secrets only`] : []),
      ...rejected,
      ...toUnboundLines(node, unbound, nowMs),
      ...toUnwellLines(node, unwell, nowMs),
      ...toStatisticsLines(proxy, nowMs),
    ];
  });
  return lines.length === 0 ? [] : ['', ...lines];
}

function toGoneLines(gone: readonly GoneStatus[], nowMs: number): string[] {
  if (gone.length === 0) return [];
  const lines = gone.slice(0, SHOWN).map(({ node, address, since, missedAtStart }) => {
    const age = toAge(since, nowMs);
    const when = missedAtStart ? `not back since the server started ${age} ago` : `left ${age} ago`;
    return `${node} at ${address}, ${when}`;
  });
  const more = gone.length - lines.length;
  return ['', 'gone:', ...lines, ...(more > 0 ? [`and ${more} more: see --json`] : [])];
}
