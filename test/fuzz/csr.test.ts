import { beforeAll, describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { derContext } from '../../src/x509/der/der-writer.js';
import { toCsrPem } from '../../src/x509/issue/index.js';
import { readCsr } from '../../src/x509/read/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import {
  buildCsr,
  derAttribute,
  derNames,
  GOOD,
  GOOD_RSA,
  OID,
  OPENSSL_KEYS,
  opensslCsr,
} from '../x509/csr-parts.js';
import { WEB } from '../x509/tools.js';
import { CsrMutations } from './csr-mutations.js';

// FUZZ_ROUNDS makes it longer. Mutated requests are refused by a MeshError. Where one is still a
// good request (a mutation may touch what means nothing), what was signed is byte for byte what the
// key's holder signed.

const ROUNDS = Math.max(10_000, Number(process.env['FUZZ_ROUNDS'] ?? 0));
const names = derAttribute(OID.extensionRequest, derNames({ uris: [WEB] }));

/** What a request's signature covers: the first value within it. */
function signedPart(der: Buffer): Buffer {
  // Outer tag and length are 4 bytes in all of SEEDS, the inner ones 3 or 4.
  const inner = der.subarray(4);
  const isLong = inner[1] === 0x82;
  const length = isLong ? inner.readUInt16BE(2) + 4 : (inner[2] ?? 0) + 3;
  return inner.subarray(0, length);
}

const seeds: Buffer[] = [];
beforeAll(() => {
  const subject = ['-subj', '/O=shop/CN=web', '-addext', `subjectAltName=URI:${WEB}`];
  seeds.push(
    buildCsr({ ...GOOD_RSA, attributes: derContext(0, names) }),
    readCsr(opensslCsr(...OPENSSL_KEYS['ec P-256'], ...subject)).der,
    readCsr(opensslCsr(...OPENSSL_KEYS['rsa 2048'], ...subject)).der,
    buildCsr({ attributes: derContext(0, names, derAttribute(OID.challengePassword, GOOD.spki)) }),
  );
});

describe(`${ROUNDS} mutated certificate requests`, () => {
  it('end in a MeshError, or in what the holder of the key signed', () => {
    const mutations = new CsrMutations(seededRandom('csr'));
    const refused = new Map<string, number>();
    let accepted = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const seed = seeds[round % seeds.length] ?? Buffer.alloc(0);
      const der = mutations.mutate(seed);
      try {
        const csr = readCsr(round % 3 === 0 ? toCsrPem(der) : der);
        expect(signedPart(csr.der), der.toString('base64')).toEqual(signedPart(seed));
        expect(seed.includes(csr.publicKeyDer)).toBe(true);
        accepted += 1;
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
      }
    }
    expect([...refused.keys()]).toEqual(['csr-invalid']);
    expect((refused.get('csr-invalid') ?? 0) + accepted).toBe(ROUNDS);
    expect(accepted).toBeLessThan(ROUNDS / 100);
  }, 60_000);

  it('of text: letters of the PEM changed, cut or doubled', () => {
    const random = seededRandom('csr-text');
    const mutations = new CsrMutations(random);
    let refused = 0;
    for (let round = 0; round < 2_000; round++) {
      const seed = seeds[round % seeds.length] ?? Buffer.alloc(0);
      const text = mutations.mutate(Buffer.from(toCsrPem(seed))).toString('latin1');
      try {
        expect(signedPart(readCsr(text).der)).toEqual(signedPart(seed));
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(1_500);
  }, 60_000);
});
