export { issueIssuingCa, issueRoot } from './authorities.js';
export {
  CRL_RENEW_AT_MS,
  type CrlAuthority,
  compareSerials,
  crlProblems,
  issueCrl,
} from './crl.js';
export { createCsr, toCsrPem } from './csr.js';
export { type Issued, type Issuer, issueCertificate, periodFrom, toIssuer } from './issue.js';
export {
  authorityFields,
  BACKDATE_MS,
  type CertificateTemplate,
  leafTemplate,
  periodWithin,
  toSerialHex,
} from './template.js';
