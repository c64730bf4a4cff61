import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';
import { systemClock, systemRandom } from '../../src/base/index.js';

/** PEM of a certificate and its key. */
export interface KeyAndCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface LeafOptions {
  readonly commonName?: string;
  /** URI SAN, such as a SPIFFE ID that this CA has no right to. */
  readonly uri?: string;
  readonly dns?: readonly string[];
}

/** A CA that the mesh doesn't know, for callers with a foreign certificate. */
export interface ForeignCa {
  /** PEM of its root. */
  readonly cert: string;
  /** A leaf good for client and server authentication, for an hour. */
  issue(options?: LeafOptions): KeyAndCertificate;
}

const HOUR_MS = 3_600_000;
const SAN_DNS = 2;
const SAN_URI = 6;

/** RSA throughout: node-forge can't sign ECDSA certificates. */
export function createForeignCa(commonName = 'foreign test CA'): ForeignCa {
  const ca = newKey();
  const subject = [{ name: 'commonName', value: commonName }];
  const root = blank({ publicKeyPem: ca.publicPem, subject, issuer: subject });
  root.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  root.sign(ca.signer, forge.md.sha256.create());
  return {
    cert: forge.pki.certificateToPem(root),
    issue({ commonName: name = 'foreign caller', uri, dns = [] } = {}) {
      const key = newKey();
      const leafSubject = [{ name: 'commonName', value: name }];
      const leaf = blank({ publicKeyPem: key.publicPem, subject: leafSubject, issuer: subject });
      const altNames = [
        ...(uri === undefined ? [] : [{ type: SAN_URI, value: uri }]),
        ...dns.map((value) => ({ type: SAN_DNS, value })),
      ];
      leaf.setExtensions([
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', clientAuth: true, serverAuth: true },
        ...(altNames.length === 0 ? [] : [{ name: 'subjectAltName', altNames }]),
      ]);
      leaf.sign(ca.signer, forge.md.sha256.create());
      return { cert: forge.pki.certificateToPem(leaf), key: key.privatePem };
    },
  };
}

/** By node:crypto, since forge makes RSA keys in JavaScript, in seconds. */
function newKey(): { publicPem: string; privatePem: string; signer: forge.pki.rsa.PrivateKey } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const signer = forge.pki.privateKeyFromPem(privateKey);
  return { publicPem: publicKey, privatePem: privateKey, signer };
}

function blank(options: {
  readonly publicKeyPem: string;
  readonly subject: forge.pki.CertificateField[];
  readonly issuer: forge.pki.CertificateField[];
}): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(options.publicKeyPem);
  // A leading 01 keeps the number positive (RFC 5280 section 4.1.2.2) and its encoding minimal
  // (X.690 section 8.3.2): with 00, one in 256 began with two of them, and Envoy refused it.
  certificate.serialNumber = `01${systemRandom.bytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(systemClock.now() - HOUR_MS);
  certificate.validity.notAfter = new Date(systemClock.now() + HOUR_MS);
  certificate.setSubject(options.subject);
  certificate.setIssuer(options.issuer);
  return certificate;
}
