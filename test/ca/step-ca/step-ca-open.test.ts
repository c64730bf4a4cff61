// Opening the outside CA: its files, and what the data folder remembers of it.

import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadOrCreateAuthority } from '../../../src/ca/index.js';
import { forgetStepCa, openStepCa, openStoredAuthority } from '../../../src/ca/step-ca/index.js';
import { parseProvisionerKey } from '../../../src/ca/step-ca/provisioner-key.js';
import type { CertificateTemplate } from '../../../src/x509/issue/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { expectNoKey, MemoryDataDir, meshErrorOf, temporaryFolder } from '../../x509/tools.js';
import { createOutsideCa, type OutsideCa } from '../outside-ca.js';

const clock = new ManualClock();
const NOW_MS = clock.now();
const ca = await createOutsideCa({ nowMs: NOW_MS });
const other = await createOutsideCa({ nowMs: NOW_MS, name: 'Other' });
const rootWith = async (root: Partial<CertificateTemplate>): Promise<OutsideCa> =>
  createOutsideCa({ nowMs: NOW_MS, root });

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = privateKey.export({ format: 'jwk' });
const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();

async function setUp({ root = ca.root.pem, key = JSON.stringify(jwk), mode = 0o600 } = {}) {
  const dir = await temporaryFolder();
  const settings = {
    url: 'https://ca.example:9000',
    rootPath: join(dir, 'root_ca.crt'),
    provisioner: 'countersign',
    keyPath: join(dir, 'provisioner.jwk'),
  };
  await writeFile(settings.rootPath, root);
  await writeFile(settings.keyPath, key);
  await chmod(settings.keyPath, mode);
  const dataDir = new MemoryDataDir();
  const tools = { dataDir, clock, random: seededRandom('open') };
  const open = (trustDomain = 'shop.example') => openStepCa({ ...tools, trustDomain, settings });
  return { dir, settings, dataDir, tools, open };
}

describe('the data folder', () => {
  it('remembers the CA, for commands and for the next start', async () => {
    const { open, settings, dataDir, tools } = await setUp();
    const { authority, warnings } = await open();
    expect(warnings).toEqual([]);
    expect(JSON.parse(dataDir.files.get('step-ca.json') ?? '')).toEqual({
      version: 1,
      trustDomain: 'shop.example',
      url: settings.url,
      provisioner: 'countersign',
      keyPath: settings.keyPath,
      rootsPem: ca.root.pem,
    });
    const stored = await openStoredAuthority(tools, { trustDomain: 'shop.example' });
    expect([stored.trustDomain, stored.trustAnchorsPem, stored.describe()]).toEqual([
      authority.trustDomain,
      ca.root.pem,
      authority.describe(),
    ]);
    expect([...dataDir.files.values()].join()).not.toContain(String(jwk.d));
  });

  it('of another trust domain is refused', async () => {
    const { open, tools } = await setUp();
    await open();
    for (const refused of [
      () => open('corp.example'),
      () => openStoredAuthority(tools, { trustDomain: 'corp.example' }),
    ]) {
      const { code, message } = await meshErrorOf(refused);
      expect([code, message]).toEqual([
        'identity-invalid',
        'expected trust domain "shop.example", which the data folder belongs to, ' +
          'but got "corp.example"',
      ]);
    }
  });

  it('keeps a root that peers trust: all new ones at once would shut every peer out', async () => {
    const { open, settings, dataDir } = await setUp();
    await open();
    await writeFile(settings.rootPath, other.root.pem);
    const before = dataDir.files.get('step-ca.json');
    const { code, message, hint } = await meshErrorOf(() => open());
    expect([code, message]).toEqual([
      'outside-ca-invalid',
      `expected a root in ${settings.rootPath} that the mesh's peers trust but got only new ones`,
    ]);
    expect(hint).toContain('put the old root into the file beside the new one');
    expect(dataDir.files.get('step-ca.json')).toBe(before);
    await writeFile(settings.rootPath, ca.root.pem + other.root.pem);
    expect((await open()).authority.trustAnchorsPem).toBe(ca.root.pem + other.root.pem);
    await writeFile(settings.rootPath, other.root.pem);
    expect((await open()).authority.trustAnchorsPem).toBe(other.root.pem);
  });

  it('that has its own CA: a warning, once; and back again', async () => {
    const { open, tools } = await setUp();
    const trustDomain = 'shop.example';
    const own = await loadOrCreateAuthority({ ...tools, trustDomain });
    expect((await open()).warnings).toEqual([
      'the outside CA replaces the own CA of the data folder: calls may fail meanwhile',
    ]);
    expect((await open()).warnings).toEqual([]);
    expect([await forgetStepCa(tools.dataDir), await forgetStepCa(tools.dataDir)]).toEqual([
      true,
      false,
    ]);
    const { trustAnchorsPem } = await openStoredAuthority(tools, { trustDomain });
    expect(trustAnchorsPem).toBe(own.authority.trustAnchorsPem);
  });

  it('a key file that others can read: a warning', async () => {
    const { open, settings } = await setUp({ mode: 0o644 });
    expect((await open()).warnings).toEqual([
      `${settings.keyPath} can sign any identity of the mesh and is open to others: chmod 600`,
    ]);
  });
});

const ended = await rootWith({ notAfterMs: NOW_MS - 1000 });
const noCa = await rootWith({ isCa: false });
const weak = await rootWith({ keyUsage: ['cRLSign'] });
const roots: [name: string, pem: string, message: string][] = [
  ['nothing', '', 'expected certificates in PEM but got none'],
  ['words', 'hello', 'expected certificates in PEM but got none'],
  [
    'the intermediate',
    ca.intermediate.pem,
    'root "O=Corp, CN=Corp Issuing": expected a self-signed root but got a certificate of ' +
      "another issuer, expected a signature by its issuer's key but got another one, " +
      'expected authority key identifier <id> but got <id>',
  ],
  [
    'an ended root beside a good one',
    ca.root.pem + ended.root.pem,
    'root "O=Corp, CN=Corp Root": expected one in force but it ended 2025-12-31T23:59:59.000Z',
  ],
  [
    'no CA',
    noCa.root.pem,
    'root "O=Corp, CN=Corp Root": expected a CA but got a certificate that is none ' +
      '(basic constraints)',
  ],
  [
    'a CA that may not sign',
    weak.root.pem,
    'root "O=Corp, CN=Corp Root": expected a CA that may sign certificates ' +
      'but its key usage lacks keyCertSign',
  ],
  ['every root of the world', ca.root.pem.repeat(17), 'expected at most 16 roots but got 17'],
];

describe('a root file with', () => {
  it.each(roots)('%s', async (_name, root, message) => {
    const { open, settings, dataDir } = await setUp({ root });
    const error = await meshErrorOf(() => open());
    const told = error.message.replace(/[0-9a-f]{40}/g, '<id>');
    expect([error.code, told, error.path]).toEqual([
      'outside-ca-invalid',
      `${settings.rootPath}: ${message}`,
      'authority.stepCa.root',
    ]);
    expect(dataDir.files.size).toBe(0);
  });
});

describe('a file', () => {
  it('that is not there, or is a folder, is told with its setting', async () => {
    const { open, settings, dir } = await setUp();
    settings.keyPath = join(dir, 'none.jwk');
    const missing = await meshErrorOf(() => open());
    expect([missing.message, missing.path]).toEqual([
      `expected the provisioner's key in ${dir}/none.jwk but got nothing at all`,
      'authority.stepCa.key',
    ]);
    settings.keyPath = join(dir, 'folder');
    await mkdir(settings.keyPath);
    expect((await meshErrorOf(() => open())).message).toBe(
      `expected the provisioner's key in ${dir}/folder but got something other than a file`,
    );
  });
});

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey;
const ed = generateKeyPairSync('ed25519').privateKey;
const { d: _d, ...publicJwk } = jwk;
const locked = privateKey
  .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString();
const toJwk = (key: typeof privateKey): string => JSON.stringify(key.export({ format: 'jwk' }));

const keys: [name: string, text: string, expected: string | { alg: string; id?: string }][] = [
  ['a JWK', JSON.stringify(jwk), { alg: 'ES256' }],
  ['PEM', pem, { alg: 'ES256' }],
  [
    'a JWK with an id of its own',
    JSON.stringify({ ...jwk, kid: 'k1' }),
    { alg: 'ES256', id: 'k1' },
  ],
  ['P-384', toJwk(p384), { alg: 'ES384' }],
  ['RSA', toJwk(rsa), { alg: 'RS256' }],
  ['a public key', JSON.stringify(publicJwk), 'the public key only'],
  ['encrypted PEM', locked, 'an encrypted key'],
  ['a JWE', 'eyJh.a-b.c_d.e.f', 'an encrypted key (JWE)'],
  ['a JWE in JSON', '{"ciphertext":"x"}', 'an encrypted key (JWE)'],
  ['words', 'my secret words', 'other text'],
  ['PEM of a certificate', ca.root.pem, 'other PEM'],
  ['a broken JWK', JSON.stringify({ ...jwk, x: 'AA' }), 'a JWK that is none'],
  ['P-521', toJwk(p521), 'a key of type ec secp521r1'],
  ['RSA of 1024 bits', toJwk(weakRsa), 'a key of type rsa 1024'],
  ['Ed25519', toJwk(ed), 'a key of type ed25519'],
];

describe('a provisioner key as', () => {
  it.each(keys)('%s', async (_name, text, wanted) => {
    if (typeof wanted !== 'string') {
      const { algorithm, id } = parseProvisionerKey(text, 'key.jwk');
      expect(algorithm).toBe(wanted.alg);
      expect(id).toMatch(wanted.id ?? /^[\w-]{43}$/);
      return;
    }
    const error = await meshErrorOf(() => parseProvisionerKey(text, 'key.jwk'));
    expectNoKey(error);
    expect([error.code, error.message, error.path]).toEqual([
      'outside-ca-invalid',
      `expected the private key of a JWK provisioner in key.jwk but got ${wanted}`,
      'authority.stepCa.key',
    ]);
  });

  it('has the thumbprint of RFC 7638 for its id', () => {
    // That it is the one step-ca makes is shown by the real one (test/step-ca).
    const [fromJwk, fromPem] = [JSON.stringify(jwk), pem].map(
      (t) => parseProvisionerKey(t, 'k').id,
    );
    expect(fromJwk).toBe(fromPem);
  });
});

it('of two files that are not as they should be, the root is named each time', async () => {
  const { open, settings } = await setUp({ root: 'no certificate' });
  await rm(settings.keyPath);
  expect((await meshErrorOf(() => open())).message).toContain(settings.rootPath);
});
