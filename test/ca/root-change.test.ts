import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createCaChain, loadAuthority, loadOrCreateAuthority } from '../../src/ca/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { readCertificate, splitPem, toPem } from '../../src/x509/read/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import {
  diskFull,
  expectNoKey,
  MemoryDataDir,
  meshErrorOf,
  temporaryFolder,
  WEB,
} from '../x509/tools.js';

const DAY_MS = 86_400_000;
const FILE = 'authority.json';
const REQUEST = { spiffeId: WEB, dnsNames: ['web'], ttlMs: DAY_MS, key: 'ecdsa-p256' } as const;
const DOMAIN = 'shop.example';

async function setup(passphrase?: string) {
  const dataDir = new MemoryDataDir();
  const clock = new ManualClock(Date.UTC(2026, 10, 1));
  const random = seededRandom('root-change');
  const options = { dataDir, clock, random, trustDomain: DOMAIN, passphrase };
  const { authority } = await loadOrCreateAuthority(options);
  const next = await createCaChain(DOMAIN, { clock, random, keySource: generateKeys });
  const reload = () => loadAuthority(options);
  return { dataDir, clock, options, authority, next, reload };
}

const count = (pem: string): number => splitPem(pem).length;

/** Verifies a leaf as an OpenSSL client does that trusts these roots and is given this chain. */
async function verify(chainPem: string, rootsPem: string): Promise<string> {
  const folder = await temporaryFolder();
  const [leaf = Buffer.alloc(0), ...rest] = splitPem(chainPem);
  const file = async (name: string, pem: string): Promise<string> => {
    await writeFile(join(folder, name), pem);
    return join(folder, name);
  };
  const at = Math.floor(readCertificate(leaf).notBeforeMs / 1000) + 600;
  const args = ['verify', '-x509_strict', '-attime', String(at)];
  const trusted = ['-CAfile', await file('roots.pem', rootsPem)];
  const untrusted = ['-untrusted', await file('chain.pem', rest.map(toPem).join(''))];
  const own = await file('leaf.pem', toPem(leaf));
  return execFileSync('openssl', [...args, ...trusted, ...untrusted, own], { encoding: 'utf8' });
}

describe('a change of root', () => {
  it('trusts both, signs by the new one, forgets the old one; each over a restart', async () => {
    const { authority, next, reload } = await setup();
    const oldRoot = authority.trustAnchorsPem;
    const old = await authority.issueLeaf(REQUEST);
    await authority.beginChange(next);
    expect([count(authority.trustAnchorsPem), authority.change?.stage]).toEqual([2, 'trust']);
    const during = await authority.issueLeaf(REQUEST);
    expect([authority.isCurrent(old.chainPem), authority.isCurrent(during.chainPem)]).toEqual([
      true,
      true,
    ]);
    expect((await reload()).change).toEqual(authority.change);

    await authority.signByNew();
    const fresh = await authority.issueLeaf(REQUEST);
    expect([authority.isCurrent(old.chainPem), authority.vouchesFor(old.chainPem)]).toEqual([
      false,
      true,
    ]);
    expect([authority.isCurrent(fresh.chainPem), authority.change?.stage]).toEqual([true, 'sign']);
    expect((await reload()).isCurrent(fresh.chainPem)).toBe(true);
    expect(count(authority.trustAnchorsPem)).toBe(2);

    await authority.endChange();
    expect(authority.trustAnchorsPem).toBe(next.root.pem);
    expect(authority.vouchesFor(old.chainPem)).toBe(false);
    expect([authority.vouchesFor(fresh.chainPem), authority.change]).toEqual([true, undefined]);
    expect((await reload()).trustAnchorsPem).toBe(next.root.pem);
    expect(oldRoot).not.toBe(next.root.pem);
  });

  it('gives leaves that verify for who knows only the old root, or only the new one', async () => {
    const { authority, next } = await setup();
    const oldRoot = authority.trustAnchorsPem;
    await authority.beginChange(next);
    const before = await authority.issueLeaf(REQUEST);
    await authority.signByNew();
    const after = await authority.issueLeaf(REQUEST);
    expect(await verify(before.chainPem, oldRoot)).toContain('OK');
    for (const roots of [oldRoot, next.root.pem, authority.trustAnchorsPem]) {
      expect(await verify(after.chainPem, roots)).toContain('OK');
    }
  });

  it('that cannot be stored changes nothing', async () => {
    const { authority, next, dataDir } = await setup();
    const roots = authority.trustAnchorsPem;
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    expect((await meshErrorOf(() => authority.beginChange(next))).code).toBe('data-unwritable');
    expect([authority.trustAnchorsPem, authority.change]).toEqual([roots, undefined]);
    dataDir.beforeWrite = () => undefined;
    await authority.beginChange(next);
    expect(authority.change?.stage).toBe('trust');
  });

  it('refuses a second one meanwhile', async () => {
    const { authority, next, clock } = await setup();
    await authority.beginChange(next);
    const tools = { clock, random: seededRandom('third'), keySource: generateKeys };
    const third = await createCaChain(DOMAIN, tools);
    const error = await meshErrorOf(() => authority.beginChange(third));
    expect(error.message).toBe('expected no change of root to be under way');
    expect(count(authority.trustAnchorsPem)).toBe(2);
  });

  it('steps that are not due do nothing', async () => {
    const { authority, dataDir } = await setup();
    const stored = dataDir.files.get(FILE);
    await authority.signByNew();
    await authority.endChange();
    expect(dataDir.files.get(FILE)).toBe(stored);
  });

  it('to another issuing CA of the same root needs no stages', async () => {
    const { authority, dataDir, options } = await setup();
    const roots = authority.trustAnchorsPem;
    const old = await authority.issueLeaf(REQUEST);
    const other = { ...options, dataDir: new MemoryDataDir(), random: seededRandom('other') };
    other.dataDir.files.set(FILE, dataDir.files.get(FILE) ?? '');
    other.clock.jump(183 * DAY_MS);
    // The same root, half a year later, with its next issuing CA.
    const later = await loadOrCreateAuthority(other);
    await later.authority.renewIssuer();
    const leaf = await later.authority.issueLeaf(REQUEST);
    const stored = JSON.parse(other.dataDir.files.get(FILE) ?? '');
    expect(stored.retired).toHaveLength(1);
    expect(later.authority.trustAnchorsPem).toBe(roots);
    expect([old, leaf].map(({ chainPem }) => authority.vouchesFor(chainPem))).toEqual([true, true]);
  });
});

describe('a passphrase', () => {
  it('encrypts every key of the file, and opens it again', async () => {
    const { dataDir, authority, reload } = await setup('correct horse battery');
    const stored = dataDir.files.get(FILE) ?? '';
    expect(stored).not.toContain('BEGIN PRIVATE KEY');
    expect(stored.match(/BEGIN ENCRYPTED PRIVATE KEY/g)).toHaveLength(2);
    expect((await reload()).describe()).toEqual(authority.describe());
  });

  it.each([
    [undefined, 'passphrase-missing', 'the key is encrypted and no passphrase was given'],
    ['wrong horse', 'passphrase-wrong', 'the passphrase does not open the key'],
  ])('%s does not open it, and nothing changes', async (passphrase, code, message) => {
    const { dataDir, options } = await setup('correct horse battery');
    const stored = dataDir.files.get(FILE);
    const error = await meshErrorOf(() => loadOrCreateAuthority({ ...options, passphrase }));
    expect(error).toMatchObject({ code, message: `/memory/${FILE}: ${message}` });
    expectNoKey(error);
    expect(dataDir.files.get(FILE)).toBe(stored);
  });

  it('given later encrypts what lay open', async () => {
    const { dataDir, options, authority } = await setup();
    const again = { ...options, passphrase: 'correct horse battery' };
    const later = await loadOrCreateAuthority(again);
    expect(dataDir.files.get(FILE)).not.toContain('BEGIN PRIVATE KEY');
    expect(later.authority.describe()).toEqual(authority.describe());
  });
});

it('a file of version 1 is read', async () => {
  const { dataDir, authority, reload } = await setup();
  const { root, intermediate } = JSON.parse(dataDir.files.get(FILE) ?? '');
  const old = { version: 1, trustDomain: DOMAIN, root, intermediate };
  dataDir.files.set(FILE, JSON.stringify(old));
  expect((await reload()).describe()).toEqual(authority.describe());
});

it('a change in a file of version 2 goes to its end by itself', async () => {
  const { dataDir, authority, next, reload } = await setup();
  await authority.beginChange(next);
  const { change, ...rest } = JSON.parse(dataDir.files.get(FILE) ?? '');
  const { until, isBack, isTainted, hasCross, ...old } = change;
  expect([until, isBack, isTainted, hasCross]).toEqual(['end', false, false, true]);
  const file = { ...rest, version: 2, change: { ...old, crossPem: next.root.pem } };
  dataDir.files.set(FILE, JSON.stringify(file));
  expect((await reload()).change).toEqual(authority.change);
});
