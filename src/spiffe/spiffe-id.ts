// A SPIFFE ID names a workload: `spiffe://<trust domain>/<path>`. It is compared byte by byte
// wherever access is decided, so only the one canonical spelling of the SPIFFE standard is let in:
// no port, no user, no query, no fragment, no percent-encoding, no dot segments, no empty segments,
// no upper case in the trust domain. Our own workloads have the path `/ns/<namespace>/sa/<service
// account>`; a bare trust domain (no path) is the ID of a certificate authority.
// Rules: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md (sections 2 and 2.3)
import { MeshError } from '../base/index.js';

/** A URI that passed `parseSpiffeId`. */
export type SpiffeId = string & { readonly __brand: 'SpiffeId' };

/** The parts of a SPIFFE ID; `path` starts with `/`, or is empty for a trust domain's own ID. */
export interface SpiffeIdParts {
  readonly trustDomain: string;
  readonly path: string;
}

/** SPIFFE-ID section 2.3: an implementation must support, and may limit to, 2048 bytes. */
const MAX_ID_BYTES = 2048;
/** SPIFFE-ID section 2.3: the trust domain is at most 255 bytes. */
const MAX_TRUST_DOMAIN_BYTES = 255;
const SCHEME = 'spiffe://';
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

/** What is wrong with a trust domain (`shop.example`); undefined where nothing is. */
function trustDomainProblem(text: string): string | undefined {
  if (text === '') return 'expected a trust domain but got nothing';
  if (text.length > MAX_TRUST_DOMAIN_BYTES) {
    const most = MAX_TRUST_DOMAIN_BYTES;
    return `expected a trust domain of at most ${most} bytes but got ${text.length}`;
  }
  if (TRUST_DOMAIN.test(text)) return undefined;
  return `expected a trust domain of a-z, 0-9, ".", "_" and "-" but got ${JSON.stringify(text)}`;
}

/**
 * What is wrong with one path segment (a namespace, a service account); undefined where nothing is.
 */
function segmentProblem(text: string): string | undefined {
  if (text === '') return 'expected a path segment but got an empty one';
  if (text === '.' || text === '..')
    return `expected a path segment but got ${JSON.stringify(text)}`;
  if (SEGMENT.test(text)) return undefined;
  const got = JSON.stringify(text);
  return `expected a path segment of letters, digits, ".", "_" and "-" but got ${got}`;
}

export function isTrustDomain(text: string): boolean {
  return trustDomainProblem(text) === undefined;
}

/** Whether a text is a SPIFFE ID of something within a trust domain. */
export function isWorkloadId(text: string): boolean {
  try {
    return splitSpiffeId(text).path !== '';
  } catch {
    return false;
  }
}

/**
 * Whether IDs within one trust domain may begin with this text: up to a slash all of it is as in an
 * ID, and after that come the first characters of a segment, if any.
 */
export function isWorkloadIdPrefix(text: string): boolean {
  return isWorkloadId(text) || (text.endsWith('/') && isWorkloadId(`${text}-`));
}

/**
 * The ID as it stands, checked.
 * @throws MeshError identity-invalid, with the first rule that it breaks.
 */
export function parseSpiffeId(text: string): SpiffeId {
  splitSpiffeId(text);
  return text as SpiffeId;
}

/**
 * Trust domain and path of a SPIFFE ID.
 * @throws MeshError identity-invalid, with the first rule that it breaks.
 */
export function splitSpiffeId(text: string): SpiffeIdParts {
  if (Buffer.byteLength(text) > MAX_ID_BYTES) {
    throw invalid(`expected a SPIFFE ID of at most ${MAX_ID_BYTES} bytes but got a longer one`);
  }
  if (!text.startsWith(SCHEME)) {
    throw invalid(
      `expected a SPIFFE ID that starts with "${SCHEME}" but got ${JSON.stringify(text)}`,
    );
  }
  const rest = text.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const trustDomain = slash === -1 ? rest : rest.slice(0, slash);
  const path = slash === -1 ? '' : rest.slice(slash);
  const problem =
    trustDomainProblem(trustDomain) ??
    path
      .split('/')
      .slice(1)
      .map(segmentProblem)
      .find((found) => found !== undefined);
  if (problem !== undefined) throw invalid(`${problem} in ${JSON.stringify(text)}`);
  return { trustDomain, path };
}

/** What the IDs of a trust domain's workloads begin with. */
export function trustDomainPrefix(trustDomain: string): string {
  return `${SCHEME}${trustDomain}/`;
}

/** What the IDs of a namespace begin with. */
export function namespacePrefix(trustDomain: string, namespace: string): string {
  return `${trustDomainPrefix(trustDomain)}ns/${namespace}/`;
}

/** What the IDs of a namespace's service accounts begin with. */
export function serviceAccountPrefix(trustDomain: string, namespace: string): string {
  return `${namespacePrefix(trustDomain, namespace)}sa/`;
}

/**
 * `spiffe://<trustDomain>/ns/<namespace>/sa/<serviceAccount>`.
 * @throws MeshError identity-invalid where a part breaks a rule.
 */
export function toSpiffeId(options: {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}): SpiffeId {
  const { trustDomain, namespace, serviceAccount } = options;
  // A slash within a part would still make a well-formed ID, but another workload's.
  const problem =
    trustDomainProblem(trustDomain) ?? segmentProblem(namespace) ?? segmentProblem(serviceAccount);
  if (problem !== undefined) throw invalid(problem);
  return parseSpiffeId(`${serviceAccountPrefix(trustDomain, namespace)}${serviceAccount}`);
}

/**
 * The ID of a trust domain itself, which its certificate authorities carry (X509-SVID section 3).
 * @throws MeshError identity-invalid where the trust domain breaks a rule.
 */
export function toTrustDomainId(trustDomain: string): SpiffeId {
  const problem = trustDomainProblem(trustDomain);
  if (problem !== undefined) throw invalid(problem);
  return parseSpiffeId(`${SCHEME}${trustDomain}`);
}

/** The trust domain of a URI that is the ID of one; undefined for any other text. */
export function tryTrustDomain(uri: string): string | undefined {
  const trustDomain = uri.startsWith(SCHEME) ? uri.slice(SCHEME.length) : '';
  return isTrustDomain(trustDomain) ? trustDomain : undefined;
}

function invalid(message: string): MeshError {
  return new MeshError('identity-invalid', message);
}
