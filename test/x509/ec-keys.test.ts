import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readPemBlock, toPemBlock } from '../../src/x509/der/pem.js';
import { type EcKeyType, generateEcKeys } from '../../src/x509/keys/ec-keys.js';
import { tryDerivePublicKey } from '../../src/x509/keys/index.js';

const TYPES: readonly EcKeyType[] = ['ecdsa-p256', 'ecdsa-p384'];

function toOpensslForm(privateKeyPem: string) {
  const key = createPrivateKey(privateKeyPem);
  return {
    privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }),
    publicKeyDer: createPublicKey(key).export({ type: 'spki', format: 'der' }),
  };
}

/** The key's DER with the byte at `at` (from the end where negative) changed. */
function withByte(pem: string, at: number, change: (byte: number) => number): string {
  const der = Buffer.from(readPemBlock('PRIVATE KEY', pem) ?? '');
  const place = at < 0 ? der.length + at : at;
  der[place] = change(der[place] ?? 0);
  return toPemBlock('PRIVATE KEY', der);
}

describe.each(TYPES)('%s', (type) => {
  const keys = generateEcKeys(type);

  it("is encoded byte for byte as OpenSSL's own encoder does", () => {
    const made = Array.from({ length: 20 }, () => generateEcKeys(type));
    for (const pair of made) expect(pair).toEqual(toOpensslForm(pair.privateKeyPem));
    expect(new Set(made.map(({ privateKeyPem }) => privateKeyPem)).size).toBe(20);
  });

  it('signs, and its public key verifies that', () => {
    const text = Buffer.from('text');
    const publicKey = createPublicKey({ key: keys.publicKeyDer, type: 'spki', format: 'der' });
    const signature = sign('sha256', text, keys.privateKeyPem);
    expect(verify('sha256', text, publicKey, signature)).toBe(true);
  });

  it('gives its public key again, as does one that OpenSSL made', () => {
    expect(tryDerivePublicKey(keys.privateKeyPem)).toEqual(keys.publicKeyDer);
    const { privateKey, publicKey } = generateKeyPairSync('ec', {
      namedCurve: type === 'ecdsa-p256' ? 'P-256' : 'P-384',
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    expect(tryDerivePublicKey(privateKey)).toEqual(publicKey);
  });

  const size = type === 'ecdsa-p256' ? 32 : 48;
  it.each([
    { name: 'another number', at: -2 * size - 8, change: (byte: number) => byte ^ 1 },
    { name: 'another point', at: -1, change: (byte: number) => byte ^ 1 },
    { name: 'another version', at: 5, change: () => 1 },
    { name: 'another kind of key', at: 17, change: () => 9 },
    { name: 'a byte that is not the encoding', at: 0, change: () => 0x31 },
  ])('with $name is not taken for the key', ({ at, change }) => {
    expect(tryDerivePublicKey(withByte(keys.privateKeyPem, at, change))).toBeUndefined();
  });
});

describe('an EC key', () => {
  it('whose number begins with zero bytes keeps its length', () => {
    // One in 256 does; of 4,000 none with a probability of 2 in ten million.
    const made = Array.from({ length: 4000 }, () => generateEcKeys('ecdsa-p256'));
    const short = made.filter(({ privateKeyPem }) => {
      const der = readPemBlock('PRIVATE KEY', privateKeyPem) ?? Buffer.alloc(0);
      return der[36] === 0;
    });
    expect(short).not.toEqual([]);
    for (const pair of short) {
      expect(pair).toEqual(toOpensslForm(pair.privateKeyPem));
      expect(tryDerivePublicKey(pair.privateKeyPem)).toEqual(pair.publicKeyDer);
    }
  });

  it.each([
    ['nothing', ''],
    ['words', 'secret words'],
    ['another block', toPemBlock('CERTIFICATE', Buffer.of(0x30, 0))],
    ['an empty sequence', toPemBlock('PRIVATE KEY', Buffer.of(0x30, 0))],
    [
      'an RSA key',
      generateKeyPairSync('rsa', {
        modulusLength: 2048,
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      }).privateKey,
    ],
    [
      'a key of another curve',
      generateKeyPairSync('ec', {
        namedCurve: 'P-521',
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      }).privateKey,
    ],
  ])('is not %s', (_name, pem) => {
    expect(tryDerivePublicKey(pem)).toBeUndefined();
  });
});
