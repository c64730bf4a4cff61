// A sealed file: bytes encrypted and authenticated under a passphrase. The layout (decision 016):
//
//   magic 16 | version 1 | log2 N 1 | r 1 | p 1 | salt 16 | nonce 12 | length 8 | check 32
//   | ciphertext | tag 16 | SHA-256 of all before 32
//
// scrypt (RFC 7914) makes 64 bytes of the passphrase: an AES-256-GCM key, and an HMAC key. `check`
// is the HMAC of the header before it, which shows whether the passphrase or the file is wrong; the
// header with it is the cipher's associated data. The last 32 bytes need no passphrase: they find
// damage before scrypt is asked. Who opens must not trust anything of it before the tag holds.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { MeshError, type Random } from '../base/index.js';

export interface SealOptions {
  readonly passphrase: string;
  readonly random: Random;
  /** Cost of a guess: scrypt's N is 2 to this. Default: 17: 128 MiB, about half a second. */
  readonly log2N?: number;
}

const MAGIC = Buffer.from('countersign-seal', 'latin1');
const VERSION = 1;
const LOG2_N = 17;
const BLOCK_SIZE = 8;
const PARALLEL = 1;
/** What a file may ask for: a foreign one must not take all memory (2^20 is 1 GiB). */
const LOG2_N_RANGE = [14, 20] as const;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const KEY_BYTES = 32;
const CHECK_BYTES = 32;
const TAG_BYTES = 16;
const DIGEST_BYTES = 32;
const OFFSET = { version: 16, log2N: 17, r: 18, p: 19, salt: 20, nonce: 36, length: 48, check: 56 };
const HEADER_BYTES = OFFSET.check + CHECK_BYTES;
/** What sealing adds. */
const OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES + DIGEST_BYTES;
const CIPHER = 'aes-256-gcm';

/** The sealed form of `content`. */
export async function seal(content: Buffer, options: SealOptions): Promise<Buffer> {
  const { passphrase, random, log2N = LOG2_N } = options;
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.set([VERSION, log2N, BLOCK_SIZE, PARALLEL], OFFSET.version);
  random.bytes(SALT_BYTES).copy(header, OFFSET.salt);
  random.bytes(NONCE_BYTES).copy(header, OFFSET.nonce);
  header.writeBigUInt64BE(BigInt(content.length), OFFSET.length);
  const keys = await deriveKeys(passphrase, header);
  toCheck(header, keys).copy(header, OFFSET.check);
  const nonce = header.subarray(OFFSET.nonce, OFFSET.length);
  const cipher = createCipheriv(CIPHER, keys.cipherKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(header);
  const sealed = [header, cipher.update(content), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([...sealed, toDigest(sealed)]);
}

/**
 * What was sealed.
 * @throws MeshError backup-invalid where it is no sealed file, or another version's; backup-damaged
 * where it is cut short or changed; passphrase-wrong.
 */
export async function unseal(file: Buffer, passphrase: string): Promise<Buffer> {
  checkForm(file);
  const header = file.subarray(0, HEADER_BYTES);
  const keys = await deriveKeys(passphrase, header);
  if (!timingSafeEqual(toCheck(header, keys), header.subarray(OFFSET.check))) {
    throw new MeshError(
      'passphrase-wrong',
      'expected the passphrase of this file but got another',
      {
        hint: 'give the one that it was made with; nobody can read the file without it',
      },
    );
  }
  const nonce = header.subarray(OFFSET.nonce, OFFSET.length);
  const body = file.subarray(HEADER_BYTES, file.length - DIGEST_BYTES);
  const decipher = createDecipheriv(CIPHER, keys.cipherKey, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(header);
  decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
  const content = decipher.update(body.subarray(0, body.length - TAG_BYTES));
  try {
    return Buffer.concat([content, decipher.final()]);
  } catch {
    throw damagedFile('expected its content as it was sealed but somebody has changed it');
  }
}

/** All that is known without the passphrase. */
function checkForm(file: Buffer): void {
  // As much of the magic as there is: a file that ends within it is one cut short.
  if (!file.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, file.length))) {
    throw new MeshError(
      'backup-invalid',
      'expected a file that countersign sealed but got another',
      { variant: 'other-file' },
    );
  }
  const version = file[OFFSET.version];
  if (version !== undefined && version !== VERSION) {
    const message = `expected a sealed file of version ${VERSION} but got version ${version}`;
    throw new MeshError('backup-invalid', message, {
      hint: 'open it with the version of countersign that wrote it',
    });
  }
  const length = file.length < HEADER_BYTES ? undefined : file.readBigUInt64BE(OFFSET.length);
  const expected = length === undefined ? undefined : length + BigInt(OVERHEAD_BYTES);
  if (expected === undefined || BigInt(file.length) < expected) {
    const whole = expected === undefined ? 'a whole header' : `${expected} bytes`;
    throw damagedFile(`expected ${whole} but it is cut short at ${file.length} bytes`);
  }
  const end = file.length - DIGEST_BYTES;
  const isAsWritten = toDigest([file.subarray(0, end)]).equals(file.subarray(end));
  if (BigInt(file.length) > expected || !isAsWritten) {
    throw damagedFile('expected the bytes that were written but got others');
  }
  const { log2N, r, p } = toCost(file);
  const [least, most] = LOG2_N_RANGE;
  if (log2N >= least && log2N <= most && r === BLOCK_SIZE && p === PARALLEL) return;
  const got = `N=2^${log2N}, r=${r}, p=${p}`;
  const wanted = `N=2^${least} to 2^${most}, r=${BLOCK_SIZE}, p=${PARALLEL}`;
  throw new MeshError('backup-invalid', `expected scrypt with ${wanted} but got ${got}`);
}

function damagedFile(message: string): MeshError {
  return new MeshError('backup-damaged', message, {
    hint: 'copy the file anew from where it is kept, or take an earlier one',
  });
}

interface Keys {
  readonly cipherKey: Buffer;
  readonly checkKey: Buffer;
}

function toCost(header: Buffer): { log2N: number; r: number; p: number } {
  const [log2N = 0, r = 0, p = 0] = header.subarray(OFFSET.log2N, OFFSET.salt);
  return { log2N, r, p };
}

function deriveKeys(passphrase: string, header: Buffer): Promise<Keys> {
  const { log2N, r, p } = toCost(header);
  const N = 2 ** log2N;
  const salt = header.subarray(OFFSET.salt, OFFSET.nonce);
  // Twice of what it needs: OpenSSL counts some more than 128 N r.
  const options = { N, r, p, maxmem: 2 * 128 * N * r };
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 2 * KEY_BYTES, options, (error, bytes) => {
      if (error !== null) reject(error);
      else
        resolve({ cipherKey: bytes.subarray(0, KEY_BYTES), checkKey: bytes.subarray(KEY_BYTES) });
    });
  });
}

function toCheck(header: Buffer, { checkKey }: Keys): Buffer {
  return createHmac('sha256', checkKey).update(header.subarray(0, OFFSET.check)).digest();
}

function toDigest(parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
