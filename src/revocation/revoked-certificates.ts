// From revocations to the certificates that they shut out: every leaf that a node may hold (the
// present one and those before it that have not ended) and every certificate that was handed out.
// Ended ones are left out at the end: they are refused without us.

import type { DataDir } from '../data/index.js';
import { LeafStore, readHandedOut } from '../leaves/index.js';
import { type NodeId, splitNodeId } from '../spiffe/index.js';
import { compareSerials } from '../x509/issue/index.js';
import { findRevocation, type Revocation, type Revocations } from './revocation.js';

/** A certificate that somebody holds, or held. */
export interface CertificateHolder {
  readonly serialHex: string;
  readonly notAfterMs: number;
  readonly service: string;
  /** Undefined: handed out to a client without a sidecar. */
  readonly node: NodeId | undefined;
  /** All names that the service has or had; absent: it has had one. */
  readonly names?: readonly string[] | undefined;
  /** Serials of the certificates that its holders showed for it. */
  readonly obtainedBy: readonly string[];
}

export interface RevokedCertificate {
  readonly serialHex: string;
  readonly revokedAtMs: number;
  /** Undefined where the serial is of no certificate that we know. */
  readonly notAfterMs: number | undefined;
  readonly service: string | undefined;
  /** The widest that shuts it out. */
  readonly reason: Revocation;
}

type Refused = Omit<RevokedCertificate, 'service' | 'reason'>;

/**
 * All certificates that the data folder knows of: leaves that have not ended, and what was handed
 * out, ended or not.
 * @returns Also the files that are damaged: whose certificates are not known.
 * @throws MeshError data-damaged, data-unreadable
 */
export async function findCertificates(
  dataDir: DataDir,
  nowMs: number,
): Promise<{
  readonly certificates: readonly CertificateHolder[];
  readonly damaged: readonly string[];
}> {
  const { nodes, damaged } = await new LeafStore(dataDir).certificates(nowMs);
  const leaves = nodes.flatMap(({ node, certificates }) =>
    certificates.map(({ shown: obtainedBy = [], ...one }) => ({
      ...one,
      node,
      service: splitNodeId(node).service,
      obtainedBy,
    })),
  );
  const { records, damaged: damagedRecords } = await readHandedOut(dataDir);
  const handedOut = records.map(({ serialHex, notAfterMs, service, node, credential }) => ({
    ...{ serialHex, notAfterMs, service, node },
    obtainedBy: credential?.kind === 'certificate' ? [credential.serialHex] : [],
  }));
  return { certificates: [...leaves, ...handedOut], damaged: [...damaged, ...damagedRecords] };
}

/**
 * What of it is revoked and has not ended, by serial. A revoked serial that nobody is known to hold
 * is kept. Who has stolen a key may have renewed its certificate: what was obtained by a revoked
 * one is revoked too.
 * @param before What was refused until now: it stays so, where its record is gone.
 */
export function findRevokedCertificates(
  revocations: Revocations,
  certificates: readonly CertificateHolder[],
  nowMs: number,
  before: readonly Refused[] = [],
): readonly RevokedCertificate[] {
  const found = new Map<string, RevokedCertificate>();
  for (const reason of revocations.values()) {
    if (reason.kind !== 'serial') continue;
    const { subject: serialHex, revokedAtMs } = reason;
    const unknown = { notAfterMs: undefined, service: undefined };
    found.set(serialHex, { serialHex, revokedAtMs, ...unknown, reason });
  }
  const known = toObtainedLater(certificates);
  for (const { serialHex, notAfterMs, service, names, node, obtainedBy } of known) {
    const applicant = { service, names, node, certificateSerialHex: serialHex };
    const own = findRevocation(revocations, applicant);
    const reason = own ?? obtainedBy.map((by) => found.get(by)?.reason).find((one) => one);
    if (reason === undefined) continue;
    const { revokedAtMs } = reason;
    found.set(serialHex, { serialHex, revokedAtMs, notAfterMs, service, reason });
  }
  for (const one of keepRefused(before, { known: found, revocations })) {
    found.set(one.serialHex, one);
  }
  const isLive = ({ notAfterMs = Number.POSITIVE_INFINITY }: RevokedCertificate): boolean =>
    notAfterMs > nowMs;
  return [...found.values()]
    .filter(isLive)
    .sort((a, b) => compareSerials(a.serialHex, b.serialHex));
}

/** Those that were refused and whose records are gone since: nobody knows that they are good. */
function keepRefused(
  before: readonly Refused[],
  { known, revocations }: { known: ReadonlyMap<string, unknown>; revocations: Revocations },
): readonly RevokedCertificate[] {
  // It says for which revocation one was refused.
  const reasons = new Map([...revocations.values()].map((one) => [one.revokedAtMs, one]));
  return before.flatMap(({ serialHex, revokedAtMs, notAfterMs }): RevokedCertificate[] => {
    const reason = reasons.get(revokedAtMs);
    if (known.has(serialHex) || reason === undefined) return [];
    return [{ serialHex, revokedAtMs, notAfterMs, service: undefined, reason }];
  });
}

/** Each after those that it was obtained by. */
function toObtainedLater(certificates: readonly CertificateHolder[]): Iterable<CertificateHolder> {
  const bySerial = new Map(certificates.map((one) => [one.serialHex, one]));
  const ordered = new Set<CertificateHolder>();
  const begun = new Set<CertificateHolder>();
  // No recursion: a chain of renewals may be long. What is met again while it waits is a circle.
  const left = [...certificates].reverse();
  for (let one = left.at(-1); one !== undefined; one = left.at(-1)) {
    const before = one.obtainedBy.flatMap((serial) => bySerial.get(serial) ?? []);
    const waiting = begun.has(one) ? [] : before.filter((other) => !begun.has(other));
    begun.add(one);
    if (waiting.length > 0) {
      left.push(...waiting);
      continue;
    }
    ordered.add(one);
    left.pop();
  }
  return ordered;
}
