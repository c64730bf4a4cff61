export { CrlStore, type Crls } from './crl-store.js';
export {
  type Applicant,
  assertNotRevoked,
  findRevocation,
  type Revocation,
  type RevocationKind,
  type RevocationSubject,
  type Revocations,
  toRevocationKey,
  toRevokedError,
  toSubjectText,
  tryParseSerialHex,
} from './revocation.js';
export {
  addRevocation,
  listRevocationFiles,
  loadRevocations,
  REVOCATIONS_FOLDER,
  removeRevocation,
} from './revocation-store.js';
export {
  type CertificateHolder,
  findCertificates,
  findRevokedCertificates,
  type RevokedCertificate,
} from './revoked-certificates.js';
export { TAKE_REVOCATIONS } from './take-revocations.js';
