import { expect, it } from 'vitest';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import type { HandedOutCredential } from '../../src/leaves/handed-out.js';
import {
  forgetEnded,
  listHandedOut,
  readHandedOut,
  recordHandedOut,
} from '../../src/leaves/index.js';
import { generateKeys, sha256Hex } from '../../src/x509/keys/index.js';
import { splitPem } from '../../src/x509/read/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { MemoryDataDir, WEB } from '../x509/tools.js';

const HOUR_MS = 3_600_000;

async function certify(dataDir: MemoryDataDir, clock = new ManualClock()) {
  const random = seededRandom('handed-out');
  const trustDomain = 'shop.example';
  const { authority } = await loadOrCreateAuthority({ dataDir, trustDomain, clock, random });
  const { publicKeyDer } = await generateKeys('ecdsa-p256');
  return authority.certify({ spiffeId: WEB, dnsNames: [], ttlMs: HOUR_MS, publicKeyDer });
}

const CREDENTIALS: readonly HandedOutCredential[] = [
  { kind: 'token', id: 'abc' },
  { kind: 'certificate', serialHex: '4a' },
  { kind: 'issuer-token', issuer: 'https://id.example' },
];

it.each(CREDENTIALS)('is recorded with what its holder showed: $kind', async (credential) => {
  const dataDir = new MemoryDataDir();
  const certificate = await certify(dataDir);
  const { serialHex, spiffeId, notBeforeMs, notAfterMs, issuedAtMs, chainPem } = certificate;
  await recordHandedOut(dataDir, { certificate, service: 'web', node: 'web~a', credential });
  const [fingerprintSha256, issuerSha256] = splitPem(chainPem).map((der) => sha256Hex(der));
  expect(await listHandedOut(dataDir)).toEqual([
    {
      ...{ serialHex, spiffeId, notBeforeMs, notAfterMs, issuedAtMs },
      ...{ fingerprintSha256, issuerSha256, service: 'web', node: 'web~a', credential },
    },
  ]);
});

it("an earlier version's files stay readable, and are forgotten in their time", async () => {
  const dataDir = new MemoryDataDir();
  const times = { notBeforeMs: 0, notAfterMs: HOUR_MS, issuedAtMs: 0 };
  const old = { serialHex: '4a01', service: 'web', spiffeId: WEB, ...times };
  dataDir.files.set('handed-out/4a01.json', JSON.stringify({ version: 1, ...old }));
  expect(await listHandedOut(dataDir)).toEqual([old]);
  await forgetEnded(dataDir, 25 * HOUR_MS);
  expect(await listHandedOut(dataDir)).toEqual([old]);
  await forgetEnded(dataDir, 25 * HOUR_MS + 1);
  expect(await listHandedOut(dataDir)).toEqual([]);
});

it('a damaged file is named', async () => {
  const dataDir = new MemoryDataDir();
  dataDir.files.set('handed-out/4a01.json', '{"version":1}');
  expect(await readHandedOut(dataDir)).toEqual({ records: [], damaged: ['handed-out/4a01.json'] });
});
