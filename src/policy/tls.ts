// What TLS settings may say. The suites are those of Mozilla's "intermediate" profile that stock
// Envoy (BoringSSL) offers: forward secrecy and an AEAD, nothing weaker.
import { DAY_MS } from '../base/index.js';
import type { CertificateSettings, Curve, TlsSettings, TlsVersion } from './model.js';

export const TLS_VERSIONS: readonly TlsVersion[] = ['TLSv1_2', 'TLSv1_3'];
export const CURVES: readonly Curve[] = ['X25519MLKEM768', 'X25519', 'P-256', 'P-384'];

/** OpenSSL names. */
export const CIPHER_SUITES: readonly string[] = ['ECDSA', 'RSA'].flatMap((key) =>
  ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map(
    (cipher) => `ECDHE-${key}-${cipher}`,
  ),
);

export const DEFAULT_TLS: TlsSettings = {
  minVersion: 'TLSv1_3',
  maxVersion: 'TLSv1_3',
  cipherSuites: [],
  curves: ['X25519MLKEM768', 'X25519', 'P-256'],
};

export const SHORTEST_TTL_MS = 10_000;
export const LONGEST_TTL_MS = 90 * DAY_MS;
/** Under this a control plane's restart is felt: warned about. */
export const SHORT_TTL_MS = 600_000;
export const RENEW_AT = { min: 0.1, max: 0.9 } as const;
export const JITTER = { min: 0, max: 0.25 } as const;
/** A leaf is renewed within these shares of its lifetime, whatever the jitter. */
export const RENEWAL = { earliest: 0.05, latest: 0.95 } as const;

export const DEFAULT_CERTIFICATES: CertificateSettings = {
  ttlMs: DAY_MS,
  renewAt: 0.5,
  jitter: 0.05,
  key: 'ecdsa-p256',
};
