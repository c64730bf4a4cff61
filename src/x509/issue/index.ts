export { issueIssuingCa, issueRoot } from './authorities.js';
export { type CaRenewal, planCaRenewal } from './ca-renewal.js';
export {
  CRL_RENEW_AT_MS,
  type CrlAuthority,
  compareSerials,
  crlProblems,
  issueCrl,
} from './crl.js';
export { createCsr, toCsrPem } from './csr.js';
export {
  caPeriodFrom,
  type Issued,
  type Issuer,
  issueCertificate,
  periodFrom,
  toIssuer,
} from './issue.js';
export {
  authorityFields,
  BACKDATE_MS,
  type CertificateTemplate,
  caPeriodWithin,
  INTERMEDIATE_LIFETIME_MS,
  leafTemplate,
  toSerialHex,
} from './template.js';
