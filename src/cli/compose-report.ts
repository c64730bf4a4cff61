// What `countersign compose` tells: what became of each service, what to do about those that were
// left out, and how the result is started.
import type { MeshPlan, PlannedService } from '../compose/plan/index.js';
import type { Wiring } from '../compose/write/index.js';
import { toTable } from '../terminal/index.js';
import type { ComposeFile, ComposeResult } from './compose-files.js';
import { count } from './problems.js';
import { quote } from './shell.js';

export interface ComposeReport {
  readonly plan: MeshPlan;
  readonly readBy: string;
  /** Undefined: nothing could be meshed. */
  readonly wiring: Wiring | undefined;
  readonly result: ComposeResult | undefined;
  readonly isDry: boolean;
  /** Commands that let the server's container read mesh.yaml. */
  readonly unreadable: readonly string[];
  /** Between `docker compose` and its files: `-p shop`. */
  readonly flags: readonly string[];
}

export function toReportLines(report: ComposeReport): string[] {
  const { plan, readBy, result } = report;
  const { services, leftOut } = plan;
  const total = count(services.length + leftOut.length, 'service');
  return [
    `${plan.project}: ${total}, read by ${readBy}`,
    ...section('meshed', toTable(services.map(toRow))),
    ...section(
      'left out',
      leftOut.flatMap(({ compose, reason, hint }) => [`${compose}: ${reason}`, `  ${hint}`]),
    ),
    ...section('to know', toRemarks(report)),
    '',
    ...(result === undefined
      ? ['nothing was written: no service can be meshed']
      : toOutcome(report, result)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function toRow({ compose, shape, ports, published, isJob, replicas }: PlannedService): string[] {
  const said = ports.map(({ number, protocol }) => `${number} ${protocol}`).join(', ');
  const places = published
    .map(({ hostIp, published: port, target }) =>
      [hostIp, port ?? 'any', target].filter(Boolean).join(':'),
    )
    .join(', ');
  const notes = [
    ...(places === '' ? [] : [`published ${places}`]),
    ...(isJob ? ['a job'] : []),
    ...(replicas > 1 ? [`${replicas} replicas`] : []),
  ];
  return [compose, shape, said === '' ? 'only calls' : said, notes.join('; ')];
}

function toRemarks({ plan, wiring, result, unreadable }: ComposeReport): string[] {
  const others = result?.mesh.others ?? [];
  return [
    ...plan.remarks,
    ...plan.services.flatMap(({ compose, remarks }) =>
      remarks.map((text) => `${compose}: ${text}`),
    ),
    ...(wiring?.remarks ?? []),
    ...(result?.mesh.differences ?? []),
    ...(others.length === 0
      ? []
      : [`mesh.yaml has services that the compose file hasn't: ${others.join(', ')}`]),
    ...(unreadable.length === 0
      ? []
      : [`the server runs as user 10001 and can't read mesh.yaml: ${unreadable.join(' && ')}`]),
  ];
}

function toOutcome(report: ComposeReport, { mesh, override, started }: ComposeResult): string[] {
  const { isDry, flags } = report;
  const added = mesh.state === 'changed' ? `: added ${mesh.added.join(', ')}` : '';
  const files = started.map((file) => `-f ${quote(file)}`);
  return [
    `${toVerb(mesh, isDry)} ${mesh.path}${added}`,
    `${toVerb(override, isDry)} ${override.path}`,
    ...(isDry ? ['nothing was written (--dry-run)'] : []),
    `start: docker compose ${[...flags, ...files].join(' ')} up -d`,
    `or, once for all, in .env: COMPOSE_FILE=${started.join(':')}`,
  ];
}

function toVerb({ state }: ComposeFile, isDry: boolean): string {
  if (state === 'same') return 'unchanged:';
  const verb = state === 'new' ? ['wrote', 'would write'] : ['changed', 'would change'];
  return verb[isDry ? 1 : 0] ?? '';
}

/** The same for programs. */
export function toReportJson(report: ComposeReport): unknown {
  const { plan, readBy, result, isDry, flags } = report;
  return {
    project: plan.project,
    readBy,
    services: plan.services.map(({ compose, name, shape, ports, published, calls, isJob }) => ({
      compose,
      name,
      shape,
      ports,
      published: published.map(({ raw }) => raw),
      calls,
      isJob,
    })),
    leftOut: plan.leftOut.map(({ compose, reason, hint }) => ({ compose, reason, hint })),
    remarks: toRemarks(report),
    written: isDry || result === undefined ? [] : writtenOf(result),
    mesh: result === undefined ? null : fileJson(result.mesh, isDry),
    override: result === undefined ? null : fileJson(result.override, isDry),
    start:
      result === undefined
        ? null
        : ['docker', 'compose', ...flags, ...fileFlags(result), 'up', '-d'],
  };
}

function writtenOf({ mesh, override }: ComposeResult): string[] {
  return [mesh, override].filter(({ state }) => state !== 'same').map(({ path }) => path);
}

function fileJson({ path, state, text }: ComposeFile, isDry: boolean): unknown {
  return { path, state, ...(isDry ? { text } : {}) };
}

function fileFlags({ started }: ComposeResult): string[] {
  return started.flatMap((file) => ['-f', file]);
}
