export { CrlStore, type Crls } from './crl-store.js';
export {
  type Applicant,
  assertNotRevoked,
  findRevocation,
  type Revocation,
  type RevocationSubject,
  type Revocations,
  toRevocationId,
  toRevocationKey,
  toRevokedError,
  toSubjectText,
  tryParseSerialHex,
} from './revocation.js';
export { RevocationFolder } from './revocation-folder.js';
export {
  addRevocation,
  loadRevocations,
  REVOCATION_MARKS_FILE,
  REVOCATIONS_FOLDER,
  readRevocations,
  removeRevocation,
} from './revocation-store.js';
export {
  type CertificateHolder,
  findCertificates,
  findRevokedCertificates,
  type RevokedCertificate,
} from './revoked-certificates.js';
export { TAKE_REVOCATIONS } from './take-revocations.js';
