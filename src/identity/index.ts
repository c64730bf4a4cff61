export type {
  Authority,
  AuthorityInfo,
  CertifyRequest,
  Leaf,
  LeafCertificate,
  LeafNames,
  LeafRequest,
  LocalAuthority,
  RootChange,
} from './authority.js';
export { type AuthorityTools, type CaLine, createLine } from './authority-material.js';
export {
  bundleNotedAtMs,
  isFinishAsked,
  loadOffer,
  noteBundle,
  offerLine,
  removeFinish,
  removeOffer,
  writeFinish,
} from './authority-next.js';
export {
  type AuthorityOptions,
  createAuthority,
  loadAuthority,
  loadOrCreateAuthority,
  readTrustDomain,
} from './authority-store.js';
export {
  type Backup,
  createBackup,
  findInterrupted,
  openBackup,
  type RestoreOptions,
  restoreFolder,
} from './backup.js';
export { type BroughtCa, importLine, trustDomainOfCa } from './ca-import.js';
export { splitPem, toPem } from './certificate-reader.js';
export { type ChainEnds, ChainReader, type Period, readPeriods } from './chain-ends.js';
export {
  type ClientCertificateRules,
  type ClientIdentity,
  verifyClientCertificate,
} from './client-certificate.js';
export type { CrlAuthority, RevokedSerial } from './crl.js';
export { CrlStore, type CrlStoreOptions, type Crls } from './crl-store.js';
export { type CsrOptions, createCsr, toCsrPem } from './csr.js';
export { assertIdentity, type CertificateRequest, MAX_CSR_BYTES, readCsr } from './csr-reader.js';
export { type DataDir, type DataDirOptions, openDataDir } from './data-dir.js';
export type { FolderImage, ImageFile } from './folder-image.js';
export {
  boundInstance,
  findHandedOut,
  forgetEnded,
  type HandedOut,
  type HandedOutCredential,
  type HandingOut,
  lastHandedOutEndMs,
  listHandedOut,
  listHandedOutFiles,
  recordHandedOut,
} from './handed-out.js';
export { generateKeys, type KeyPair, type KeySource, type KeyType } from './keys.js';
export {
  LeafManager,
  type LeafManagerOptions,
  type LeafProblem,
  type RenewalListener,
} from './leaf-manager.js';
export { LeafStore, type NodeCertificates, type NodeId } from './leaf-store.js';
export { readPassphrase } from './passphrase.js';
export { checkReceived, type Received, type ReceivedFacts } from './received.js';
export {
  type LeafSettings,
  planRenewal,
  type RenewalPlan,
  type RenewalReason,
  type RenewalState,
  toRenewAtMs,
} from './renewal.js';
export {
  addRenewalOrder,
  listRenewalOrders,
  RENEWAL_ORDERS_FOLDER,
  type RenewalOrder,
  removeRenewalOrder,
} from './renewal-orders.js';
export {
  type Applicant,
  assertNotRevoked,
  findRevocation,
  type Revocation,
  type RevocationKind,
  type RevocationSubject,
  type Revocations,
  toNodeService,
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
export {
  loadOrCreateAnchorPem,
  loadOrCreateServerCredential,
  type ServerCertificate,
  type ServerCredential,
  type ServerCredentialOptions,
  XDS_SERVER_NAME,
} from './server-credential.js';
export {
  parseSpiffeId,
  type SpiffeId,
  type SpiffeIdParts,
  segmentProblem,
  splitSpiffeId,
  toSpiffeId,
  toTrustDomainId,
  trustDomainProblem,
} from './spiffe-id.js';
export {
  assertOwnAuthority,
  forgetStepCa,
  type OpenedStepCa,
  type OpenStepCaOptions,
  openStepCa,
  openStoredAuthority,
  type StoredAuthority,
} from './step-ca/open.js';
export { readRecord as readStepCaRecord, type StepCaRecord } from './step-ca/record.js';
export type { StepCaSettings } from './step-ca/settings.js';
export { StepCaAuthority, type StepCaAuthorityOptions } from './step-ca/step-ca-authority.js';
export { parseStored } from './stored-json.js';
export {
  CLOCK_SKEW_MS,
  type SignedToken,
  TOKEN_ISSUER,
  type TokenAudience,
  type TokenRequest,
  type VerifiedToken,
} from './token.js';
export {
  listTokenKeys,
  retireTokenKey,
  rotateTokenKey,
  type TokenKeyInfo,
} from './token-key-rotation.js';
export { createTokenKeys, type TokenKeys, type TokenKeysOptions } from './token-keys.js';
