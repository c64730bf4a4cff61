// A real step-ca signs: every key type, under every kind of root, as openssl sees it; and what it
// refuses is told in its own words.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { StepCaAuthority } from '../../src/ca/step-ca/index.js';
import { readProvisionerKey, readRoots } from '../../src/ca/step-ca/settings.js';
import { type KeyType, parseSpiffeId } from '../../src/spiffe/index.js';
import { createCsr } from '../../src/x509/issue/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { splitPem, toPem } from '../../src/x509/read/index.js';
import { useHarness } from '../harness/index.js';
import { describeStepCa } from '../harness/require-step-ca.js';
import { createStepCa, type StepCa, type StepCaOptions } from '../harness/step-ca.js';
import { meshErrorOf } from '../x509/tools.js';

const WEB = parseSpiffeId('spiffe://shop.example/ns/default/sa/web');
const NAMES = { spiffeId: WEB, dnsNames: ['web', 'web.default', 'web.default.mesh'] };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KEYS: readonly KeyType[] = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072'];

describeStepCa('step-ca', (binary) => {
  const harness = useHarness('step-ca');
  const closers: (() => unknown)[] = [];
  let dir = '';

  async function start(options: Partial<StepCaOptions> = {}): Promise<StepCa> {
    const pool = await harness.addresses();
    const address = pool.address();
    const port = await pool.port(address);
    const stepCa = await createStepCa(harness, {
      binary,
      dir: await harness.tempDir(),
      address,
      port,
      ...options,
    });
    harness.onDump('step-ca.log', () => stepCa.log().join('\n'));
    harness.defer('step-ca', () => stepCa.kill());
    await stepCa.start();
    return stepCa;
  }

  async function open(stepCa: StepCa, provisioner = stepCa.provisioner): Promise<StepCaAuthority> {
    const trustDomain = 'shop.example';
    const authority = new StepCaAuthority({
      trustDomain,
      url: stepCa.url,
      roots: await readRoots(stepCa, { trustDomain, nowMs: systemClock.now() }),
      provisioner,
      provisionerKey: () => readProvisionerKey(stepCa),
      clock: systemClock,
      random: systemRandom,
    });
    closers.push(() => authority.close());
    return authority;
  }

  function opensslVerify(stepCa: StepCa, chainPem: string): string {
    const [leaf = '', ...above] = splitPem(chainPem).map(toPem);
    const [leafPath, abovePath] = [join(dir, 'leaf.pem'), join(dir, 'above.pem')];
    writeFileSync(leafPath, leaf);
    writeFileSync(abovePath, above.join(''));
    const trust = ['-x509_strict', '-CAfile', stepCa.rootPath, '-untrusted', abovePath];
    const args = ['verify', ...trust, '-purpose', 'sslserver', leafPath];
    return execFileSync('openssl', args).toString().trim();
  }

  beforeAll(async () => {
    dir = await harness.tempDir();
  });
  afterAll(() => {
    for (const close of closers) close();
  });

  test.each(['ecdsa-p256', 'ecdsa-p384', 'rsa-2048'] as const)(
    'a root of %s signs leaves of every key type',
    async (root) => {
      const stepCa = await start({ key: root });
      const authority = await open(stepCa);
      for (const key of KEYS) {
        const leaf = await authority.issueLeaf({ ...NAMES, ttlMs: DAY_MS, key });
        expect(opensslVerify(stepCa, leaf.chainPem)).toBe(`${join(dir, 'leaf.pem')}: OK`);
        expect(leaf).toMatchObject({ ...NAMES, keyType: key });
        expect(leaf.notAfterMs - leaf.issuedAtMs).toBeLessThanOrEqual(DAY_MS);
        expect(leaf.notAfterMs - leaf.issuedAtMs).toBeGreaterThan(DAY_MS - 10_000);
        expect(authority.vouchesFor(leaf.chainPem)).toBe(true);
      }
    },
    // Large RSA keys take a while to make on a busy machine.
    60_000,
  );

  test('a key that its holder keeps, by the holder’s request', async () => {
    const authority = await open(await start());
    const keys = await generateKeys('ecdsa-p256');
    const { publicKeyDer } = keys;
    const order = { ...NAMES, ttlMs: HOUR_MS, publicKeyDer };
    for (const uris of [[], [WEB]]) {
      const csrDer = createCsr({ keys, uris });
      expect(await authority.certify({ ...order, csrDer })).toMatchObject(NAMES);
    }
    const csrDer = createCsr({ keys, uris: ['spiffe://shop.example/ns/default/sa/admin'] });
    const refused = await meshErrorOf(() => authority.certify({ ...order, csrDer }));
    expect(refused.message).toContain('refused a certificate (403)');
    expect(refused.message).toContain('does not contain the valid URIs');
  });

  test.each(['ES384', 'RS256'] as const)('tokens by a provisioner of %s', async (alg) => {
    const authority = await open(await start({ tokenAlgorithm: alg }));
    const request = { ...NAMES, ttlMs: DAY_MS, key: 'ecdsa-p256' } as const;
    expect(await authority.issueLeaf(request)).toMatchObject(NAMES);
  });

  test('a SPIFFE ID that is too long for a common name', async () => {
    const authority = await open(await start());
    const spiffeId = parseSpiffeId(`spiffe://shop.example/ns/default/sa/${'a'.repeat(63)}`);
    const request = { spiffeId, dnsNames: [], ttlMs: HOUR_MS, key: 'ecdsa-p256' } as const;
    expect(await authority.issueLeaf(request)).toMatchObject({ spiffeId, dnsNames: [] });
  });

  test('an issuer that ends soon: the leaf ends with it', async () => {
    const notAfterMs = Math.floor(systemClock.now() / 1000) * 1000 + HOUR_MS;
    const authority = await open(await start({ intermediate: { notAfterMs } }));
    const leaf = await authority.issueLeaf({ ...NAMES, ttlMs: DAY_MS, key: 'ecdsa-p256' });
    expect(leaf.notAfterMs).toBe(notAfterMs);
  });

  test.each([
    ['shorter than the provisioner allows', 60_000, 'less than the authorized minimum'],
    ['longer than the provisioner allows', 2 * DAY_MS, 'more than the authorized maximum'],
  ])('a lifetime %s', async (_name, ttlMs, words) => {
    const authority = await open(await start());
    const error = await meshErrorOf(() =>
      authority.issueLeaf({ ...NAMES, ttlMs, key: 'ecdsa-p256' }),
    );
    expect(error.code).toBe('outside-ca-refused');
    expect(error.message).toContain(words);
    expect(error.hint).toContain('minTLSCertDuration and maxTLSCertDuration');
  });

  test('a provisioner that it does not know', async () => {
    const authority = await open(await start(), 'other');
    const error = await meshErrorOf(() =>
      authority.issueLeaf({ ...NAMES, ttlMs: DAY_MS, key: 'ecdsa-p256' }),
    );
    expect(error.code).toBe('outside-ca-refused');
    expect(error.message).toContain('refused a certificate (401)');
    expect(error.hint).toContain('provisioner must name a JWK provisioner');
  });

  test('a policy that allows the trust domain alone', async () => {
    const names = { uri: ['shop.example'], dns: ['web', 'web.default', 'web.default.mesh'] };
    const authority = await open(await start({ policy: { x509: { allow: names } } }));
    const request = { ...NAMES, ttlMs: DAY_MS, key: 'ecdsa-p256' } as const;
    expect(await authority.issueLeaf(request)).toMatchObject(NAMES);
    const spiffeId = parseSpiffeId('spiffe://corp.example/ns/default/sa/web');
    const error = await meshErrorOf(() => authority.issueLeaf({ ...request, spiffeId }));
    expect(error.message).toContain('refused a certificate (403)');
    expect(error.message).toContain('not allowed');
  });

  test('another CA at the same address', async () => {
    const [stepCa, other] = [await start(), await start()];
    const authority = await open({ ...stepCa, url: other.url });
    const error = await meshErrorOf(() =>
      authority.issueLeaf({ ...NAMES, ttlMs: DAY_MS, key: 'ecdsa-p256' }),
    );
    expect(error.code).toBe('outside-ca-unreachable');
    expect(error.message).toContain('but https://');
    expect(error.message).toContain('showed one that ends at another root');
  });
});
