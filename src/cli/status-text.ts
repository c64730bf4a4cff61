// `status` for people: what is in force, what is under way, and a table of sidecars with what each
// one rejected.
import { SECOND_MS } from '../base/index.js';
import type {
  PendingEditStatus,
  ProxyStatus,
  RefusalStatus,
  ServerStatus,
  TypeStatus,
} from '../server/status/index.js';
import { toTable } from '../terminal/index.js';
import { toHorizonLines } from './horizon-text.js';
import { count, formatProblemJson } from './problems.js';
import { toAge, toTimeLeft } from './time-text.js';

/** The order in which Envoy meets them; secrets last, as `render` has it. */
const TYPES = ['lds', 'cds', 'eds', 'rds', 'ecds', 'sds'] as const;

/** `nowMs`: for ages and times left. */
export function toStatusLines(status: ServerStatus, nowMs: number): string[] {
  const { mesh, phase, proxies, revocations } = status;
  const refused = toRefused(status.refused, nowMs);
  const errors = mesh.problems.filter(({ severity }) => severity === 'error');
  const age = toAge(mesh.loadedAt, nowMs);
  const lines = [`mesh ${mesh.version}, read ${age} ago; ${count(proxies.length, 'proxy')}`];
  if (mesh.pendingEdit !== undefined) lines.push(toPendingEditLine(mesh.pendingEdit, nowMs));
  if (errors.length > 0) {
    lines.push(
      `the mesh file has ${count(errors.length, 'error')}; the mesh above stays in force:`,
    );
    lines.push(...errors.map(formatProblemJson));
  }
  if (phase !== null) {
    const who = phase.waitingFor.length === 0 ? '' : `, waits for ${phase.waitingFor.join(', ')}`;
    lines.push(`phase ${phase.name}${who}`);
  }
  lines.push(...toHorizonLines(status, nowMs));
  for (const { kind, subject, revokedAt, proxies: done } of revocations) {
    const where = `in force on ${done.inForce} of ${count(done.of, 'proxy')}`;
    lines.push(`revoked ${kind} ${subject}, ${toAge(revokedAt, nowMs)} ago: ${where}`);
  }
  if (proxies.length === 0) return [...lines, ...refused];
  const heading = ['PROXY', 'ADDRESS', ...TYPES.map((type) => type.toUpperCase()), 'CERTIFICATE'];
  const rows = proxies.map((proxy) => toRow(proxy, nowMs));
  return [...lines, '', ...toTable([heading, ...rows]), ...toRejections(proxies), ...refused];
}

/** Why an edit isn't in force yet, for people. */
export function toPendingEditLine({ since, stillMs }: PendingEditStatus, nowMs: number): string {
  const seconds = `${stillMs / SECOND_MS} s`;
  const changed = `the mesh file was changed in place ${toAge(since, nowMs)} ago`;
  return `${changed} and is taken once it has stood still for ${seconds}`;
}

function toRow({ node, address, types, certificate }: ProxyStatus, nowMs: number): string[] {
  const left = certificate === null ? 'none' : toTimeLeft(certificate.notAfter, nowMs);
  return [node, address, ...TYPES.map((type) => toState(types[type])), left];
}

function toState(type: TypeStatus): string {
  if (type.state === 'synced' && type.version === '') return '-';
  return type.state === 'nacked' ? 'NACKED' : type.state;
}

function toRejections(proxies: readonly ProxyStatus[]): string[] {
  const lines = proxies.flatMap(({ node, types }) =>
    TYPES.flatMap((type) => {
      const { error, source } = types[type];
      if (error === undefined) return [];
      const place = source === undefined ? '' : `${source} `;
      return [`${place}${node} rejects ${type}: ${error}`];
    }),
  );
  return lines.length === 0 ? [] : ['', ...lines];
}

/** The newest ones; `--json` has them all. */
const REFUSED_SHOWN = 10;

function toRefused(refused: readonly RefusalStatus[], nowMs: number): string[] {
  if (refused.length === 0) return [];
  const shown = refused.slice(0, REFUSED_SHOWN).flatMap((refusal) => {
    const { peer, code, reason, hint, count: times, lastAt } = refusal;
    const often = `${count(times, 'time')}, last ${toAge(lastAt, nowMs)} ago`;
    const line = `${peer} ${code}, ${often}: ${reason}`;
    return hint === undefined ? [line] : [line, `  hint: ${hint}`];
  });
  const more = refused.length - REFUSED_SHOWN;
  const rest = more > 0 ? [`and ${more} more: see --json`] : [];
  return ['', 'refused:', ...shown, ...rest];
}
