// Identities as a TLS handshake compares them: with the URI SANs of the peer's certificate.
import { envoy } from '../gen/envoy.js';
import type { IdentityName } from '../policy/index.js';
import { trustDomainPrefix } from '../spiffe/index.js';

const { SanType } = envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;
export type SanMatcher = envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;

/** Peers whose URI SAN is exactly this SPIFFE ID. */
export function toExactSan(spiffeId: string): SanMatcher {
  return { sanType: SanType.URI, matcher: { exact: spiffeId } };
}

/** Peers whose URI SAN is any identity of the trust domain. */
export function toTrustDomainSan(trustDomain: string): SanMatcher {
  return { sanType: SanType.URI, matcher: { prefix: trustDomainPrefix(trustDomain) } };
}

/** Peers that the name says. */
export function toNamedSan({ text, prefix }: IdentityName): SanMatcher {
  return prefix ? { sanType: SanType.URI, matcher: { prefix: text } } : toExactSan(text);
}
