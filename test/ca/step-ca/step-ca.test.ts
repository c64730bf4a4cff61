// An outside CA behind the Authority port, against a server that answers well and badly. The real
// step-ca is tested in test/step-ca.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Leaf } from '../../../src/ca/index.js';
import { LeafManager } from '../../../src/leaves/index.js';
import { createCsr } from '../../../src/x509/issue/index.js';
import { generateKeys, sha256Hex } from '../../../src/x509/keys/index.js';
import { readCertificate, splitPem } from '../../../src/x509/read/index.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { expectNoKey, MemoryDataDir, meshErrorOf, WEB } from '../../x509/tools.js';
import { createIntermediate, sign } from '../outside-ca.js';
import { type FakeHandler, toAnswer } from './step-ca-fake.js';
import {
  ca,
  HOUR_MS,
  MINUTE_MS,
  NOW_MS,
  other,
  REQUEST,
  type SetUp,
  setUp,
} from './step-ca-setup.js';

describe('a leaf of step-ca', () => {
  it('is what was asked for, with a key that never left', async () => {
    const { authority, fake } = await setUp();
    const leaf = await authority.issueLeaf(REQUEST);
    const [facts] = splitPem(leaf.chainPem).map(readCertificate);
    expect(leaf).toEqual({
      spiffeId: WEB,
      dnsNames: ['web', 'web.default'],
      serialHex: '5a0b0c0d0e0f101112131415161718',
      notBeforeMs: NOW_MS - MINUTE_MS,
      notAfterMs: NOW_MS + HOUR_MS,
      issuedAtMs: NOW_MS,
      keyType: 'ecdsa-p256',
      keyPem: expect.stringContaining('PRIVATE KEY'),
      chainPem: expect.stringContaining(ca.intermediate.pem),
    });
    expect(splitPem(leaf.chainPem)).toHaveLength(2);
    expect(facts?.uris).toEqual([WEB]);
    expect(JSON.stringify(fake.requests)).not.toContain('PRIVATE');
    expect(authority.vouchesFor(leaf.chainPem)).toBe(true);
    expect(authority.trustAnchorsPem).toBe(ca.root.pem);
  });

  it('is asked for by a token for these names and this request alone', async () => {
    const { authority, fake } = await setUp();
    await authority.issueLeaf(REQUEST);
    const [request] = fake.requests;
    const csrDer = Buffer.from(String(request?.csr).replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const seconds = NOW_MS / 1000;
    expect(request).toMatchObject({ path: '/1.0/sign', notAfter: '3600s', isSigned: true });
    expect(request?.claims).toEqual({
      iss: 'countersign',
      aud: `${fake.url}/1.0/sign`,
      sub: WEB,
      sans: [WEB, 'web', 'web.default'],
      cnf: { 'x5rt#S256': createHash('sha256').update(csrDer).digest('base64url') },
      sha: sha256Hex(splitPem(ca.root.pem)[0] ?? ''),
      nbf: seconds,
      iat: seconds,
      exp: seconds + 300,
      jti: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('shows the intermediate once it has been seen', async () => {
    const { authority } = await setUp();
    expect(authority.describe().map(({ subject }) => subject)).toEqual(['O=Corp, CN=Corp Root']);
    await authority.issueLeaf(REQUEST);
    expect(authority.describe().map(({ kind, subject }) => [kind, subject])).toEqual([
      ['root', 'O=Corp, CN=Corp Root'],
      ['intermediate', 'O=Corp, CN=Corp Issuing'],
    ]);
  });

  it('for a key that its holder keeps needs the holder’s own request', async () => {
    const { authority } = await setUp();
    const keys = await generateKeys('ecdsa-p256');
    const { publicKeyDer } = keys;
    const refused = await meshErrorOf(() => authority.certify({ ...REQUEST, publicKeyDer }));
    expect(refused.code).toBe('outside-ca-refused');
    const csrDer = createCsr({ keys });
    const { chainPem } = await authority.certify({ ...REQUEST, publicKeyDer, csrDer });
    expect(readCertificate(splitPem(chainPem)[0] ?? Buffer.alloc(0)).publicKeyDer).toEqual(
      publicKeyDer,
    );
  });

  it('is issued many at a time over few connections', async () => {
    const { authority, fake } = await setUp();
    await Promise.all(Array.from({ length: 40 }, () => authority.issueLeaf(REQUEST)));
    await authority.issueLeaf(REQUEST);
    expect(fake.requests).toHaveLength(41);
    expect(fake.connections()).toBeLessThanOrEqual(16);
    expect(new Set(fake.requests.map(({ ott }) => ott)).size).toBe(41);
  });

  it('never outlives an issuer that ends soon, from the first one on', async () => {
    const endMs = NOW_MS + 10 * MINUTE_MS;
    const intermediate = await createIntermediate(ca.root, {
      nowMs: NOW_MS,
      intermediate: { notAfterMs: endMs },
    });
    const { authority, fake } = await setUp({
      handle: (request) => toAnswer(request, { ca: { ...ca, intermediate }, nowMs: NOW_MS }),
    });
    const leaves = [await authority.issueLeaf(REQUEST), await authority.issueLeaf(REQUEST)];
    expect(leaves.map(({ notAfterMs }) => notAfterMs)).toEqual([endMs, endMs]);
    const end = new Date(endMs).toISOString();
    expect(fake.requests.map(({ notAfter }) => notAfter)).toEqual(['3600s', end, end]);
  });

  it('by a CA whose clock runs ahead is not renewed at once for being too long', async () => {
    const nowMs = NOW_MS + 30_000;
    const { authority } = await setUp({ handle: (request) => toAnswer(request, { ca, nowMs }) });
    const { issuedAtMs, notAfterMs } = await authority.issueLeaf(REQUEST);
    expect(notAfterMs - issuedAtMs).toBe(HOUR_MS);
  });

  it('serves on after a restart: it is not taken for a damaged one', async () => {
    const { authority, clock, fake } = await setUp();
    const dataDir = new MemoryDataDir();
    const problems: unknown[] = [];
    const serve = async (): Promise<Leaf> => {
      const leaves = new LeafManager({
        authority,
        dataDir,
        clock,
        random: seededRandom('leaves'),
        onProblem: (problem) => problems.push(problem),
      });
      const leaf = await leaves.ensure('web~1', { ...REQUEST, renewAt: 0.5, jitter: 0.05 });
      await leaves.close();
      return leaf;
    };
    expect(await serve()).toEqual(await serve());
    expect(fake.requests).toHaveLength(1);
    expect(problems).toEqual([]);
  });
});

interface FailureRow {
  readonly name: string;
  readonly setUp: SetUp;
  readonly code: string;
  readonly message: string;
  readonly hint: RegExp;
}

const says = (status: number, body: unknown): SetUp => ({ handle: () => ({ status, body }) });

const FAILURES: readonly FailureRow[] = [
  {
    name: 'that nobody serves',
    setUp: { url: 'https://127.0.0.1:1' },
    code: 'outside-ca-unreachable',
    message: 'the CA at https://127.0.0.1:1 does not answer: nothing listens there',
    hint: /start the CA/,
  },
  {
    name: 'that shows a certificate of another root',
    setUp: { server: other },
    code: 'outside-ca-unreachable',
    message:
      "expected the CA's server certificate to end at authority.stepCa.root " +
      'but <url> showed one that ends at another root',
    hint: /put its root into the file/,
  },
  {
    name: 'that shows a certificate for another name',
    setUp: { ips: ['127.0.0.9'] },
    code: 'outside-ca-unreachable',
    message:
      "expected the CA's server certificate to end at authority.stepCa.root " +
      'but <url> showed a certificate for another name',
    hint: /a host name of its certificate into url/,
  },
  {
    name: 'that refuses the token',
    setUp: says(401, { status: 401, message: 'The request lacked authorization.' }),
    code: 'outside-ca-refused',
    message:
      'the CA at <url> refused a certificate (401): it says "The request lacked authorization."',
    hint: /provisioner must name a JWK provisioner/,
  },
  {
    name: 'that forbids it',
    setUp: says(403, { status: 403, message: 'requested duration of 1m is too\n\u001b[2Jshort' }),
    code: 'outside-ca-refused',
    message:
      'the CA at <url> refused a certificate (403): ' +
      'it says "requested duration of 1m is too [2Jshort"',
    hint: /minTLSCertDuration/,
  },
  {
    name: 'that fails',
    setUp: says(500, '<html>oops</html>'),
    code: 'outside-ca-refused',
    message: 'the CA at <url> refused a certificate (500): no reason given',
    hint: /log of the CA/,
  },
  {
    name: 'that is no step-ca',
    setUp: says(404, 'not found'),
    code: 'outside-ca-refused',
    message: 'the CA at <url> refused a certificate (404): no reason given',
    hint: /address of a step-ca/,
  },
  {
    name: 'that sends us elsewhere',
    setUp: says(302, ''),
    code: 'outside-ca-refused',
    message: 'the CA at <url> refused a certificate (302): no reason given',
    hint: /address of a step-ca/,
  },
  {
    name: 'that answers with no JSON',
    setUp: says(201, 'hello'),
    code: 'outside-ca-refused',
    message: 'expected a certificate chain of the CA at <url> but got another answer',
    hint: /address of a step-ca/,
  },
  {
    name: 'that answers with no chain',
    setUp: says(201, { certChain: [] }),
    code: 'outside-ca-refused',
    message: 'expected a certificate chain of the CA at <url> but got another answer',
    hint: /address of a step-ca/,
  },
  {
    name: 'that answers without end',
    setUp: says(201, 'x'.repeat(300_000)),
    code: 'outside-ca-refused',
    message: 'expected at most 262144 bytes of the CA but got more',
    hint: /address of a step-ca/,
  },
];

describe('a CA', () => {
  it.each(FAILURES)('$name', async (row) => {
    const { authority, fake } = await setUp(row.setUp);
    const error = await meshErrorOf(() => authority.issueLeaf(REQUEST));
    expectNoKey(error);
    expect([error.code, error.message.replaceAll(fake.url, '<url>')]).toEqual([
      row.code,
      row.message,
    ]);
    expect(error.hint).toMatch(row.hint);
  });

  it('that is silent is given up after 10 s', async () => {
    let asked = (): void => {};
    const isAsked = new Promise<void>((done) => {
      asked = done;
    });
    const handle: FakeHandler = () => {
      asked();
      return undefined;
    };
    const { authority, clock, fake } = await setUp({ handle });
    const failed = meshErrorOf(() => authority.issueLeaf(REQUEST));
    await isAsked;
    clock.advance(10_000);
    const { code, message } = await failed;
    expect([code, message]).toEqual([
      'outside-ca-unreachable',
      `the CA at ${fake.url} does not answer: no answer within 10 s`,
    ]);
    expect(clock.pending).toBe(0);
  });

  it('that repeats our token in its answer puts it into no message', async () => {
    const handle: FakeHandler = ({ ott }) => ({
      status: 403,
      body: { message: `bad token ${ott} ${'x'.repeat(1000)}` },
    });
    const { authority, fake } = await setUp({ handle });
    const { message } = await meshErrorOf(() => authority.issueLeaf(REQUEST));
    expect(fake.requests).toHaveLength(1);
    for (const part of String(fake.requests[0]?.ott).split('.')) {
      expect(message).not.toContain(part);
    }
    expect(message).toContain('bad token … xxx');
    expect(message.length).toBeLessThan(500);
  });

  it('that closed a kept connection meanwhile is asked again', async () => {
    const { authority, fake } = await setUp();
    await authority.issueLeaf(REQUEST);
    fake.closeConnections();
    await authority.issueLeaf(REQUEST);
    expect(fake.connections()).toBe(2);
  });

  it('of another root vouches for nothing', async () => {
    const { authority } = await setUp();
    const keys = await generateKeys('ecdsa-p256');
    const template = {
      ...other.intermediate.template,
      publicKeyDer: keys.publicKeyDer,
      isCa: false,
    };
    const chain = sign(template, other.intermediate) + other.intermediate.pem;
    expect(authority.vouchesFor(chain)).toBe(false);
  });
});
