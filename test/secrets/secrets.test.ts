// The search that ends a run finds what is planted and nothing that may be shown; and nothing is
// switched on that would write the process's memory to a disk.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/cli/logger.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { selfSigned } from '../grpc/certificate.js';
import { MemoryDataDir, temporaryFolder } from '../x509/tools.js';
import { findSecrets } from './find-secrets.js';
import { search } from './search.js';

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = ({ privateKey }: { privateKey: KeyObject }, type: 'pkcs8' | 'sec1' | 'pkcs1'): string =>
  privateKey.export({ type, format: 'pem' } as never).toString();
const der = ({ privateKey }: { privateKey: KeyObject }): Buffer =>
  privateKey.export({ type: 'pkcs8', format: 'der' });
const body = (text: string): string => text.replace(/-----[^-]+-----|\s/g, '');
const numberHex = Buffer.from(
  ec.privateKey.export({ format: 'jwk' }).d ?? '',
  'base64url',
).toString('hex');

async function token(): Promise<string> {
  const options = { dataDir: new MemoryDataDir(), clock: new ManualClock() };
  const keys = await createTokenKeys({ ...options, random: seededRandom('secrets') });
  return keys.sign({ audience: 'countersign-xds', subject: 'web', ttlMs: 1000 }).token;
}

const PLANTED: readonly (readonly [name: string, text: () => string | Promise<string>])[] = [
  ['a key of ours in PEM', async () => (await generateKeys('ecdsa-p256')).privateKeyPem],
  ['a P-256 key in PEM', () => pem(ec, 'pkcs8')],
  ['a P-256 key in PEM, in JSON', () => JSON.stringify({ key: pem(ec, 'pkcs8') })],
  ['a P-256 key of SEC 1', () => pem(ec, 'sec1')],
  ['an RSA key in PEM', () => pem(rsa, 'pkcs8')],
  ['an RSA key of PKCS #1', () => pem(rsa, 'pkcs1')],
  ['an encrypted key', () => pem(ec, 'pkcs8').replaceAll('PRIVATE', 'ENCRYPTED PRIVATE')],
  ['the base64 of a P-256 key', () => der(ec).toString('base64')],
  ['the base64 of a P-384 key', () => der(p384).toString('base64')],
  ['the base64 of an RSA key', () => der(rsa).toString('base64')],
  ['the base64 of a SEC 1 key', () => body(pem(ec, 'sec1'))],
  ['the base64 of a PKCS #1 key', () => body(pem(rsa, 'pkcs1'))],
  ['the hex of a P-256 key', () => der(ec).toString('hex')],
  ['the hex of a P-384 key', () => der(p384).toString('hex')],
  ['the hex of an RSA key', () => der(rsa).toString('hex')],
  ['a JWK', () => JSON.stringify(ec.privateKey.export({ format: 'jwk' }))],
  ['a token', token],
  ['a token in a header', async () => `{"authorization":"Bearer ${await token()}"}`],
  ['the number of a known key, hex', () => `x=${numberHex}`],
  ['the number of a known key, base64', () => Buffer.from(numberHex, 'hex').toString('base64')],
  [
    'the number of a known key, within other bytes',
    () => Buffer.concat([Buffer.of(7), Buffer.from(numberHex, 'hex')]).toString('base64'),
  ],
];

const SHOWN: readonly (readonly [name: string, text: string])[] = [
  ['a public key', ec.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
  ['a certificate', selfSigned('shown').certificatePem],
  ['words about keys', 'expected -----BEGIN PRIVATE KEY----- but got a certificate'],
  ['a redacted key', '{"inline_string":"-----BEGIN PRIVATE KEY----- [redacted]"}'],
  ['a serial and a fingerprint', `${'4f'.repeat(16)} sha256 ${'ab'.repeat(32)}`],
  ['a public JWK', JSON.stringify(ec.publicKey.export({ format: 'jwk' }))],
  ['an unsigned part of a token', 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ3ZWIifQ'],
];

describe('the search for secrets', () => {
  it.each(PLANTED)('finds %s', async (_name, text) => {
    const found = findSecrets(`before ${await text()} after`, [numberHex]);
    expect(found).not.toEqual([]);
    for (const { at } of found) expect(at).toBeGreaterThan(0);
  });

  it.each(SHOWN)('lets %s pass', (_name, text) => {
    expect(findSecrets(text, [numberHex])).toEqual([]);
  });
});

describe('the search at the end of a run', () => {
  it('tells the place of what is planted in each folder, and how much it saw', async () => {
    const folder = await temporaryFolder();
    const places = {
      outputs: join(folder, 'outputs'),
      failureLogs: join(folder, 'logs'),
      goldens: join(folder, 'goldens'),
      sinceMs: 0,
    };
    const write = (place: string, name: string, text: string): void => {
      mkdirSync(join(folder, place), { recursive: true });
      writeFileSync(join(folder, place, name), text);
    };
    write('outputs', '1.log', '== stdout of status\nall is well\n');
    write('outputs', '1.known', `${numberHex}\n`);
    write('goldens', 'web.yaml', 'name: web\n');
    const counts = { outputs: 1, goldens: 1, keys: 1 };
    expect(search(places)).toEqual({ told: [], counts });
    write('outputs', '2.log', `== stdout of status\nfine\n== stderr of cert\nd=${numberHex}\n`);
    write('logs', 'server.log', await token());
    write('logs', 'config_dump.json', await token());
    write('goldens', 'bad.yaml', pem(p384, 'pkcs8'));
    const { told, ...rest } = search(places);
    expect(rest).toEqual({ counts: { outputs: 3, goldens: 2, keys: 1 } });
    expect([...told].sort()).toEqual([
      '../logs/server.log, byte 0: a token',
      expect.stringMatching(/^2\.log, byte \d+: the number of a private key == stderr of cert$/),
      'bad.yaml, byte 0: a private key in PEM',
      expect.stringMatching(/^bad\.yaml, byte \d+: an EC key in base64$/),
    ]);
  });
});

describe('the log', () => {
  const NAMES = ['privateKeyPem', 'keyPem', 'token', 'authorization', 'passphrase', 'privateKey'];
  it.each(NAMES)('never shows a field called %s, at any of four depths', (name) => {
    const lines: string[] = [];
    const output = { isTTY: false, write: (text: string) => void lines.push(text) };
    const logger = createLogger(output, 'debug');
    const secret = { [name]: 'very secret' };
    logger.info({ ...secret, a: { ...secret, b: { ...secret, c: secret } }, kept: 1 }, 'told');
    logger.error({ err: Object.assign(new Error('failed'), secret) }, 'an error');
    expect(lines.length).toBe(2);
    expect(lines.join('')).not.toContain('very secret');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      kept: 1,
      msg: 'told',
      [name]: '[redacted]',
    });
  });
});

describe('the memory of the process', () => {
  /** Each writes keys that are in memory to a disk, or opens them to a debugger. */
  const WRITERS = [
    ...['process.report', 'writeHeapSnapshot', 'setHeapSnapshotNearHeapLimit', 'getHeapSnapshot'],
    ...['--heapsnapshot', '--report-', '--diagnostic-dir', 'node:inspector', 'process.abort'],
  ];

  it('is written nowhere by the code', () => {
    const src = join(import.meta.dirname, '../../src');
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !name.startsWith('gen/'),
    );
    expect(files.length).toBeGreaterThan(100);
    const writing = files.filter((name) => {
      const text = readFileSync(join(src, name), 'utf8');
      return WRITERS.some((writer) => text.includes(writer));
    });
    expect(writing).toEqual([]);
  });
});
