export {
  type CertificateFacts,
  readCertificate,
  readOwnCertificate,
  splitPem,
  toPem,
} from './certificate-reader.js';
export { ChainReader, type Period, readPeriods } from './chain-ends.js';
export { readCommonNames, toCommonName } from './common-name.js';
export { type CrlEntry, type CrlFacts, readCrl, splitCrlPem, toCrlPem } from './crl-reader.js';
export { assertIdentity, readCsr } from './csr-reader.js';
export { hasSignatureOf, isSignedBy } from './signed-by.js';
