// Who signed what was read: a certificate or a revocation list.
import type { KeyObject } from 'node:crypto';
import { type Signed, verifyDer } from '../keys/index.js';
import type { CertificateFacts } from './certificate-reader.js';

/** Whether `issuer` is a CA of the name that `facts` gives, and its key made the signature. */
export function isSignedBy(facts: CertificateFacts, issuer: CertificateFacts): boolean {
  if (!issuer.isCa || !facts.issuerDer.equals(issuer.subjectDer)) return false;
  return hasSignatureOf(facts, issuer.x509.publicKey);
}

/** Whether the key made the signature, whoever the certificate says its issuer is. */
export function hasSignatureOf(
  facts: Signed & Pick<CertificateFacts, 'x509'>,
  publicKey: KeyObject,
): boolean {
  // A CA that was plugged in may have been signed in other ways than ours.
  return verifyDer(facts, publicKey) ?? facts.x509.verify(publicKey);
}
