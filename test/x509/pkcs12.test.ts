import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import type { KeyType } from '../../src/spiffe/index.js';
import { toPkcs12 } from '../../src/x509/pkcs12/index.js';
import { createCaChain, issueLeaf } from './issuers.js';

// What OpenSSL and Java make of a PKCS #12 file of ours: neither shares anything with its writer.

const KEY_TYPES: readonly KeyType[] = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072'];
const PASSWORD = 'correct horse battery';
const NAME = 'payments/ledger';
const HAS_JAVA = ['java', 'keytool'].every((name) => spawnSync(name, ['-help']).status === 0);
const JAVA = HAS_JAVA ? '' : ' [no Java: install a JDK]';
/** English, and quick to start. */
const JVM = ['-Duser.language=en', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const run = promisify(execFile);

const dir = mkdtempSync(join(tmpdir(), 'countersign-pkcs12-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A key file, beside a file of its password. */
async function make(type: KeyType) {
  const nowMs = systemClock.now();
  const chain = await createCaChain('ecdsa-p256', nowMs);
  const names = { namespace: 'payments', serviceAccount: 'ledger', ttlMs: 3_600_000 };
  const leaf = await issueLeaf({ chain, type, nowMs, names: { ...names, dnsNames: ['ledger'] } });
  const [file, passwordFile] = [join(dir, `${type}.p12`), join(dir, 'password')];
  const { chainPem, keyPem } = leaf;
  const anchorsPem = chain.root.pem;
  const bytes = await toPkcs12({
    ...{ chainPem, keyPem, anchorsPem, name: NAME, password: PASSWORD, random: systemRandom },
  });
  writeFileSync(file, bytes, { mode: 0o600 });
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
  return { chain, leaf, anchorsPem, file, passwordFile, bytes };
}

type Made = Awaited<ReturnType<typeof make>>;

const made = new Map<KeyType, Promise<Made>>();
/** The same one for every test of that type. */
function fileOf(type: KeyType): Promise<Made> {
  const found = made.get(type) ?? make(type);
  made.set(type, found);
  return found;
}

function openssl({ file, passwordFile }: Made, ...argv: readonly string[]): string {
  const words = ['pkcs12', '-in', file, '-passin', `file:${passwordFile}`, ...argv];
  return execFileSync('openssl', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

const certificatesIn = (text: string): readonly string[] =>
  (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((pem) =>
    new X509Certificate(pem).toString(),
  );

describe('a PKCS #12 file', () => {
  test.each(KEY_TYPES)('of %s: OpenSSL finds the key, its chain and the anchor', async (type) => {
    const file = await fileOf(type);
    const { leaf, chain } = file;
    const key = createPrivateKey(openssl(file, '-nocerts', '-noenc'));
    const spki = (pem: string | ReturnType<typeof createPrivateKey>) =>
      createPublicKey(pem).export({ type: 'spki', format: 'der' });
    expect(spki(key)).toEqual(spki(leaf.keyPem));
    expect(new X509Certificate(leaf.pem).checkPrivateKey(key)).toBe(true);
    expect(certificatesIn(openssl(file, '-nokeys', '-clcerts'))).toEqual([leaf.pem]);
    expect(certificatesIn(openssl(file, '-nokeys', '-cacerts'))).toEqual([
      chain.issuer.pem,
      chain.root.pem,
    ]);
  });

  test('all of it is under AES-256 and many rounds of SHA-256; names and ids', async () => {
    const { file, passwordFile, bytes, leaf } = await fileOf('ecdsa-p256');
    const argv = ['pkcs12', '-in', file, '-passin', `file:${passwordFile}`, '-info'];
    const { stdout, stderr } = spawnSync('openssl', [...argv, '-noenc'], { encoding: 'utf8' });
    const pbes2 = 'PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256';
    const facts = stderr.split('\n').filter((chain) => chain !== '');
    expect(facts).toEqual([
      'MAC: sha256, Iteration 100000',
      'MAC length: 32, salt length: 16',
      `PKCS7 Encrypted data: ${pbes2}`,
      ...['Certificate bag', 'Certificate bag', 'Certificate bag', 'PKCS7 Data'],
      `Shrouded Keybag: ${pbes2}`,
    ]);
    const names = [...stdout.matchAll(/friendlyName: (.+)/g)].map(([, name]) => name);
    expect(names).toEqual([NAME, 'trust anchor 1', NAME]);
    const ids = [...stdout.matchAll(/localKeyID: (.+?)\s*$/gm)].map(([, id]) => id);
    expect(ids).toHaveLength(2);
    expect(ids[0]).toBe(ids[1]);
    expect(bytes.includes(new X509Certificate(leaf.pem).raw)).toBe(false);
    const wrong = ['pkcs12', '-in', file, '-passin', 'pass:another password', '-nokeys'];
    expect(spawnSync('openssl', wrong).status).toBe(1);
  });

  test('an anchor that is in the chain as well is there once, as an anchor', async () => {
    const made = await fileOf('ecdsa-p256');
    const { leaf, chain } = made;
    const bytes = await toPkcs12({
      ...{ chainPem: leaf.chainPem, keyPem: leaf.keyPem, anchorsPem: chain.issuer.pem },
      ...{ name: NAME, password: PASSWORD, random: systemRandom },
    });
    const file = join(dir, 'anchor-in-chain.p12');
    writeFileSync(file, bytes, { mode: 0o600 });
    const found = certificatesIn(openssl({ ...made, file }, '-nokeys'));
    expect(found).toEqual([leaf.pem, chain.issuer.pem]);
  });
});

describe.skipIf(!HAS_JAVA)(`in Java${JAVA}`, () => {
  test.each(KEY_TYPES)('keytool finds the entry of a key of %s, and the anchor', async (type) => {
    const { file, passwordFile } = await fileOf(type);
    const argv = ['-list', '-v', '-keystore', file, '-storepass:file', passwordFile];
    const text = (await run('keytool', [...JVM.map((one) => `-J${one}`), ...argv])).stdout;
    const entries = text.split('Alias name: ').slice(1);
    expect(entries.map((entry) => entry.split('\n', 1)[0])).toEqual(
      expect.arrayContaining([NAME, 'trust anchor 1']),
    );
    const own = entries.find((entry) => entry.startsWith(NAME));
    expect(own).toContain('Entry type: PrivateKeyEntry');
    // The leaf, its issuer and, since the file has it, the root.
    expect(own).toContain('Certificate chain length: 3');
    const anchor = entries.find((entry) => entry.startsWith('trust anchor 1'));
    expect(anchor).toContain('Entry type: trustedCertEntry');
  });

  test('a client with the file alone is known by its SPIFFE ID, and knows the server', async () => {
    const { leaf, anchorsPem, file, passwordFile } = await fileOf('ecdsa-p256');
    const server = createServer({
      ...{ key: leaf.keyPem, cert: leaf.chainPem, ca: anchorsPem, requestCert: true },
    });
    server.on('secureConnection', (socket) => {
      socket.end(`${socket.authorized} ${socket.getPeerX509Certificate()?.subjectAltName}\n`);
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const program = join(import.meta.dirname, 'java/MutualTls.java');
    const { stdout } = await run('java', [...JVM, program, file, passwordFile, String(port)]);
    const said = stdout.trim().split('\n');
    expect(said.slice(0, -1).sort()).toEqual([`key ${NAME}`, 'trusted trust anchor 1']);
    expect(said.at(-1)).toBe('true URI:spiffe://shop.example/ns/payments/sa/ledger, DNS:ledger');
  });
});
