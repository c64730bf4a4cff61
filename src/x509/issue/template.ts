// First step of issuing: what a certificate shall contain, as plain data. Nothing is signed or
// encoded here; `sign.ts` turns a template into DER, `validate.ts` reads that back and checks it by
// its own rules. Three shapes are here: root, issuing intermediate and workload leaf (X.509-SVID).
// Rules: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md, RFC 5280 section 4.
import assert from 'node:assert';
import { MINUTE_MS, type Random, SECOND_MS, type Times, YEAR_MS } from '../../base/index.js';
import type { SpiffeId } from '../../spiffe/index.js';

export type KeyUsage = 'digitalSignature' | 'keyCertSign' | 'cRLSign';
export type ExtendedKeyUsage = 'serverAuth' | 'clientAuth';

/** Attributes of a subject, in order. */
export interface NameAttribute {
  readonly type: 'O' | 'CN';
  readonly value: string;
}

export interface CertificateTemplate {
  /** Positive, at most 20 bytes, lower-case hex without leading zero bytes. */
  readonly serialHex: string;
  readonly subject: readonly NameAttribute[];
  /** In place of `subject`: a name as another certificate has it, byte for byte. */
  readonly subjectDer?: Buffer;
  /** Its subject key identifier where that isn't the hash of its key: another CA's choice. */
  readonly keyIdHex?: string;
  /** Whole seconds: X.509 knows no fractions. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyDer: Buffer;
  readonly isCa: boolean;
  /** How many CAs may follow below a CA. */
  readonly pathLength?: number;
  readonly keyUsage: readonly KeyUsage[];
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[];
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** Addresses as text, IPv4 or IPv6. */
  readonly ips: readonly string[];
}

/** What a template needs to know of its issuer. */
export interface IssuerPeriod {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Clocks run apart: certificates begin this long before they are issued. */
export const BACKDATE_MS = 5 * MINUTE_MS;
/**
 * A CA begins so much earlier, and what is below it may begin with it (decision 027): nobody gains
 * by an early begin, since the key doesn't exist before, and a clock that is set back doesn't make
 * the whole mesh wait for a date.
 */
export const CA_BACKDATE_MS = YEAR_MS;
/** A root outlives any plan: replacing it is a phased rotation. */
export const ROOT_LIFETIME_MS = 10 * YEAR_MS;
/**
 * Replaced at half life, an intermediate has 182 days left: more than the longest leaf (90 days)
 * needs.
 */
export const INTERMEDIATE_LIFETIME_MS = YEAR_MS;

const SERIAL_BYTES = 16;
const ORGANIZATION = 'Countersign';

/**
 * A serial of 128 bits, 126 of them random (RFC 5280 4.1.2.2: positive, at most 20 octets; the
 * CA/Browser Forum's floor is 64). The second bit is set so that every serial has one length.
 */
export function toSerialHex(random: Random): string {
  const bytes = random.bytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

export interface CommonOptions {
  readonly serialHex: string;
  readonly publicKeyDer: Buffer;
  /** When it is asked for; it is in force at every time that this may be. */
  readonly times: Times;
}

/**
 * CAs that may follow below a root: an issuing one, and between them a newer root that this one
 * signs while it is being replaced.
 */
export const ROOT_PATH_LENGTH = 2;

/** A self-signed root of a trust domain. */
export function rootTemplate(
  options: CommonOptions & { readonly trustDomainId: SpiffeId },
): CertificateTemplate {
  return {
    ...authorityFields(options, 'root'),
    ...caPeriodWithin({ times: options.times, lifetimeMs: ROOT_LIFETIME_MS }),
    pathLength: ROOT_PATH_LENGTH,
    uris: [options.trustDomainId],
  };
}

/** An issuing CA below a root; only leaves may follow below it. */
export function intermediateTemplate(
  options: CommonOptions & { readonly trustDomainId: SpiffeId; readonly issuer: IssuerPeriod },
): CertificateTemplate {
  const { times, issuer } = options;
  return {
    ...authorityFields(options, 'intermediate'),
    ...caPeriodWithin({ times, lifetimeMs: INTERMEDIATE_LIFETIME_MS, issuer }),
    pathLength: 0,
    uris: [options.trustDomainId],
  };
}

/**
 * A workload's X.509-SVID. Its subject is empty: the SPIFFE ID, in the SAN, is its only identity.
 */
export function leafTemplate(
  options: CommonOptions & {
    readonly spiffeId: SpiffeId;
    readonly dnsNames: readonly string[];
    readonly ttlMs: number;
    readonly issuer: IssuerPeriod;
  },
): CertificateTemplate {
  const { serialHex, publicKeyDer, times, issuer } = options;
  return {
    serialHex,
    publicKeyDer,
    subject: [],
    ...periodWithin({ times, lifetimeMs: options.ttlMs, issuer }),
    isCa: false,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['serverAuth', 'clientAuth'],
    uris: [options.spiffeId],
    dnsNames: options.dnsNames,
    ips: [],
  };
}

/**
 * The name of a CA has part of its serial in it: verifiers find an issuer by name first, so two
 * roots of one name, during a rotation, would be taken for each other.
 */
export function authorityFields(
  options: Pick<CommonOptions, 'serialHex' | 'publicKeyDer'>,
  role: string,
) {
  const { serialHex, publicKeyDer } = options;
  return {
    serialHex,
    publicKeyDer,
    subject: [
      { type: 'O', value: ORGANIZATION },
      { type: 'CN', value: `countersign ${role} ${serialHex.slice(0, 8)}` },
    ],
    isCa: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: [],
    dnsNames: [],
    ips: [],
  } as const satisfies Partial<CertificateTemplate>;
}

export interface PeriodOptions {
  readonly times: Times;
  readonly lifetimeMs: number;
  readonly issuer?: IssuerPeriod;
  /** Default: `BACKDATE_MS`. */
  readonly backdateMs?: number;
}

/**
 * Back-dated, and within the issuer's own period: a leaf that outlives its issuer fails before its
 * end.
 */
function periodWithin(options: PeriodOptions): IssuerPeriod {
  const { times, lifetimeMs, issuer, backdateMs = BACKDATE_MS } = options;
  assert(lifetimeMs >= SECOND_MS, 'a certificate lives for at least a second');
  const begin = Math.max(times.earliestMs - backdateMs, issuer?.notBeforeMs ?? 0);
  const end = Math.min(times.latestMs + lifetimeMs, issuer?.notAfterMs ?? Number.MAX_SAFE_INTEGER);
  return { notBeforeMs: wholeSecond(begin), notAfterMs: wholeSecond(end) };
}

/** The same for a CA, and for what only a CA of ours stands above. */
export function caPeriodWithin(options: Omit<PeriodOptions, 'backdateMs'>): IssuerPeriod {
  return periodWithin({ ...options, backdateMs: CA_BACKDATE_MS });
}

function wholeSecond(timeMs: number): number {
  return Math.floor(timeMs / SECOND_MS) * SECOND_MS;
}
