// Encryption under a password: PBES2 (RFC 8018) with PBKDF2-HMAC-SHA-256 and AES-256-CBC, the
// strongest that Java, Windows and OpenSSL all read in a PKCS #12 file.
import { createCipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '../../base/index.js';

export interface Encrypted {
  readonly bytes: Buffer;
  readonly salt: Buffer;
  readonly iv: Buffer;
}

/**
 * Of each key derivation in the file: ten times what Java and OpenSSL write. The MAC's, which runs
 * in JavaScript, takes a third of a second.
 */
export const ITERATIONS = 100_000;

const CIPHER = 'aes-256-cbc';
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const IV_BYTES = 16;
const derive = promisify(pbkdf2);

export async function encrypt({
  plain,
  password,
  random,
}: {
  readonly plain: Buffer;
  readonly password: string;
  readonly random: Random;
}): Promise<Encrypted> {
  const salt = random.bytes(SALT_BYTES);
  const iv = random.bytes(IV_BYTES);
  const key = await derive(password, salt, ITERATIONS, KEY_BYTES, 'sha256');
  const cipher = createCipheriv(CIPHER, key, iv);
  return { bytes: Buffer.concat([cipher.update(plain), cipher.final()]), salt, iv };
}
