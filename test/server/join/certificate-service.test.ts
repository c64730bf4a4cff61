import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Authority, loadOrCreateAuthority } from '../../../src/ca/index.js';
import type { Caller } from '../../../src/grpc/index.js';
import { listHandedOut } from '../../../src/leaves/index.js';
import { type Mesh, parseMesh } from '../../../src/policy/index.js';
import { CERTIFICATE_RATE } from '../../../src/server/join/certificate-service.js';
import type { Proof } from '../../../src/server/join/index.js';
import { createCertificateService } from '../../../src/server/join/index.js';
import type { Credential } from '../../../src/server/join/proof.js';
import { createCsr, toCsrPem } from '../../../src/x509/issue/index.js';
import { generateKeys, type KeyPair } from '../../../src/x509/keys/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { diskFull, MemoryDataDir, meshErrorOf } from '../../x509/tools.js';

const LEDGER = 'spiffe://shop.example/ns/payments/sa/ledger';
const MESH_TEXT = `
trustDomain: shop.example
certificates: { ttl: 6h }
services:
  web: { ports: { 8080: http } }
  payments/ledger: { certificates: { ttl: 1h }, ports: { 9000: tcp } }
`;
const HOUR_MS = 3_600_000;
const TOKEN: Credential = { kind: 'token', id: 'token-1', keyId: 'key', expiresAtMs: 0 };
const CALLER: Caller = { address: '10.0.0.3', authorization: undefined, certificate: undefined };

let mesh: Mesh;
let keys: KeyPair;
let csr: string;
beforeAll(async () => {
  const parsed = parseMesh([{ path: 'mesh.yaml', text: MESH_TEXT }]).mesh;
  if (parsed === undefined) throw new Error('expected a good mesh');
  mesh = parsed;
  keys = await generateKeys('ecdsa-p256');
  csr = toCsrPem(createCsr({ keys }));
});

async function start(proof: Partial<Proof> = {}) {
  const clock = new ManualClock();
  const dataDir = new MemoryDataDir();
  const logger = recordingLogger();
  const identity = { dataDir, clock, random: seededRandom('certificates') };
  const { authority } = await loadOrCreateAuthority({ ...identity, trustDomain: 'shop.example' });
  let certified = 0;
  const counted: Authority = {
    ...{ trustDomain: authority.trustDomain, trustAnchorsPem: authority.trustAnchorsPem },
    issueLeaf: (request) => authority.issueLeaf(request),
    vouchesFor: (chainPem) => authority.vouchesFor(chainPem),
    isCurrent: (chainPem) => authority.isCurrent(chainPem),
    describe: () => authority.describe(),
    certify(request) {
      certified += 1;
      return authority.certify(request);
    },
  };
  const issue = createCertificateService({
    ...{ clock, logger, dataDir, authority: counted, mesh: () => mesh },
    prove: async () => ({ service: 'payments/ledger', credential: TOKEN, ...proof }) as Proof,
  });
  const ask = (changes: { csr?: string; validityS?: number } = {}) =>
    issue({ caller: CALLER, csr, validityS: 0, ...changes });
  return { ask, clock, dataDir, logger, authority, certified: () => certified };
}

const serialOf = (pem = ''): string =>
  new X509Certificate(pem).serialNumber.toLowerCase().replace(/^0+/, '');

test("the service's own names, for the requester's key; recorded and logged", async () => {
  const { ask, clock, dataDir, logger, authority } = await start({ instance: 'a' });
  const [leafPem, intermediatePem, ...anchors] = await ask();
  const leaf = new X509Certificate(leafPem ?? '');
  const intermediate = new X509Certificate(intermediatePem ?? '');
  expect(anchors).toEqual([authority.trustAnchorsPem]);
  expect(leaf.verify(intermediate.publicKey)).toBe(true);
  expect(leaf.publicKey.export({ type: 'spki', format: 'der' })).toEqual(keys.publicKeyDer);
  expect(leaf.subjectAltName).toBe(`URI:${LEDGER}, DNS:ledger.payments, DNS:ledger.payments.mesh`);
  const serial = serialOf(leafPem);
  const notAfterMs = clock.now() + HOUR_MS;
  expect(await listHandedOut(dataDir)).toEqual([
    {
      ...{ serialHex: serial, service: 'payments/ledger', spiffeId: LEDGER },
      ...{ notBeforeMs: clock.now() - 300_000, notAfterMs, issuedAtMs: clock.now() },
      fingerprintSha256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
      issuerSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      node: 'payments/ledger~a',
      credential: { kind: 'token', id: 'token-1' },
    },
  ]);
  const fields = { service: 'payments/ledger', node: 'payments/ledger~a', serial, notAfterMs };
  expect(logger.lines).toEqual([
    {
      level: 'info',
      message: 'certificate handed out',
      fields: { ...fields, ttlMs: HOUR_MS, credential: 'token token-1', peer: '10.0.0.3' },
    },
  ]);
});

describe('how long it lives', () => {
  test.each([
    ['the mesh decides', 0, HOUR_MS],
    ['shorter is granted', 10, 10_000],
    ['longer is cut', 86_400, HOUR_MS],
    ['absurdly longer too', Number.MAX_SAFE_INTEGER, HOUR_MS],
  ])('%s: %d s', async (_name, validityS, livesMs) => {
    const { ask, clock } = await start();
    const [leaf = ''] = await ask({ validityS });
    expect(Date.parse(new X509Certificate(leaf).validTo)).toBe(clock.now() + livesMs);
  });

  test.each([9, -1, Number.NaN])('%d s is refused', async (validityS) => {
    const { ask, certified } = await start();
    const least = "expected a validity_duration of at least 10 s, or 0 for the mesh's";
    const message = `${least}, but got ${validityS}`;
    expect(await meshErrorOf(() => ask({ validityS }))).toMatchObject({
      code: 'request-invalid',
      message,
    });
    expect(certified()).toBe(0);
  });
});

describe('refused, and nothing is signed', () => {
  test('a service that the mesh no longer declares', async () => {
    const { ask, certified } = await start({ service: 'gone' as Proof['service'] });
    expect((await meshErrorOf(ask)).code).toBe('service-unknown');
    expect(certified()).toBe(0);
  });

  test('a request for another identity', async () => {
    const { ask, certified } = await start();
    const uris = ['spiffe://shop.example/ns/default/sa/web'];
    const wrong = toCsrPem(createCsr({ keys, uris }));
    expect((await meshErrorOf(() => ask({ csr: wrong }))).code).toBe('csr-wrong-identity');
    expect(certified()).toBe(0);
    await ask({ csr: toCsrPem(createCsr({ keys, uris: [LEDGER] })) });
    expect(certified()).toBe(1);
  });

  test('a request that is none', async () => {
    const { ask, certified } = await start();
    expect((await meshErrorOf(() => ask({ csr: 'x' }))).code).toBe('csr-invalid');
    expect(certified()).toBe(0);
  });

  test('more than its rate, until time has passed', async () => {
    const { ask, certified, clock } = await start();
    // A request that is no good counts too: each costs a check.
    for (let i = 0; i < CERTIFICATE_RATE.burst; i++) await meshErrorOf(() => ask({ csr: 'x' }));
    expect(await meshErrorOf(ask)).toMatchObject({
      code: 'resource-limit',
      message:
        'expected at most 200 certificates at once and 5 a second for service "payments/ledger"',
    });
    clock.advance(200);
    await ask();
    expect(certified()).toBe(1);
    expect((await meshErrorOf(ask)).code).toBe('resource-limit');
  });
});

test('what cannot be recorded is not handed out', async () => {
  const { ask, dataDir, logger, certified } = await start();
  dataDir.beforeWrite = () => {
    throw diskFull();
  };
  expect((await meshErrorOf(ask)).code).toBe('data-unwritable');
  expect({ certified: certified(), logged: logger.lines }).toEqual({ certified: 1, logged: [] });
});

test('a renewal by certificate keeps its binding, and what the line began with', async () => {
  const addresses = ['10.0.0.7'];
  const proof: { -readonly [K in keyof Proof]?: Proof[K] } = { instance: 'a', addresses };
  const first = await start(proof);
  const { dataDir, clock } = first;
  let [leaf] = await first.ask();
  for (let renewal = 0; renewal < 2; renewal++) {
    const issue = createCertificateService({
      ...{ clock, logger: recordingLogger(), dataDir, authority: first.authority },
      mesh: () => mesh,
      prove: async () =>
        ({
          service: 'payments/ledger',
          credential: { kind: 'certificate', serialHex: serialOf(leaf), notAfterMs: 0 },
        }) as Proof,
    });
    const before = serialOf(leaf);
    [leaf] = await issue({ caller: CALLER, csr, validityS: 0 });
    const record = (await listHandedOut(dataDir)).find(
      ({ serialHex }) => serialHex === serialOf(leaf),
    );
    expect(record).toMatchObject({
      ...{ node: 'payments/ledger~a', addresses },
      credential: { kind: 'certificate', serialHex: before },
      origin: { kind: 'token', id: 'token-1' },
    });
  }
});
