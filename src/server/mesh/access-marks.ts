// Which open connections a change of rules is to end. Rules decide each request and each new
// connection; a WebSocket, a stream or a TCP connection that is open is asked nothing any more. So
// where an edit takes something away from somebody, the port's filter chains get a new mark, and
// Envoy drains those that differ (as for a revocation: revocation-marks.ts). A mark is stored with
// the phase that it belongs to, before that is entered, and stays when the permission is given
// back: else that would cut connections again, for nothing. Pure; `rollout.ts` keeps them.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { compareAccess, type Mesh, type Narrowing, type Port } from '../../policy/index.js';
import { toClusterName, toForms } from '../../translate/index.js';

/** By a service's port. */
const marksSchema = z.record(z.string(), z.string());

export const accessMarksSchema = z.object({
  /** Of connections with an identity. */
  identities: marksSchema,
  /** Of connections without. */
  plain: marksSchema,
});

export type AccessMarks = z.infer<typeof accessMarksSchema>;

export const NO_ACCESS_MARKS: AccessMarks = { identities: {}, plain: {} };

/**
 * The marks when `next` comes after meshes of which each may be in force on some sidecar; the same
 * object where nothing is taken away. Ports that no mesh has lose theirs.
 */
export function nextAccessMarks(
  marks: AccessMarks,
  { before, next }: { readonly before: readonly Mesh[]; readonly next: Mesh },
): AccessMarks {
  const olds = before.map(toPorts);
  const identities: Record<string, string> = {};
  const plain: Record<string, string> = {};
  const carry = (to: Record<string, string>, name: string, mark: string | undefined): void => {
    if (mark !== undefined) to[name] = mark;
  };
  for (const [name, port] of toPorts(next)) {
    const loss = toLoss(
      olds.flatMap((ports) => ports.get(name) ?? []),
      port,
      next.trustDomain,
    );
    const [old, oldPlain] = [marks.identities[name], marks.plain[name]];
    carry(identities, name, loss.identities ? toMark(old, next) : old);
    carry(plain, name, loss.plain ? toMark(oldPlain, next) : oldPlain);
  }
  return { identities, plain };
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
function toMark(old: string | undefined, { version }: Mesh): string {
  const text = `${old ?? ''}\n${version}`;
  return createHash('sha256').update(text).digest('hex').slice(0, MARK_LENGTH);
}
