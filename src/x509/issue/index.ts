export {
  CRL_RENEW_AT_MS,
  type CrlAuthority,
  compareSerials,
  crlProblems,
  issueCrl,
  type RevokedSerial,
} from './crl.js';
export { createCsr, toCsrPem } from './csr.js';
export { type Issued, type Issuer, issueCertificate, periodFrom, toIssuer } from './issue.js';
export {
  authorityFields,
  BACKDATE_MS,
  type CertificateTemplate,
  type CommonOptions,
  INTERMEDIATE_LIFETIME_MS,
  type IssuerPeriod,
  intermediateTemplate,
  LONGEST_LEAF_MS,
  leafTemplate,
  periodWithin,
  ROOT_LIFETIME_MS,
  ROOT_PATH_LENGTH,
  rootTemplate,
  toSerialHex,
} from './template.js';
