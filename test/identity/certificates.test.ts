import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/base/index.js';
import { type KeyType, loadOrCreateAuthority, toSpiffeId } from '../../src/identity/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { MemoryDataDir, temporaryFolder, WEB } from './tools.js';

const run = promisify(execFile);
const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);
/** RSA keys take long to make: fewer of them. */
const KEY_TYPES: readonly KeyType[] = [
  'ecdsa-p256',
  'ecdsa-p384',
  'ecdsa-p256',
  'rsa-2048',
  'ecdsa-p256',
  'ecdsa-p384',
  'ecdsa-p256',
  'rsa-3072',
];

async function createAuthority() {
  return loadOrCreateAuthority({
    dataDir: new MemoryDataDir(),
    trustDomain: 'shop.example',
    clock: new ManualClock(NOW_MS),
    random: systemRandom,
  });
}

describe('issued certificates', () => {
  it('verify in openssl, for every key type and many names and lifetimes', async () => {
    const { authority } = await createAuthority();
    const folder = await temporaryFolder();
    const segment = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
    const requests = fc.sample(
      fc.record({
        namespace: segment,
        serviceAccount: segment,
        dnsNames: fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,12}(\.[a-z0-9]{1,9}){0,2}$/), {
          maxLength: 4,
        }),
        ttlMs: fc.integer({ min: 10_000, max: 90 * DAY_MS }),
      }),
      { seed: 7, numRuns: 24 },
    );
    expect(requests.length).toBe(24);
    const root = join(folder, 'root.pem');
    await writeFile(root, authority.trustAnchorsPem);
    const files: string[] = [];
    let intermediate = '';
    for (const [i, { dnsNames, ttlMs, ...names }] of requests.entries()) {
      const spiffeId = toSpiffeId({ trustDomain: 'shop.example', ...names });
      const key = KEY_TYPES[i % KEY_TYPES.length] ?? 'ecdsa-p256';
      const leaf = await authority.issueLeaf({ spiffeId, dnsNames, ttlMs, key });
      const file = join(folder, `${i}.pem`);
      await writeFile(file, leaf.chainPem);
      files.push(file);
      intermediate = leaf.chainPem.slice(leaf.chainPem.lastIndexOf('-----BEGIN'));
    }
    const untrusted = join(folder, 'intermediate.pem');
    await writeFile(untrusted, intermediate);
    for (const purpose of ['sslserver', 'sslclient']) {
      const when = ['-attime', String(NOW_MS / 1000)];
      const options = [...when, '-x509_strict', '-check_ss_sig', '-purpose', purpose];
      const chain = ['-CAfile', root, '-untrusted', untrusted];
      const { stdout } = await run('openssl', ['verify', ...options, ...chain, ...files]);
      expect(stdout.trim().split('\n')).toEqual(files.map((file) => `${file}: OK`));
    }
  });

  it('say in openssl what they were asked to say', async () => {
    const { authority } = await createAuthority();
    const dnsNames = ['web', 'web.default', 'web.default.mesh'];
    const leaf = await authority.issueLeaf({
      spiffeId: WEB,
      dnsNames,
      ttlMs: DAY_MS,
      key: 'ecdsa-p256',
    });
    const file = join(await temporaryFolder(), 'leaf.pem');
    await writeFile(file, leaf.chainPem);
    const { stdout } = await run('openssl', ['x509', '-in', file, '-noout', '-text']);
    expect(stdout).toContain(
      'X509v3 Subject Alternative Name: critical\n' +
        '                URI:spiffe://shop.example/ns/default/sa/web, ' +
        'DNS:web, DNS:web.default, DNS:web.default.mesh\n',
    );
    expect(stdout).toContain('X509v3 Key Usage: critical\n                Digital Signature\n');
    expect(stdout).toContain('X509v3 Basic Constraints: critical\n                CA:FALSE\n');
    expect(stdout).toContain('TLS Web Server Authentication, TLS Web Client Authentication');
    expect(stdout).toMatch(/Subject: *\n/);
  });

  it('form a chain to the root in node:crypto', async () => {
    const { authority } = await createAuthority();
    const request = { spiffeId: WEB, dnsNames: ['web'], ttlMs: DAY_MS, key: 'ecdsa-p384' } as const;
    const { chainPem, keyType } = await authority.issueLeaf(request);
    const [leafPem, intermediatePem] = chainPem.match(/-----BEGIN[\s\S]+?-----END.*-----\n/g) ?? [];
    const leaf = new X509Certificate(leafPem ?? '');
    const intermediate = new X509Certificate(intermediatePem ?? '');
    const root = new X509Certificate(authority.trustAnchorsPem);
    expect(keyType).toBe('ecdsa-p384');
    expect(leaf.checkIssued(intermediate)).toBe(true);
    expect(leaf.verify(intermediate.publicKey)).toBe(true);
    expect(intermediate.checkIssued(root)).toBe(true);
    expect(intermediate.verify(root.publicKey)).toBe(true);
    expect(leaf.checkHost('web')).toBe('web');
    expect([leaf.ca, intermediate.ca, root.ca]).toEqual([false, true, true]);
    expect(authority.vouchesFor(chainPem)).toBe(true);
    const { authority: other } = await createAuthority();
    expect(other.vouchesFor(chainPem)).toBe(false);
  });
});
