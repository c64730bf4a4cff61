import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import {
  loadOrCreateAnchorPem,
  loadOrCreateServerCredential,
  XDS_SERVER_NAME,
} from '../../src/ca/xds/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import {
  diskFull,
  expectNoKey,
  MemoryDataDir,
  meshErrorOf,
  temporaryDataDir,
} from '../x509/tools.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;

function toOptions(dataDir: MemoryDataDir = new MemoryDataDir()) {
  const clock = new ManualClock();
  return { dataDir, clock, random: seededRandom('xds'), ips: ['127.0.0.1'] };
}

describe('the credential of the xDS port', () => {
  it('has an anchor of 20 years and a server certificate of one, and both survive', async () => {
    const options = toOptions();
    const first = await loadOrCreateServerCredential(options);
    const second = await loadOrCreateServerCredential(options);
    expect(second.anchorPem).toBe(first.anchorPem);
    expect(second.certificate()).toEqual(first.certificate());
    expect(await loadOrCreateAnchorPem(options)).toBe(first.anchorPem);
    const anchor = new X509Certificate(first.anchorPem);
    expect(Date.parse(anchor.validTo)).toBe(options.clock.now() + 20 * YEAR_MS);
    const server = new X509Certificate(first.certificate().chainPem);
    expect(Date.parse(server.validTo)).toBe(options.clock.now() + YEAR_MS);
    expect(server.verify(anchor.publicKey)).toBe(true);
    expect(server.subjectAltName).toBe(
      `DNS:${XDS_SERVER_NAME}, DNS:localhost, IP Address:127.0.0.1`,
    );
  });

  it('is one anchor, where several processes make it at once', async () => {
    const dataDir = await temporaryDataDir();
    const anchors = await Promise.all(
      Array.from({ length: 4 }, (_, i) =>
        loadOrCreateAnchorPem({ ...toOptions(), dataDir, random: seededRandom(i) }),
      ),
    );
    expect(new Set(anchors).size).toBe(1);
  });

  it('is accepted by a TLS client that pins the anchor and checks the name', async () => {
    const options = { ...toOptions(), clock: systemClock };
    const credential = await loadOrCreateServerCredential(options);
    onTestFinished(() => credential.close());
    const { keyPem, chainPem } = credential.certificate();
    const server = createServer({ key: keyPem, cert: chainPem }, (socket) => socket.end());
    onTestFinished(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const peer = { host: '127.0.0.1', port, ca: credential.anchorPem };
    for (const servername of [XDS_SERVER_NAME, 'localhost']) {
      const client = connect({ ...peer, servername });
      await once(client, 'secureConnect');
      expect(client.authorized).toBe(true);
      client.destroy();
    }
    const wrong = connect({ ...peer, servername: 'other.example' });
    const [error] = (await once(wrong, 'error').catch((reason: unknown) => [reason])) as [Error];
    expect(error).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('is renewed at half its life, stored first, and says so', async () => {
    const options = toOptions();
    const credential = await loadOrCreateServerCredential(options);
    const before = credential.certificate();
    const renewed = new Promise((done) => credential.onRenewed(done));
    options.clock.jump(182 * DAY_MS);
    options.clock.advance(HOUR_MS);
    expect(credential.certificate()).toEqual(before);
    options.clock.jump(DAY_MS);
    options.clock.advance(HOUR_MS);
    const after = await renewed;
    expect(after).toEqual(credential.certificate());
    expect(after).not.toEqual(before);
    const restarted = await loadOrCreateServerCredential(options);
    expect(restarted.certificate()).toEqual(after);
    expect(restarted.anchorPem).toBe(credential.anchorPem);
  });

  it('stays in force where a renewal cannot be stored, and tries again', async () => {
    const options = toOptions();
    const { dataDir, clock } = options;
    let report = (_error: unknown): void => undefined;
    const credential = await loadOrCreateServerCredential({
      ...options,
      onProblem: (error) => report(error),
    });
    const before = credential.certificate();
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    const failed = new Promise((done) => {
      report = done;
    });
    clock.jump(183 * DAY_MS);
    clock.advance(HOUR_MS);
    expect(await failed).toMatchObject({ code: 'data-unwritable' });
    expect(credential.certificate()).toEqual(before);
    dataDir.beforeWrite = () => undefined;
    const renewed = new Promise((done) => credential.onRenewed(done));
    // The check that failed sets the next one in a later turn.
    await new Promise((done) => setImmediate(done));
    clock.advance(HOUR_MS);
    expect(await renewed).not.toEqual(before);
    credential.close();
    expect(clock.pending).toBe(0);
  });

  it('is issued anew for other names, under the same anchor', async () => {
    const options = toOptions();
    const first = await loadOrCreateServerCredential(options);
    const names = { dnsNames: ['mesh.corp.example'], ips: ['127.0.0.1', 'fd00::17'] };
    const second = await loadOrCreateServerCredential({ ...options, ...names });
    expect(second.anchorPem).toBe(first.anchorPem);
    const certificate = new X509Certificate(second.certificate().chainPem);
    expect(certificate.checkHost('mesh.corp.example')).toBe('mesh.corp.example');
    expect(certificate.checkIP('fd00::17')).toBe('fd00::17');
    const third = await loadOrCreateServerCredential({ ...options, ...names });
    expect(third.certificate()).toEqual(second.certificate());
  });

  it.each(['xds-anchor.json', 'xds-server.json'])('with a damaged %s is refused', async (name) => {
    const options = toOptions();
    await loadOrCreateServerCredential(options);
    const other = toOptions();
    await loadOrCreateServerCredential({ ...other, random: seededRandom('other') });
    const foreign = other.dataDir.files.get(name) ?? '';
    const whole = options.dataDir.files.get(name) ?? '';
    const mixed = JSON.stringify({
      ...JSON.parse(whole),
      privateKeyPem: JSON.parse(foreign).privateKeyPem,
    });
    for (const content of [whole.slice(0, 99), '{}', mixed]) {
      options.dataDir.files.set(name, content);
      const error = await meshErrorOf(() => loadOrCreateServerCredential(options));
      expect(error.code).toBe('data-damaged');
      expect(error.message).toContain(`/memory/${name}: expected`);
      expectNoKey(error);
      expect(options.dataDir.files.get(name)).toBe(content);
    }
  });
});
