import { beforeAll, expect, test } from 'vitest';
import { type Authority, loadOrCreateAuthority } from '../../src/ca/index.js';
import { checkReceived } from '../../src/leaves/index.js';
import type { Received } from '../../src/leaves/received.js';
import { generateKeys, type KeyPair } from '../../src/x509/keys/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { MemoryDataDir, meshErrorOf, WEB } from '../x509/tools.js';

const HOUR_MS = 3_600_000;
const clock = new ManualClock();

async function createAuthority(seed: string): Promise<Authority> {
  const identity = { dataDir: new MemoryDataDir(), clock, random: seededRandom(seed) };
  const { authority } = await loadOrCreateAuthority({ ...identity, trustDomain: 'shop.example' });
  return authority;
}

let good: Received;
let authority: Authority;
let other: Authority;
let keys: KeyPair;
let intermediatePem: string;
beforeAll(async () => {
  authority = await createAuthority('one');
  other = await createAuthority('two');
  keys = await generateKeys('ecdsa-p256');
  const { publicKeyDer, privateKeyPem: keyPem } = keys;
  const request = { spiffeId: WEB, dnsNames: ['web.default'], ttlMs: HOUR_MS, publicKeyDer };
  const { chainPem } = await authority.certify(request);
  intermediatePem = chainPem.slice(chainPem.indexOf('-----BEGIN', 1));
  good = { chainPem, anchorsPem: authority.trustAnchorsPem, keyPem, nowMs: clock.now() };
});

const leafOf = ({ chainPem }: Received): string =>
  chainPem.slice(0, chainPem.indexOf('-----BEGIN', 1));

test.each<[name: string, changed: () => Partial<Received>]>([
  ['as it comes', () => ({})],
  [
    'with another root beside its own',
    () => ({ anchorsPem: other.trustAnchorsPem + authority.trustAnchorsPem }),
  ],
  [
    'with more behind the part that leads to a root',
    () => ({ chainPem: good.chainPem + other.trustAnchorsPem }),
  ],
  ['a moment before its end', () => ({ nowMs: clock.now() + HOUR_MS - 1 })],
])('a good one: %s', (_name, changed) => {
  expect(checkReceived({ ...good, ...changed() })).toMatchObject({
    spiffeId: WEB,
    dnsNames: ['web.default'],
    notAfterMs: clock.now() + HOUR_MS,
  });
});

const PATH = 'expected a chain that ends at the anchors that came with it but got another';
test.each<
  [name: string, changed: () => Partial<Received> | Promise<Partial<Received>>, told: string]
>([
  ['no certificate', () => ({ chainPem: '' }), 'expected certificates in PEM but got none'],
  ['no anchor', () => ({ anchorsPem: '' }), 'expected certificates in PEM but got none'],
  ['anchors of another', () => ({ anchorsPem: other.trustAnchorsPem }), PATH],
  ['without its intermediate', () => ({ chainPem: leafOf(good) }), PATH],
  [
    'in another order',
    () => ({ chainPem: intermediatePem + leafOf(good) }),
    'expected the certificate of a service but got that of an authority',
  ],
  [
    'another key',
    async () => ({ keyPem: (await generateKeys('ecdsa-p256')).privateKeyPem }),
    'expected a certificate for the key that was made for it but got one for another',
  ],
  [
    'at its end',
    () => ({ nowMs: clock.now() + HOUR_MS }),
    'expected certificates in force at 2026-01-01T01:00:00.000Z but got one of ' +
      '2025-12-31T23:55:00.000Z to 2026-01-01T01:00:00.000Z',
  ],
  [
    'before its begin',
    () => ({ nowMs: clock.now() - HOUR_MS }),
    'expected certificates in force at 2025-12-31T23:00:00.000Z but got one of ' +
      '2025-12-31T23:55:00.000Z to 2026-01-01T01:00:00.000Z',
  ],
])('refused: %s', async (_name, changed, told) => {
  const changes = await changed();
  expect(await meshErrorOf(() => checkReceived({ ...good, ...changes }))).toMatchObject({
    code: 'certificate-invalid',
    message: told,
  });
});
