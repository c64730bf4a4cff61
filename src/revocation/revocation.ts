// What can be shut out, and whether somebody is. Pure: `revocation-store.ts` keeps them.
import { MeshError, toRfc3339 } from '../base/index.js';
import { type NodeId, splitNodeId, toNodeId } from '../spiffe/index.js';

export type RevocationKind =
  /** A service as a whole: its tokens, its certificates, its identity. */
  | 'service'
  /** One node of a service, by its id (`payments/ledger~one`). */
  | 'instance'
  /** One certificate, by its serial. */
  | 'serial'
  /** One token, by its id; certificates that it got are revoked by themselves. */
  | 'token';

export interface RevocationSubject {
  readonly kind: RevocationKind;
  /** A service's name, a node's id, a serial (`parseSerialHex`), a token's id. */
  readonly subject: string;
}

export interface Revocation extends RevocationSubject {
  readonly revokedAtMs: number;
}

/** By `toRevocationKey`. */
export type Revocations = ReadonlyMap<string, Revocation>;

export function toRevocationKey({ kind, subject }: RevocationSubject): string {
  return `${kind} ${subject}`;
}

/** One that was taken back and made again is another: `service web 1767225600000`. */
export function toRevocationId(revocation: Revocation): string {
  return `${toRevocationKey(revocation)} ${revocation.revokedAtMs}`;
}

const ID = /^(service|instance|serial|token) (.+) (\d{1,16})$/;

export function parseRevocationId(id: string): Revocation | undefined {
  const [, kind, subject, time] = ID.exec(id) ?? [];
  if (kind === undefined || subject === undefined) return undefined;
  return { kind: kind as RevocationKind, subject, revokedAtMs: Number(time) };
}

/** Somebody who wants something, by what they proved. */
export interface Applicant {
  /** Undefined: no service's, such as an administrator. */
  readonly service?: string | undefined;
  /** All names that the service has or had; a revocation of any of them names it. */
  readonly names?: readonly string[] | undefined;
  readonly node?: NodeId | undefined;
  readonly tokenId?: string | undefined;
  readonly certificateSerialHex?: string | undefined;
}

/** Why an applicant is shut out: the widest reason; undefined: it isn't. */
export function findRevocation(
  revocations: Revocations,
  { service, names = [], node, tokenId, certificateSerialHex }: Applicant,
): Revocation | undefined {
  const instance = node === undefined ? undefined : splitNodeId(node).instance;
  const subjects: readonly [RevocationKind, string | undefined][] = [
    ['service', service],
    ...names.map((name): [RevocationKind, string] => ['service', name]),
    ['instance', node],
    ...names.map((name): [RevocationKind, string | undefined] => [
      'instance',
      instance === undefined ? undefined : toNodeId({ service: name, instance }),
    ]),
    ['serial', certificateSerialHex],
    ['token', tokenId],
  ];
  for (const [kind, subject] of subjects) {
    if (subject === undefined) continue;
    const found = revocations.get(toRevocationKey({ kind, subject }));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** @throws MeshError revoked */
export function assertNotRevoked(revocations: Revocations, applicant: Applicant): void {
  const found = findRevocation(revocations, applicant);
  if (found !== undefined) throw toRevokedError(found);
}

const WORDS: Readonly<Record<RevocationKind, string>> = {
  service: 'service',
  instance: 'instance',
  serial: 'the certificate with serial',
  token: 'the token with id',
};

/** `instance "ledger~one"`. */
export function toSubjectText({ kind, subject }: RevocationSubject): string {
  return `${WORDS[kind]} "${subject}"`;
}

/** Why somebody is refused. */
export function toRevokedError(revocation: Revocation): MeshError {
  const since = toRfc3339(revocation.revokedAtMs);
  return new MeshError('revoked', `${toSubjectText(revocation)} is revoked since ${since}`);
}

/** A certificate's serial is at most 20 bytes (RFC 5280 4.1.2.2), with one for the sign. */
const SERIAL = /^[0-9a-f]{1,42}$/;

/**
 * A serial in its one spelling (lower-case hex of whole bytes, without leading zero bytes) from any
 * that tools print: upper case, colons, `0x`, leading zeros. Undefined: it is none.
 */
export function tryParseSerialHex(text: string): string | undefined {
  const digits = text.trim().toLowerCase().replace(/^0x/, '');
  const isGrouped = /^[0-9a-f]{2}(:[0-9a-f]{2})*$/.test(digits);
  const plain = isGrouped ? digits.replaceAll(':', '') : digits;
  if (!SERIAL.test(plain)) return undefined;
  const whole = plain.length % 2 === 0 ? plain : `0${plain}`;
  const serial = whole.replace(/^(00)+/, '');
  return serial === '' || serial.length > 40 ? undefined : serial;
}
