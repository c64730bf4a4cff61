// Which open connections a change of rules is to end. Rules decide each request and each new
// connection; a WebSocket, a stream or a TCP connection that is open is asked nothing any more. So
// where an edit takes something away from somebody, the port's filter chains get a new mark, and
// Envoy drains those that differ (as for a revocation: revocation-marks.ts). A mark is stored with
// the step that it belongs to, before that is entered, and stays when the permission is given back:
// else that would cut connections again, for nothing. Pure; `tracks.ts` keeps them.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  compareAccess,
  type Mesh,
  mayPass,
  type Narrowing,
  type Port,
  type ServiceName,
} from '../../policy/index.js';
import { toClusterName, toForms } from '../../translate/index.js';

/** By a service's port. */
const marksSchema = z.record(z.string(), z.string());

type Marks = z.infer<typeof marksSchema>;

export const accessMarksSchema = z.object({
  /** Of connections with an identity. */
  identities: marksSchema,
  /** Of connections without. */
  plain: marksSchema,
});

export type AccessMarks = z.infer<typeof accessMarksSchema>;

export const NO_ACCESS_MARKS: AccessMarks = { identities: {}, plain: {} };

/** A port that changes its form. */
export interface FormChange {
  /** `payments/ledger:8080` */
  readonly name: string;
  /** Forms of which each may be in force on some sidecar that serves it. */
  readonly before: readonly Port[];
  readonly next: Port;
}

/** The marks once that form comes after those; the same object where nothing is taken away. */
export function nextAccessMarks(
  marks: AccessMarks,
  { name, before, next }: FormChange,
  mesh: Pick<Mesh, 'trustDomain' | 'version'>,
): AccessMarks {
  const loss = toLoss(before, next, mesh.trustDomain);
  if (!loss.identities && !loss.plain) return marks;
  const add = (to: Marks, isLost: boolean): Marks =>
    isLost ? { ...to, [name]: toMark(to[name], mesh) } : to;
  return {
    identities: add(marks.identities, loss.identities),
    plain: add(marks.plain, loss.plain),
  };
}

/** The marks once nobody takes an old identity of that service: what is open by it is to end. */
export function marksOfIdentity(marks: AccessMarks, service: ServiceName, mesh: Mesh): AccessMarks {
  const { trustDomain } = mesh;
  const spiffeId = mesh.services.get(service)?.spiffeId;
  const isCalled = (port: Port): boolean =>
    [toForms(port).tls, toForms(port).plain].some(
      (form) => form !== undefined && mayPass(form.access, { spiffeId, trustDomain }),
    );
  const called = [...toPorts(mesh)].filter(([, port]) => isCalled(port));
  const ended = called.map(([name]) => [name, toMark(marks.identities[name], mesh)] as const);
  return { ...marks, identities: { ...marks.identities, ...Object.fromEntries(ended) } };
}

/** Without those of ports that the mesh doesn't have; the same object where it has all. */
export function marksWithin(marks: AccessMarks, mesh: Mesh): AccessMarks {
  const ports = toPorts(mesh);
  const within = (all: Marks): Marks =>
    Object.fromEntries(Object.entries(all).filter(([name]) => ports.has(name)));
  const isAll = [marks.identities, marks.plain].every((all) =>
    Object.keys(all).every((name) => ports.has(name)),
  );
  if (isAll) return marks;
  return { identities: within(marks.identities), plain: within(marks.plain) };
}

function toPorts(mesh: Mesh): ReadonlyMap<string, Port> {
  const ports = [...mesh.services.values()].flatMap((service) =>
    service.ports.map((port): [string, Port] => [toClusterName(service, port), port]),
  );
  return new Map(ports);
}

function toLoss(olds: readonly Port[], port: Port, trustDomain: string): Narrowing {
  const next = toForms(port);
  const compare = (before: Port | undefined, after: Port | undefined, isPlainAfter = false) => {
    if (before === undefined || after === undefined) return NOTHING_LOST;
    if (!isPlainAfter && before.access === after.access) return NOTHING_LOST;
    return compareAccess({
      ...{ before: before.access, after: after.access, trustDomain, isPlainAfter },
      http: after.protocol !== 'tcp',
    });
  };
  const losses = olds.map(toForms).map((old): Narrowing => {
    // What has no chain any more ends with it; the mesh port's is always there.
    const { identities } =
      next.tls === undefined ? compare(old.tls, next.plain, true) : compare(old.tls, next.tls);
    return { identities, plain: compare(old.plain ?? old.tls, next.plain ?? next.tls).plain };
  });
  return {
    identities: losses.some((loss) => loss.identities),
    plain: losses.some((loss) => loss.plain),
  };
}

const NOTHING_LOST: Narrowing = { identities: false, plain: false };

/**
 * Where the marks are lost: nobody knows which connections were to be ended, so each port's are, as
 * by an edit at that time.
 */
export function marksOfAll(mesh: Mesh, atMs: number): AccessMarks {
  const mark = createHash('sha256').update(`lost ${atMs}`).digest('hex').slice(0, MARK_LENGTH);
  const all = Object.fromEntries([...toPorts(mesh).keys()].map((name) => [name, mark]));
  return { identities: all, plain: all };
}

const MARK_LENGTH = 16;

/** Of all losses so far: the same edit a second time is another mark. */
function toMark(old: string | undefined, { version }: Pick<Mesh, 'version'>): string {
  const text = `${old ?? ''}\n${version}`;
  return createHash('sha256').update(text).digest('hex').slice(0, MARK_LENGTH);
}
