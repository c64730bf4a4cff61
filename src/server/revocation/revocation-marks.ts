// Which open connections a revocation is to end. When it is first seen, the ports that its identity
// may call get a new mark (a changed filter chain, which Envoy drains), and, where a node is shut
// out, the ports of its service at their callers. A mark is stored before it is published and stays
// when the revocation is taken back or the access rules change: else that would cut connections
// again, for nothing. Pure; `revocations.ts` stores.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { findService, type Mesh, mayPass, type Port } from '../../policy/index.js';
import type { Revocation } from '../../revocation/index.js';
import { toRevocationId } from '../../revocation/index.js';
import { splitNodeText } from '../../spiffe/index.js';
import { toClusterName } from '../../translate/index.js';
import { toRevokedSpiffeIds } from './revoked-identity.js';

export const marksSchema = z.strictObject({
  /** Revocations in force whose marks are made. */
  seen: z.array(z.string()),
  /** By a service's port. */
  inbound: z.record(z.string(), z.string()),
  outbound: z.record(z.string(), z.string()),
});

export type Marks = z.infer<typeof marksSchema>;

export const NO_MARKS: Marks = { seen: [], inbound: {}, outbound: {} };

export interface MarksInput {
  readonly revocations: Iterable<Revocation>;
  /** The service of a revoked serial; undefined: not known, so whose connections to end isn't. */
  readonly serviceOf: (serialHex: string) => string | undefined;
  /** Meshes that may be in force. */
  readonly meshes: readonly Mesh[];
}

/** The marks with those of new revocations; the same object where there is none. */
export function nextMarks(before: Marks, { revocations, serviceOf, meshes }: MarksInput): Marks {
  const all = [...revocations].map((one) => ({ one, id: toRevocationId(one) }));
  const seen = new Set(before.seen);
  const fresh = all.filter(({ id }) => !seen.has(id));
  if (fresh.length === 0 && all.length === before.seen.length) return before;
  const inbound = { ...before.inbound };
  const outbound = { ...before.outbound };
  for (const { one, id } of fresh) {
    const service = toService(one, serviceOf);
    if (service === undefined) continue;
    for (const port of toCalledPorts(service, meshes)) inbound[port] = toMark(inbound[port], id);
    if (one.kind !== 'instance') continue;
    for (const port of toOwnPorts(service, meshes)) outbound[port] = toMark(outbound[port], id);
  }
  const ids = all.map(({ id }) => id).sort();
  return { seen: ids, inbound: toSorted(inbound), outbound: toSorted(outbound) };
}

/** A token's streams end by themselves; what they got is revoked by its own kind. */
function toService(
  { kind, subject }: Revocation,
  serviceOf: MarksInput['serviceOf'],
): string | undefined {
  switch (kind) {
    case 'service':
      return subject;
    case 'instance':
      return splitNodeText(subject).service;
    case 'serial':
      return serviceOf(subject);
    case 'token':
      return undefined;
  }
}

/** Ports that serve this service's identity: by the mesh port those with mode DISABLE do too. */
function toCalledPorts(service: string, meshes: readonly Mesh[]): ReadonlySet<string> {
  const ports = meshes.flatMap((mesh) => {
    const { trustDomain } = mesh;
    const whos = toRevokedSpiffeIds(mesh, service).map((spiffeId) => ({ spiffeId, trustDomain }));
    return [...mesh.services.values()].flatMap((callee) =>
      callee.ports
        .filter((port) =>
          toForms(port).some(({ access }) => whos.some((who) => mayPass(access, who))),
        )
        .map((port) => toClusterName(callee, port)),
    );
  });
  return new Set(ports);
}

/** That may decide on it. */
function toForms(port: Port): readonly Port[] {
  const { tls, plain } = port.between ?? {};
  return [port, ...(tls === undefined ? [] : [tls]), ...(plain === undefined ? [] : [plain])];
}

function toOwnPorts(service: string, meshes: readonly Mesh[]): ReadonlySet<string> {
  const ports = meshes.flatMap((mesh) => {
    const found = findService(mesh, service);
    return found?.ports.map((port) => toClusterName(found, port)) ?? [];
  });
  return new Set(ports);
}

const MARK_LENGTH = 16;

function toMark(before: string | undefined, id: string): string {
  return createHash('sha256')
    .update(`${before ?? ''}\n${id}`)
    .digest('hex')
    .slice(0, MARK_LENGTH);
}

function toSorted(marks: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(marks).sort(([a], [b]) => (a < b ? -1 : 1)));
}
