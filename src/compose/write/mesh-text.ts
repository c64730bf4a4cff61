// What mesh.yaml says of each service, as lines: of a file that is new, and for one that lacks it.
import type { LeftOut, PlannedPort, PlannedService } from '../plan/index.js';
import type { ServiceWiring, Wiring } from './wiring.js';
import { indent, remark, word } from './yaml-words.js';

/** A service as mesh.yaml is to have it. */
export interface MeshEntry {
  readonly name: string;
  readonly compose: string;
  /** Of its own, above it; without `#`. */
  readonly remarks: readonly string[];
  readonly isMeshed: boolean;
  /** The kernel leads to its sidecar whatever arrives. */
  readonly isCaptured: boolean;
  /** Without a sidecar: where it is. */
  readonly endpoints: readonly string[];
  readonly ports: readonly MeshEntryPort[];
}

export interface MeshEntryPort {
  readonly number: number;
  readonly protocol: string;
  readonly target: string | undefined;
  readonly remarks: readonly string[];
}

/** In the order of the compose file; those without sidecar last. */
export function toEntries({ plan, services, leftOut }: Wiring): MeshEntry[] {
  const callers = new Map<string, string[]>();
  for (const { name, calls } of plan.services) {
    for (const { callee, evidence } of calls) {
      if (evidence !== undefined) callers.set(callee, [...(callers.get(callee) ?? []), name]);
    }
  }
  return [
    ...services.map((one) => toMeshed(one, callers.get(one.service.compose) ?? [])),
    ...leftOut.flatMap(({ leftOut: one, alias }) =>
      alias === undefined || one.name === undefined ? [] : [toPlain(one, one.name, alias)],
    ),
  ];
}

function toMeshed(
  { service, application, holder }: ServiceWiring,
  callers: readonly string[],
): MeshEntry {
  const { name, compose, ports } = service;
  return {
    name,
    compose,
    remarks: ports.length === 0 ? ['It only calls.'] : toCallerRemarks(callers),
    isMeshed: true,
    isCaptured: holder !== undefined,
    endpoints: [],
    ports: ports.map((port) => ({
      number: port.number,
      protocol: port.protocol,
      target: holder === undefined ? `${application}:${port.number}` : undefined,
      remarks: [port.evidence, ...toPublishedRemarks(service, port)],
    })),
  };
}

function toCallerRemarks(callers: readonly string[]): string[] {
  if (callers.length === 0) return [];
  const names = callers.map(word).join(', ');
  return [`Called by ${callers.join(', ')}; to close it to others: allow: [{ from: [${names}] }]`];
}

function toPublishedRemarks({ published }: PlannedService, { number }: PlannedPort): string[] {
  const places = published
    .filter(({ target }) => target === number)
    .map(({ published: port, hostIp }) =>
      [hostIp, port].filter((part) => part !== undefined && part !== '').join(':'),
    );
  if (places.length === 0) return [];
  const where = places.every((place) => place === '') ? '' : ` at ${places.join(', ')}`;
  return [
    `published${where}: who comes from outside has no identity; strict refuses them`,
    'unless this port has mtls: permissive of its own',
  ];
}

function toPlain(leftOut: LeftOut, name: string, alias: string): MeshEntry {
  return {
    name,
    compose: leftOut.compose,
    remarks: [`Without a sidecar (${leftOut.reason}): called in plain text.`],
    isMeshed: false,
    isCaptured: false,
    endpoints: [alias],
    ports: leftOut.ports.map(({ number, protocol, evidence }) => ({
      number,
      protocol,
      target: undefined,
      remarks: [evidence],
    })),
  };
}

/** With comments, from column 0. */
export function serviceLines(entry: MeshEntry): string[] {
  const { name, ports, remarks } = entry;
  const comments = remarks.map(remark);
  const lines = [
    ...settings(entry),
    ...(ports.length === 0 ? [] : ['ports:', ...indent(ports.flatMap(portLines), 2)]),
  ];
  if (lines.length === 0) return [...comments, `${word(name)}: {}`];
  return [...comments, `${word(name)}:`, ...indent(lines, 2)];
}

/** All but its ports, a line each, which may stand in flow style too. */
export function settings({ isMeshed, isCaptured, endpoints }: MeshEntry): string[] {
  const where = endpoints.map(word).join(', ');
  if (!isMeshed) return ['sidecar: false', 'mtls: disable', `endpoints: [${where}]`];
  return isCaptured ? ['capture: { inbound: transparent, undeclared: refuse }'] : [];
}

export function portLines(port: MeshEntryPort): string[] {
  return [...port.remarks.map(remark), `${port.number}: ${portValue(port)}`];
}

/** In flow style, which is good anywhere. */
export function portValue({ protocol, target }: MeshEntryPort): string {
  return target === undefined ? protocol : `{ protocol: ${protocol}, target: "${target}" }`;
}

/** A whole file. */
export function newMeshText({ plan }: Wiring, entries: readonly MeshEntry[]): string {
  const lines = [
    `# The mesh of the compose project ${plan.project}: who may talk to whom, and how strictly.`,
    '# `countersign compose` began it, and it is yours: another run adds what is missing, and',
    '# changes nothing that stands here. The server reads it again whenever it changes.',
    '',
    '# The first part of every identity, spiffe://<trustDomain>/ns/default/sa/<service>: choose it',
    '# once.',
    `trustDomain: ${word(plan.trustDomain)}`,
    '',
    '# permissive: sidecars speak mutual TLS with each other, and plain text is accepted from',
    '# whoever has no sidecar. strict: plain text is refused.',
    'mtls: permissive',
    '',
    '# Any service may call any other that it shares a network with, as before: a compose file',
    "# doesn't say who calls whom. deny: only those that an `allow` list names.",
    'access: allow',
    '',
    'services:',
    ...entries.flatMap((entry, index) => [
      ...(index === 0 ? [] : ['']),
      ...indent(serviceLines(entry), 2),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}
