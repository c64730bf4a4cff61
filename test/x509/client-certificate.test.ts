import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hintOf } from '../../src/terminal/index.js';
import { verifyClientCertificate } from '../../src/x509/check/index.js';
import type { CertificateTemplate } from '../../src/x509/issue/index.js';
import { signCertificate, toKeyIdHex, toSubjectDer } from '../../src/x509/issue/sign.js';
import { meshErrorOf, WEB } from './tools.js';

const NOW_MS = Date.UTC(2026, 0, 1, 12);
const HOUR_MS = 3_600_000;
const { privateKey, publicKey: publicKeyDer } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

const GOOD: CertificateTemplate = {
  serialHex: '41112233445566778899aabbccddeeff',
  subject: [],
  notBeforeMs: NOW_MS - HOUR_MS,
  notAfterMs: NOW_MS + HOUR_MS,
  publicKeyDer,
  isCa: false,
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['serverAuth', 'clientAuth'],
  uris: [WEB],
  dnsNames: ['web'],
  ips: [],
};

function signed(change: Partial<CertificateTemplate>): Buffer {
  return signCertificate(
    { ...GOOD, ...change },
    {
      subjectDer: toSubjectDer([{ type: 'CN', value: 'test' }]),
      keyIdHex: toKeyIdHex(publicKeyDer),
      privateKey: createPrivateKey(privateKey),
    },
  );
}

const rules = { trustDomain: 'shop.example', nowMs: NOW_MS };

describe('a client certificate is accepted', () => {
  it.each<[string, Partial<CertificateTemplate>]>([
    ['of a service', {}],
    ['for clients alone', { extendedKeyUsage: ['clientAuth'] }],
    ['with a subject', { subject: [{ type: 'CN', value: 'web' }] }],
    ['that begins now', { notBeforeMs: NOW_MS }],
    ['that ends in a second', { notAfterMs: NOW_MS + 1000 }],
  ])('%s', (_name, change) => {
    const { notAfterMs } = { ...GOOD, ...change };
    expect(verifyClientCertificate(signed(change), rules)).toEqual({
      spiffeId: WEB,
      dnsNames: ['web'],
      serialHex: GOOD.serialHex,
      notAfterMs,
    });
  });
});

describe('a client certificate is refused', () => {
  it.each<[string, Partial<CertificateTemplate>, string]>([
    [
      'for servers alone',
      { extendedKeyUsage: ['serverAuth'] },
      'expected a certificate for clients (clientAuth) but got one for another use',
    ],
    [
      'for no use that is named',
      { extendedKeyUsage: [] },
      'expected a certificate for clients (clientAuth) but got one for another use',
    ],
    [
      'that has ended',
      { notAfterMs: NOW_MS },
      'expected a certificate in force but it ended 2026-01-01T12:00:00.000Z',
    ],
    [
      'that has not begun',
      { notBeforeMs: NOW_MS + 1000 },
      'expected a certificate in force but it begins 2026-01-01T12:00:01.000Z',
    ],
    [
      'of another trust domain',
      { uris: ['spiffe://evil.example/ns/default/sa/web'] },
      'expected an identity of this trust domain but got one of another',
    ],
    ['without a URI', { uris: [] }, 'expected one URI name but got 0'],
    [
      'with two URIs',
      { uris: [WEB, 'spiffe://shop.example/ns/default/sa/ledger'] },
      'expected one URI name but got 2',
    ],
    [
      'with a URI that is no SPIFFE ID',
      { uris: ['https://shop.example/web'] },
      'expected a SPIFFE ID but got another URI',
    ],
    [
      'with a URI in another spelling',
      { uris: ['spiffe://shop.example/ns/default/sa/we%62'] },
      'expected a SPIFFE ID but got another URI',
    ],
    [
      'of an authority',
      { isCa: true, pathLength: 0, keyUsage: ['keyCertSign', 'digitalSignature'] },
      'expected the certificate of a service but got that of an authority',
    ],
    [
      'whose key may not sign',
      { keyUsage: ['cRLSign'] },
      'expected a certificate whose key may sign but got one whose key may not',
    ],
  ])('%s', async (_name, change, problem) => {
    const error = await meshErrorOf(() => verifyClientCertificate(signed(change), rules));
    expect(error).toMatchObject({
      code: 'certificate-refused',
      message: `the client certificate: ${problem}`,
    });
    expect(hintOf(error)).toContain('countersign cert');
  });

  it('that is none', async () => {
    const error = await meshErrorOf(() => verifyClientCertificate(Buffer.from('hello'), rules));
    expect(error).toMatchObject({
      code: 'certificate-refused',
      message: 'expected an X.509 certificate but got other bytes',
    });
  });
});
