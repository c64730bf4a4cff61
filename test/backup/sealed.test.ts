import { createDecipheriv, createHash, createHmac, scryptSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seal, unseal } from '../../src/backup/sealed.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { meshErrorOf } from '../x509/tools.js';

const PASSPHRASE = 'correct horse battery';
/** The cheapest that a file may have: the cost is not what is tested. */
const LOG2_N = 14;
const SECRET = 'SECRET'.repeat(20);
const FILE = await seal(Buffer.from(SECRET), {
  passphrase: PASSPHRASE,
  random: seededRandom('seal'),
  log2N: LOG2_N,
});

const changed = (change: (file: Buffer) => void): Buffer => {
  const file = Buffer.from(FILE);
  change(file);
  return file;
};

/** As somebody would who knows the layout. */
const withDigest = (file: Buffer): Buffer => {
  const body = file.subarray(0, -32);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
};

describe('a sealed file', () => {
  it('has what the layout says, and nothing of its content', () => {
    expect(FILE.subarray(0, 20)).toEqual(
      Buffer.concat([Buffer.from('countersign-seal'), Buffer.from([1, LOG2_N, 8, 1])]),
    );
    expect(FILE.readBigUInt64BE(48)).toBe(BigInt(SECRET.length));
    expect(FILE.length).toBe(88 + SECRET.length + 16 + 32);
    expect(FILE.toString('latin1')).not.toContain('SECRET');
  });

  it('is opened by decision 016 alone', () => {
    const [salt, nonce, check] = [
      FILE.subarray(20, 36),
      FILE.subarray(36, 48),
      FILE.subarray(56, 88),
    ];
    const keys = scryptSync(PASSPHRASE, salt, 64, { N: 2 ** LOG2_N, r: 8, p: 1 });
    const mac = createHmac('sha256', keys.subarray(32)).update(FILE.subarray(0, 56)).digest();
    expect(mac).toEqual(check);
    const decipher = createDecipheriv('aes-256-gcm', keys.subarray(0, 32), nonce);
    decipher.setAAD(FILE.subarray(0, 88)).setAuthTag(FILE.subarray(-48, -32));
    const content = [decipher.update(FILE.subarray(88, -48)), decipher.final()];
    expect(Buffer.concat(content).toString()).toBe(SECRET);
  });

  it('by default costs N=2^17, and no two are alike', async () => {
    const random = seededRandom('two');
    const [a, b] = [
      await seal(Buffer.from(SECRET), { passphrase: PASSPHRASE, random }),
      await seal(Buffer.from(SECRET), { passphrase: PASSPHRASE, random }),
    ];
    expect([...a.subarray(16, 20)]).toEqual([1, 17, 8, 1]);
    for (const [from, to] of [
      [20, 36],
      [36, 48],
      [88, 100],
    ]) {
      expect(a.subarray(from, to)).not.toEqual(b.subarray(from, to));
    }
    expect((await unseal(b, PASSPHRASE)).toString()).toBe(SECRET);
  });

  it('any content comes back with the passphrase, and with no other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.string({ minLength: 1, unit: 'binary' }),
        async (bytes, passphrase) => {
          const random = seededRandom(`${bytes.length}`);
          const file = await seal(Buffer.from(bytes), { passphrase, random, log2N: LOG2_N });
          expect(await unseal(file, passphrase)).toEqual(Buffer.from(bytes));
          const { code } = await meshErrorOf(() => unseal(file, `${passphrase}x`));
          expect(code).toBe('passphrase-wrong');
        },
      ),
      { numRuns: 20, seed: 5 },
    );
  }, 60_000);

  const damaged = 'expected the bytes that were written but got others';
  const short = (size: number): string =>
    `expected ${FILE.length} bytes but it is cut short at ${size} bytes`;
  it.each<[string, Buffer, string, string]>([
    [
      'empty',
      FILE.subarray(0, 0),
      'backup-damaged',
      'expected a whole header but it is cut short at 0 bytes',
    ],
    [
      'within the magic',
      FILE.subarray(0, 9),
      'backup-damaged',
      'expected a whole header but it is cut short at 9 bytes',
    ],
    [
      'within the header',
      FILE.subarray(0, 60),
      'backup-damaged',
      'expected a whole header but it is cut short at 60 bytes',
    ],
    ['the header alone', FILE.subarray(0, 88), 'backup-damaged', short(88)],
    ['without its last byte', FILE.subarray(0, -1), 'backup-damaged', short(FILE.length - 1)],
    ['with a byte more', Buffer.concat([FILE, Buffer.of(0)]), 'backup-damaged', damaged],
    [
      'a zip',
      Buffer.from('PK\x03\x04'.padEnd(400)),
      'backup-invalid',
      'expected a file that countersign sealed but got another',
    ],
    [
      'another version',
      changed((file) => file.writeUInt8(2, 16)),
      'backup-invalid',
      'expected a sealed file of version 1 but got version 2',
    ],
    ['a salt changed', changed((file) => file.writeUInt8(1, 20)), 'backup-damaged', damaged],
    [
      'a bit of the content',
      changed((file) => file.writeUInt8((file[100] ?? 0) ^ 1, 100)),
      'backup-damaged',
      damaged,
    ],
    [
      'more memory than a file may ask for',
      withDigest(changed((file) => file.writeUInt8(30, 17))),
      'backup-invalid',
      'expected scrypt with N=2^14 to 2^20, r=8, p=1 but got N=2^30, r=8, p=1',
    ],
    [
      'next to no cost',
      withDigest(changed((file) => file.writeUInt8(1, 17))),
      'backup-invalid',
      'expected scrypt with N=2^14 to 2^20, r=8, p=1 but got N=2^1, r=8, p=1',
    ],
    [
      'r of 200',
      withDigest(changed((file) => file.writeUInt8(200, 18))),
      'backup-invalid',
      'expected scrypt with N=2^14 to 2^20, r=8, p=1 but got N=2^14, r=200, p=1',
    ],
    [
      'a nonce changed by hand',
      withDigest(changed((file) => file.writeUInt8(1, 36))),
      'passphrase-wrong',
      'expected the passphrase of this file but got another',
    ],
    [
      'content changed by hand',
      withDigest(changed((file) => file.writeUInt8((file[100] ?? 0) ^ 1, 100))),
      'backup-damaged',
      'expected its content as it was sealed but somebody has changed it',
    ],
    [
      'a tag changed by hand',
      withDigest(changed((file) => file.writeUInt8((file.at(-33) ?? 0) ^ 1, file.length - 33))),
      'backup-damaged',
      'expected its content as it was sealed but somebody has changed it',
    ],
  ])('is refused: %s', async (_name, file, code, message) => {
    const error = await meshErrorOf(() => unseal(file, PASSPHRASE));
    expect({ code: error.code, message: error.message }).toEqual({ code, message });
    expect(`${error.message} ${error.hint}`).not.toContain(PASSPHRASE);
  });

  it('is refused with any one byte changed', async () => {
    const offsets = [...FILE.keys()];
    expect(offsets).toHaveLength(FILE.length);
    for (const offset of offsets) {
      const file = changed((bytes) => bytes.writeUInt8((bytes[offset] ?? 0) ^ 0x80, offset));
      const { code } = await meshErrorOf(() => unseal(file, PASSPHRASE));
      expect(['backup-damaged', 'backup-invalid']).toContain(code);
    }
  });
});
