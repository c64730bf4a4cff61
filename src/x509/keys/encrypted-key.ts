// Private keys under a passphrase, as OpenSSL reads and writes them: PKCS #8 "ENCRYPTED PRIVATE
// KEY" (RFC 5958, PBES2 with AES-256), and the older encrypted PEM forms, which are read only.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { MeshError } from '../../base/index.js';

const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/;
const CIPHER = 'aes-256-cbc';

/**
 * The key as plain PKCS #8 PEM.
 * @throws MeshError passphrase-missing, passphrase-wrong; certificate-invalid where it is no key.
 * None of them repeats any of it.
 */
export function openKey(pem: string, passphrase: string | undefined): string {
  const isEncrypted = ENCRYPTED.test(pem);
  if (isEncrypted && passphrase === undefined) {
    throw new MeshError('passphrase-missing', 'the key is encrypted and no passphrase was given');
  }
  const key = tryKey(pem, isEncrypted ? passphrase : undefined);
  if (key !== undefined) return key.export({ type: 'pkcs8', format: 'pem' }).toString();
  if (isEncrypted) {
    throw new MeshError('passphrase-wrong', 'the passphrase does not open the key');
  }
  throw new MeshError('certificate-invalid', 'expected keys but got other text');
}

/** The same for a key that goes to the disk: as it is where there is no passphrase. */
export function encryptKey(pem: string, passphrase: string | undefined): string {
  if (passphrase === undefined) return pem;
  const options = { type: 'pkcs8', format: 'pem', cipher: CIPHER, passphrase } as const;
  return createPrivateKey(pem).export(options).toString();
}

function tryKey(pem: string, passphrase: string | undefined): KeyObject | undefined {
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch {
    // OpenSSL's own words on a bad key are not passed on: they may come to quote it.
    return undefined;
  }
}
