import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/base/index.js';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import type { KeyType } from '../../src/spiffe/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { type Chain, createCaChain, issueLeaf, type Names } from './issuers.js';
import { MemoryDataDir, temporaryFolder, WEB } from './tools.js';

const run = promisify(execFile);
const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);
const GO_MISSING = 'go is not on PATH: certificates are not tried in Go';
/** How many leaves of each key type, below each issuer: RSA keys take long to make. */
const LEAVES: Readonly<Record<KeyType, number>> = {
  'ecdsa-p256': 12,
  'ecdsa-p384': 6,
  'rsa-2048': 2,
  'rsa-3072': 1,
};
const LEAF_TYPES = Object.keys(LEAVES) as readonly KeyType[];
const ISSUER_TYPES: readonly KeyType[] = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072'];

async function createAuthority() {
  return loadOrCreateAuthority({
    dataDir: new MemoryDataDir(),
    trustDomain: 'shop.example',
    clock: new ManualClock(NOW_MS),
    random: systemRandom,
  });
}

const segment = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const dnsName = fc.stringMatching(/^[a-z0-9]{1,12}(\.[a-z0-9]{1,9}){0,2}$/);
// Go takes four numbers with dots for an address, which is no DNS name.
const dnsNames = fc.uniqueArray(dnsName, { maxLength: 4 });
const NAMES: fc.Arbitrary<Names> = fc.record({
  namespace: segment,
  serviceAccount: segment,
  dnsNames,
  ttlMs: fc.integer({ min: 10_000, max: 90 * DAY_MS }),
});

function hasGo(): boolean {
  return spawnSync('go', ['version']).status === 0;
}

describe.each(ISSUER_TYPES)('leaves below an issuing CA with a key of %s', (issuerType) => {
  let chain: Chain;
  let leaves: readonly (Awaited<ReturnType<typeof issueLeaf>> & { readonly names: Names })[];
  beforeAll(async () => {
    chain = await createCaChain(issuerType, NOW_MS);
    const types = LEAF_TYPES.flatMap((type) => Array.from({ length: LEAVES[type] }, () => type));
    const names = fc.sample(NAMES, { seed: 7, numRuns: types.length });
    const made = types.map(async (type, i) => {
      const named = names[i] ?? {
        namespace: 'n',
        serviceAccount: 's',
        dnsNames: [],
        ttlMs: DAY_MS,
      };
      const leaf = await issueLeaf({ chain, type, names: named, nowMs: NOW_MS });
      return { ...leaf, names: named };
    });
    leaves = await Promise.all(made);
    expect(leaves.length).toBe(21);
  });

  it('verify in openssl, strictly, for server and client', async () => {
    const folder = await temporaryFolder();
    const [root, untrusted] = [join(folder, 'root.pem'), join(folder, 'intermediate.pem')];
    await writeFile(root, chain.root.pem);
    await writeFile(untrusted, chain.issuer.pem);
    const files = leaves.map((_, i) => join(folder, `${i}.pem`));
    await Promise.all(leaves.map(({ pem }, i) => writeFile(files[i] ?? '', pem)));
    for (const purpose of ['sslserver', 'sslclient']) {
      const when = ['-attime', String(NOW_MS / 1000)];
      const options = [...when, '-x509_strict', '-check_ss_sig', '-purpose', purpose];
      const chain = ['-CAfile', root, '-untrusted', untrusted];
      const { stdout } = await run('openssl', ['verify', ...options, ...chain, ...files]);
      expect(stdout.trim().split('\n')).toEqual(files.map((file) => `${file}: OK`));
    }
  });

  it('verify in node:crypto, with their keys', () => {
    const issuer = new X509Certificate(chain.issuer.pem);
    const root = new X509Certificate(chain.root.pem);
    expect([issuer.checkIssued(root), issuer.verify(root.publicKey)]).toEqual([true, true]);
    const found = leaves.map(({ pem, facts }) => {
      const leaf = new X509Certificate(pem);
      const signed = [leaf.checkIssued(issuer), leaf.verify(issuer.publicKey)];
      return [...signed, leaf.raw.equals(facts.der), leaf.ca];
    });
    expect(found).toEqual(leaves.map(() => [true, true, true, false]));
  });

  it("verify in Go's strict parser, with their keys", (context) => {
    if (!hasGo()) {
      if (process.env['CI'] !== undefined) throw new Error(GO_MISSING);
      context.skip(GO_MISSING);
    }
    const entries = leaves.map(({ chainPem, keyPem, spiffeId, names }) => ({
      Root: chain.root.pem,
      Chain: chainPem,
      Key: keyPem,
      URI: spiffeId,
      DNSNames: names.dnsNames.filter((name) => !/^[\d.]+$/.test(name)),
      AtMs: NOW_MS,
    }));
    // One that must be refused, so that a checker which says "ok" to anything is noticed.
    const [first] = entries;
    const foreign = { ...first, DNSNames: ['elsewhere.example'] };
    const stdout = execFileSync('go', ['run', '.'], {
      cwd: join(import.meta.dirname, 'go-verify'),
      input: JSON.stringify([...entries, foreign]),
      env: { ...process.env, GOFLAGS: '-mod=mod', GO111MODULE: 'on', GOTOOLCHAIN: 'local' },
      encoding: 'utf8',
    });
    const lines = stdout.trim().split('\n');
    expect(lines.slice(0, -1)).toEqual(leaves.map(() => 'ok'));
    expect(lines.at(-1)).toMatch(/elsewhere\.example/);
  });

  it('have serials of 16 bytes that are all different', () => {
    const serials = leaves.map(({ facts }) => facts.serialHex);
    expect(serials.filter((serial) => !/^[4-7][0-9a-f]{31}$/.test(serial))).toEqual([]);
    expect(new Set(serials).size).toBe(leaves.length);
  });
});

describe('issued certificates', () => {
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
