// Whether one certificate vouches for another.
import type { CertificateFacts } from '../read/index.js';

/** Whether `issuer` is a CA of the name that `facts` gives, and its key made the signature. */
export function isSignedBy(facts: CertificateFacts, issuer: CertificateFacts): boolean {
  if (!issuer.isCa || !facts.issuerDer.equals(issuer.subjectDer)) return false;
  return facts.x509.verify(issuer.x509.publicKey);
}
