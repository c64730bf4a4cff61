// `status` for people: what is in force, what runs, and a table of proxies with what each one
// rejected.
import type { ProxyStatus, ServerStatus, TypeStatus } from '../server/index.js';
import { count, formatProblemJson } from './problems.js';
import { toTable } from './table.js';

/** The order in which Envoy meets them; secrets last, as `render` has it. */
const TYPES = ['lds', 'cds', 'eds', 'rds', 'ecds', 'sds'] as const;

/** `nowMs`: for ages and times left. */
export function toStatusLines({ mesh, phase, proxies }: ServerStatus, nowMs: number): string[] {
  const errors = mesh.problems.filter(({ severity }) => severity === 'error');
  const age = toAge(mesh.loadedAt, nowMs);
  const lines = [`mesh ${mesh.version}, read ${age} ago; ${count(proxies.length, 'proxy')}`];
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
  if (proxies.length === 0) return lines;
  const heading = ['PROXY', 'ADDRESS', ...TYPES.map((type) => type.toUpperCase()), 'CERTIFICATE'];
  const rows = proxies.map((proxy) => toRow(proxy, nowMs));
  return [...lines, '', ...toTable([heading, ...rows]), ...toRejections(proxies)];
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

function toAge(rfc3339: string, nowMs: number): string {
  return toSpan(nowMs - Date.parse(rfc3339));
}

function toTimeLeft(rfc3339: string, nowMs: number): string {
  const leftMs = Date.parse(rfc3339) - nowMs;
  return leftMs <= 0 ? `ENDED ${toSpan(-leftMs)} ago` : `ends in ${toSpan(leftMs)}`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
] as const;

/** The largest unit of which there are two or more: `36h`, `90m`, `15s`. */
function toSpan(ms: number): string {
  const [unit, size] = UNITS.find(([, one]) => ms >= 2 * one) ?? ['s', 1_000];
  return `${Math.max(0, Math.floor(ms / size))}${unit}`;
}
