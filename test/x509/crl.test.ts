import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MeshError } from '../../src/base/index.js';
import { CrlStore } from '../../src/revocation/index.js';
import { type KeyType, toTrustDomainId } from '../../src/spiffe/index.js';
import { derOid, derSequence } from '../../src/x509/der/der-writer.js';
import { CRL_LIFETIME_MS } from '../../src/x509/issue/crl.js';
import { signCrl } from '../../src/x509/issue/crl-sign.js';
import {
  caPeriodFrom,
  crlProblems,
  type Issuer,
  issueCertificate,
  issueCrl,
  leafTemplate,
  periodFrom,
  toIssuer,
  toSerialHex,
} from '../../src/x509/issue/index.js';
import {
  CA_BACKDATE_MS,
  ROOT_LIFETIME_MS,
  ROOT_PATH_LENGTH,
  rootTemplate,
} from '../../src/x509/issue/template.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { type CrlFacts, readCrl, splitCrlPem, toCrlPem } from '../../src/x509/read/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { toTimes } from '../fakes/times.js';
import { MemoryDataDir, meshErrorOf, temporaryFolder, WEB } from './tools.js';

const NOW_MS = Date.UTC(2026, 0, 1);
const TIMES = toTimes(NOW_MS);
const DAY_MS = 86_400_000;
const KEY_TYPES: readonly KeyType[] = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048'];
const random = seededRandom('crl');

async function createIssuer(key: KeyType = 'ecdsa-p256'): Promise<Issuer> {
  const keys = await generateKeys(key);
  const trustDomainId = toTrustDomainId('shop.example');
  const { publicKeyDer } = keys;
  const issued = issueCertificate({
    template: rootTemplate({
      ...{ serialHex: toSerialHex(random), publicKeyDer, times: TIMES, trustDomainId },
    }),
    keys,
    issuer: 'self',
    expected: {
      ...{ kind: 'authority', spiffeId: trustDomainId, pathLength: ROOT_PATH_LENGTH },
      ...caPeriodFrom(TIMES, ROOT_LIFETIME_MS),
    },
  });
  return toIssuer(issued, keys.privateKeyPem);
}

async function createLeaf(issuer: Issuer): Promise<{ pem: string; serialHex: string }> {
  const keys = await generateKeys('ecdsa-p256');
  const ttlMs = DAY_MS;
  const { pem, facts } = issueCertificate({
    template: leafTemplate({
      ...{ serialHex: toSerialHex(random), publicKeyDer: keys.publicKeyDer, times: TIMES },
      ...{ spiffeId: WEB, dnsNames: [], ttlMs, issuer: issuer.facts },
    }),
    keys,
    issuer,
    expected: { kind: 'workload', spiffeId: WEB, dnsNames: [], ...periodFrom(TIMES, ttlMs) },
  });
  return { pem, serialHex: facts.serialHex };
}

const revokedAt = (serialHex: string, revokedAtMs = NOW_MS) => ({ serialHex, revokedAtMs });
const request = (...serials: string[]) => ({
  revoked: serials.map((serial) => revokedAt(serial)),
  number: 7,
  times: TIMES,
});

/** What openssl prints, on stdout and stderr, and whether it was content. */
function openssl(...argv: string[]): { ok: boolean; text: string } {
  try {
    return { ok: true, text: execFileSync('openssl', argv, { encoding: 'utf8', stdio: 'pipe' }) };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return { ok: false, text: stdout + stderr };
  }
}

describe('a revocation list', () => {
  it.each(KEY_TYPES)('of an issuer with %s is one to openssl, which refuses by it', async (key) => {
    const issuer = await createIssuer(key);
    const [lost, kept] = [await createLeaf(issuer), await createLeaf(issuer)];
    const dir = await temporaryFolder();
    const file = (name: string, text: string): string => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const ca = file('ca.pem', issuer.pem);
    const crl = file('crl.pem', issueCrl(request(lost.serialHex, '05', 'ff00'), issuer));
    expect(openssl('crl', '-in', crl, '-CAfile', ca, '-noout', '-verify').ok).toBe(true);
    const { text } = openssl('crl', '-in', crl, '-noout', '-text');
    expect(text).toContain('Version 2 (0x1)');
    expect(text).toMatch(/X509v3 CRL Number:\s+7\s/);
    expect(text.match(/Serial Number: (\S+)/g)).toEqual([
      'Serial Number: 05',
      'Serial Number: FF00',
      `Serial Number: ${lost.serialHex.toUpperCase()}`,
    ]);
    const verify = (pem: string) =>
      openssl(
        ...['verify', '-x509_strict', '-attime', String(NOW_MS / 1000), '-crl_check'],
        ...['-CAfile', ca, '-CRLfile', crl, file('leaf.pem', pem)],
      );
    expect(verify(kept.pem).ok).toBe(true);
    expect(verify(lost.pem)).toMatchObject({
      ok: false,
      text: expect.stringContaining('certificate revoked'),
    });
  });

  it('says what was asked for, sorted by serial, in whole seconds', async () => {
    const issuer = await createIssuer();
    const pem = issueCrl(
      {
        revoked: [revokedAt('0100', NOW_MS + 999), revokedAt('ff'), revokedAt('02')],
        number: 2 ** 40,
        times: toTimes(NOW_MS + 1),
      },
      issuer,
    );
    const [der = Buffer.alloc(0)] = splitCrlPem(pem);
    const { tbsDer: _tbs, signature: _signature, ...facts } = readCrl(der);
    expect(facts).toEqual({
      version: 2,
      issuerDer: issuer.facts.subjectDer,
      thisUpdateMs: NOW_MS - CA_BACKDATE_MS,
      nextUpdateMs: NOW_MS + CRL_LIFETIME_MS,
      entries: [revokedAt('02'), revokedAt('ff'), revokedAt('0100')],
      numberHex: '010000000000',
      issuerKeyIdHex: issuer.facts.keyIdHex,
      criticalOids: [],
      signatureAlgorithmDer: derSequence(derOid('1.2.840.10045.4.3.2')),
      signedAlgorithmDer: derSequence(derOid('1.2.840.10045.4.3.2')),
    });
  });

  it('lives so long that it never ends before a leaf, whenever the server stops', () => {
    expect(CRL_LIFETIME_MS / 2).toBeGreaterThan(90 * DAY_MS);
  });
});

describe('a list is refused', () => {
  const ROWS: readonly [name: string, change: Partial<CrlFacts>, problem: string | undefined][] = [
    ['never, as it was made', {}, undefined],
    ['with version 1', { version: 1 }, 'expected version 2 but got 1'],
    [
      'of another issuer',
      { issuerDer: Buffer.of(0x30, 0) },
      'expected the name of its issuer but got another',
    ],
    [
      'with the key identifier of another issuer',
      { issuerKeyIdHex: '00' },
      'expected the key identifier of its issuer but got another',
    ],
    [
      'without a key identifier',
      { issuerKeyIdHex: undefined },
      'expected the key identifier of its issuer but got another',
    ],
    [
      'without a number',
      { numberHex: undefined },
      'expected a number of at most 20 bytes but got another',
    ],
    [
      'with a number of 21 bytes',
      { numberHex: '01'.repeat(21) },
      'expected a number of at most 20 bytes but got another',
    ],
    [
      'with a critical extension',
      { criticalOids: ['2.5.29.27'] },
      'expected no critical extension but got 2.5.29.27',
    ],
    ['without entries', { entries: [] }, 'expected a revoked certificate but got none'],
    [
      'with a serial twice',
      { entries: [revokedAt('01'), revokedAt('01')] },
      'expected each serial once but got one twice',
    ],
    [
      'before it begins',
      { thisUpdateMs: NOW_MS + 1000 },
      'expected a list in force but its period is 2026-01-01T00:00:01.000Z to ' +
        '2026-07-20T00:00:00.000Z',
    ],
    [
      'after its end',
      { nextUpdateMs: NOW_MS },
      'expected a list in force but its period is 2025-01-01T00:00:00.000Z to ' +
        '2026-01-01T00:00:00.000Z',
    ],
    [
      'with another signature',
      { signature: Buffer.alloc(8) },
      'expected a signature of its issuer but got another',
    ],
    [
      'with two algorithms',
      { signedAlgorithmDer: derSequence(derOid('1.2.840.10045.4.3.3')) },
      'expected a signature of its issuer but got another',
    ],
  ];

  it.each(ROWS)('%s', async (_name, change, problem) => {
    const issuer = await createIssuer();
    const [der = Buffer.alloc(0)] = splitCrlPem(issueCrl(request('01'), issuer));
    const crl = { ...readCrl(der), ...change };
    const problems = [...crlProblems({ crl, issuer: issuer.facts, times: TIMES })];
    expect(problems).toEqual(problem === undefined ? [] : [problem]);
  });

  it('that is signed by a key which is not the issuer’s, before anybody sees it', async () => {
    const [issuer, other] = [await createIssuer(), await createIssuer()];
    const { privateKey } = other;
    const error = await meshErrorOf(() => issueCrl(request('01'), { ...issuer, privateKey }));
    expect(error).toMatchObject({
      code: 'certificate-invalid',
      message: 'expected a signature of its issuer but got another',
    });
  });

  it('that names a serial twice', async () => {
    const issuer = await createIssuer();
    const error = await meshErrorOf(() => issueCrl(request('01', '01'), issuer));
    expect(error.message).toBe('expected each serial once but got one twice');
  });

  it.each([
    ['no PEM', 'expected revocation lists in PEM but got none'],
    [toCrlPem(Buffer.of(0x30, 0)), 'expected a revocation list but got other bytes'],
    [toCrlPem(Buffer.of(1)), 'not valid DER: expected a value but the bytes end'],
  ])('that is no list (%#)', async (text, message) => {
    const error = await meshErrorOf(() => splitCrlPem(text).map(readCrl));
    expect(error).toMatchObject({ code: 'certificate-invalid', message });
  });

  it('with a byte changed, wherever it is', async () => {
    const issuer = await createIssuer();
    const [der = Buffer.alloc(0)] = splitCrlPem(issueCrl(request('01'), issuer));
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      const isGood = ((): boolean => {
        try {
          const crl = readCrl(changed);
          return [...crlProblems({ crl, issuer: issuer.facts, times: TIMES })].length === 0;
        } catch {
          return false;
        }
      })();
      expect(isGood, `byte ${at}`).toBe(false);
    }
  });
});

describe('the store of revocation lists', () => {
  const certificate = (serialHex: string, notAfterMs = NOW_MS + DAY_MS) => ({
    ...revokedAt(serialHex),
    notAfterMs,
  });
  /** Of no certificate that is known. */
  const unknown = (serialHex: string) => ({ ...revokedAt(serialHex), notAfterMs: undefined });

  async function setup(dataDir = new MemoryDataDir()) {
    let issuers = [await createIssuer()];
    let signed = 0;
    const problems: unknown[] = [];
    const open = (): CrlStore =>
      new CrlStore({
        dataDir,
        crls: {
          issuers: () => issuers.map(({ facts }) => facts),
          sign: async (asked) => {
            signed++;
            return issuers.map((issuer) => issueCrl(asked, issuer));
          },
        },
        takeUp: async (name, read) => {
          try {
            return await read();
          } catch (error) {
            problems.push((error as MeshError).code);
            await dataDir.setAside(name);
            return undefined;
          }
        },
      });
    return {
      dataDir,
      open,
      store: open(),
      problems,
      signed: () => signed,
      setIssuers: (next: Issuer[]) => {
        issuers = next;
      },
      issuers: () => issuers,
    };
  }

  it('has none while nothing is revoked', async () => {
    const { store, dataDir, signed } = await setup();
    expect(await store.ensure([], toTimes(NOW_MS))).toBeUndefined();
    expect(await store.ensure([certificate('01', NOW_MS)], toTimes(NOW_MS))).toBeUndefined();
    expect([signed(), dataDir.files.size]).toEqual([0, 0]);
  });

  it('gives the same bytes for the same revocations, over a restart too', async () => {
    const { store, open, signed } = await setup();
    const first = await store.ensure([certificate('01')], toTimes(NOW_MS));
    expect(first).toEqual({
      pem: expect.stringMatching(/^-----BEGIN X509 CRL-----\n[\s\S]*-----END X509 CRL-----\n$/),
      thisUpdateMs: NOW_MS - CA_BACKDATE_MS,
      nextUpdateMs: NOW_MS + CRL_LIFETIME_MS,
      renewAtMs: NOW_MS + CRL_LIFETIME_MS / 2,
    });
    expect(await store.ensure([certificate('01')], toTimes(NOW_MS + DAY_MS / 2))).toEqual(first);
    expect(await open().ensure([certificate('01')], toTimes(NOW_MS + DAY_MS / 2))).toEqual(first);
    expect(signed()).toBe(1);
  });

  it('signs anew, with a greater number, what changed', async () => {
    const { store, signed } = await setup();
    const serials = (pem = ''): [string | undefined, string[]] => {
      const [crl] = splitCrlPem(pem).map(readCrl);
      return [crl?.numberHex, crl?.entries.map(({ serialHex }) => serialHex) ?? []];
    };
    const [long, short] = [unknown('01'), certificate('02', NOW_MS + 1000)];
    const one = await store.ensure([short], toTimes(NOW_MS));
    const two = await store.ensure([long, short], toTimes(NOW_MS));
    // An ended certificate alone changes nothing.
    const three = await store.ensure([long], toTimes(NOW_MS + 2000));
    const undone = await store.ensure([certificate('03')], toTimes(NOW_MS + 3000));
    expect(three).toEqual(two);
    const numbers = [one, two, undone].map((crls) => serials(crls?.pem));
    const hex = (number: number): string => number.toString(16).padStart(12, '0');
    expect(numbers).toEqual([
      [hex(NOW_MS), ['02']],
      [hex(NOW_MS + 1), ['01', '02']],
      [hex(NOW_MS + 3000), ['03']],
    ]);
    expect(signed()).toBe(3);
  });

  it('signs anew at half of its life', async () => {
    const { store } = await setup();
    const forever = unknown('01');
    const first = await store.ensure([forever], toTimes(NOW_MS));
    const before = await store.ensure([forever], toTimes(NOW_MS + CRL_LIFETIME_MS / 2 - 1));
    const after = await store.ensure([forever], toTimes(NOW_MS + CRL_LIFETIME_MS / 2));
    expect(before).toEqual(first);
    expect(after?.nextUpdateMs).toBe(NOW_MS + CRL_LIFETIME_MS * 1.5);
  });

  it('has a list of every issuer: a leaf of an earlier one is not refused', async () => {
    const { store, setIssuers, issuers } = await setup();
    const dir = await temporaryFolder();
    const [old] = issuers();
    if (old === undefined) throw new Error('an issuer');
    const leaf = await createLeaf(old);
    await store.ensure([certificate('01')], toTimes(NOW_MS));
    setIssuers([await createIssuer(), old]);
    const both = await store.ensure([certificate('01')], toTimes(NOW_MS));
    expect(splitCrlPem(both?.pem ?? '')).toHaveLength(2);
    // Which of them signs now is another matter.
    setIssuers([...issuers()].reverse());
    expect(await store.ensure([certificate('01')], toTimes(NOW_MS))).toEqual(both);
    setIssuers([...issuers()].reverse());
    const write = (name: string, text: string): string => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const ca = write('ca.pem', old.pem);
    const check = (crls: string) =>
      openssl(
        ...['verify', '-attime', String(NOW_MS / 1000), '-crl_check', '-CAfile', ca],
        ...['-CRLfile', write('crl.pem', crls), write('leaf.pem', leaf.pem)],
      );
    expect(check(both?.pem ?? '').ok).toBe(true);
    setIssuers(issuers().slice(0, 1));
    const alone = await store.ensure([certificate('01')], toTimes(NOW_MS));
    expect(check(alone?.pem ?? '')).toMatchObject({
      ok: false,
      text: expect.stringContaining('unable to get certificate CRL'),
    });
  });

  it.each([
    ['other text', () => 'x'],
    ['another form', () => '{}'],
  ])('a file with %s is set aside and made again', async (_name, toText) => {
    const { store, dataDir, problems } = await setup();
    await store.ensure([certificate('01')], toTimes(NOW_MS));
    dataDir.files.set('crls.json', toText());
    expect(await store.ensure([certificate('01')], toTimes(NOW_MS))).toBeDefined();
    expect(problems).toEqual(['data-damaged']);
    expect([...dataDir.files.keys()].sort()).toEqual(['crls.json', 'crls.json.damaged-0']);
  });

  it('a list that another key signed, or that is cut, is not used', async () => {
    const { store, dataDir, signed } = await setup();
    await store.ensure([certificate('01')], toTimes(NOW_MS));
    const stored = JSON.parse(dataDir.files.get('crls.json') ?? '') as { crlPems: string[] };
    const foreign = issueCrl(request('01'), await createIssuer());
    for (const crlPems of [[foreign], [], ['cut']]) {
      dataDir.files.set('crls.json', JSON.stringify({ ...stored, crlPems }));
      const made = await store.ensure([certificate('01')], toTimes(NOW_MS));
      expect(made?.pem).not.toBe(crlPems.join(''));
    }
    expect(signed()).toBe(4);
  });

  it('nothing is sent that could not be stored', async () => {
    const { store, dataDir } = await setup();
    dataDir.beforeWrite = () => {
      throw new Error('disk full');
    };
    await expect(store.ensure([certificate('01')], toTimes(NOW_MS))).rejects.toThrow('disk full');
    dataDir.beforeWrite = () => undefined;
    expect(await store.ensure([certificate('01')], toTimes(NOW_MS))).toBeDefined();
  });
});

it('an empty list is never signed', async () => {
  const { facts, privateKey } = await createIssuer();
  const signer = { subjectDer: facts.subjectDer, keyIdHex: '', privateKey };
  const times = { thisUpdateMs: NOW_MS, nextUpdateMs: NOW_MS + DAY_MS };
  expect(() => signCrl({ number: 1, entries: [], ...times }, signer)).toThrow('without entries');
});
