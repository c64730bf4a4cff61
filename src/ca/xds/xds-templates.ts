// What the certificates of the xDS port contain: its anchor, which bootstraps pin, and the server
// certificate below it. Plain data, as in x509/issue/template.ts.
import { type Times, YEAR_MS } from '../../base/index.js';
import {
  authorityFields,
  type CertificateTemplate,
  caPeriodWithin,
} from '../../x509/issue/index.js';
import type { CertificateFacts } from '../../x509/read/index.js';

type TemplateOptions = Parameters<typeof authorityFields>[0] & { readonly times: Times };

/** Bootstraps pin this anchor and cannot be reloaded, so it lives as long as a host may. */
export const XDS_ANCHOR_LIFETIME_MS = 20 * YEAR_MS;
export const XDS_SERVER_LIFETIME_MS = YEAR_MS;

/** The anchor of the xDS port: no part of any trust domain, so without a SPIFFE ID. */
export function xdsAnchorTemplate(options: TemplateOptions): CertificateTemplate {
  return {
    ...authorityFields(options, 'xds anchor'),
    ...caPeriodWithin({ times: options.times, lifetimeMs: XDS_ANCHOR_LIFETIME_MS }),
    pathLength: 0,
    uris: [],
  };
}

/** The xDS port's server certificate, for names and addresses. */
export function xdsServerTemplate(
  options: TemplateOptions & {
    readonly dnsNames: readonly string[];
    readonly ips: readonly string[];
    readonly issuer: Pick<CertificateFacts, 'notBeforeMs' | 'notAfterMs'>;
  },
): CertificateTemplate {
  const { serialHex, publicKeyDer, times, dnsNames, ips, issuer } = options;
  return {
    serialHex,
    publicKeyDer,
    subject: [],
    ...caPeriodWithin({ times, lifetimeMs: XDS_SERVER_LIFETIME_MS, issuer }),
    isCa: false,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['serverAuth'],
    uris: [],
    dnsNames,
    ips,
  };
}
