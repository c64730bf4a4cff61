import { describe, expect, it } from 'vitest';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import { LeafStore, recordHandedOut } from '../../src/leaves/index.js';
import {
  addRevocation,
  assertNotRevoked,
  findCertificates,
  findRevokedCertificates,
  loadRevocations,
  type Revocation,
  type Revocations,
  removeRevocation,
  toRevocationKey,
  tryParseSerialHex,
} from '../../src/revocation/index.js';
import type { NodeId } from '../../src/spiffe/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { MemoryDataDir, meshErrorOf, temporaryDataDir, WEB } from '../x509/tools.js';

const NOW_MS = Date.UTC(2026, 0, 1);
const SERVICE: Revocation = { kind: 'service', subject: 'payments/ledger', revokedAtMs: NOW_MS };
const INSTANCE: Revocation = { kind: 'instance', subject: 'web~one', revokedAtMs: NOW_MS + 1 };
const SERIAL: Revocation = { kind: 'serial', subject: '0abc', revokedAtMs: NOW_MS + 2 };
const TOKEN: Revocation = { kind: 'token', subject: 'f00d', revokedAtMs: NOW_MS + 3 };
const ALL = [SERVICE, INSTANCE, SERIAL, TOKEN];
const toMap = (list: readonly Revocation[]): Revocations =>
  new Map(list.map((one) => [toRevocationKey(one), one]));

it('a revocation by any name that the service has or had names it', () => {
  const applicant = {
    ...{ service: 'ledger', node: 'ledger~one' as NodeId },
    names: ['payments/books', 'ledger'],
  };
  const revoke = (kind: 'service' | 'instance', subject: string) =>
    toMap([{ kind, subject, revokedAtMs: NOW_MS }]);
  for (const subject of ['payments/books', 'ledger']) {
    expect(() => assertNotRevoked(revoke('service', subject), applicant)).toThrow(subject);
    const instance = revoke('instance', `${subject}~one`);
    expect(() => assertNotRevoked(instance, applicant)).toThrow(subject);
    expect(() => assertNotRevoked(revoke('instance', `${subject}~two`), applicant)).not.toThrow();
  }
  expect(() => assertNotRevoked(revoke('service', 'books'), applicant)).not.toThrow();
});

describe('stored revocations', () => {
  it('are there again, oldest first, until they are taken back', async () => {
    const dataDir = await temporaryDataDir();
    expect(await loadRevocations(dataDir)).toEqual(new Map());
    for (const one of [...ALL].reverse()) expect(await addRevocation(dataDir, one)).toBe(true);
    expect([...(await loadRevocations(dataDir)).values()]).toEqual(ALL);
    expect(await removeRevocation(dataDir, INSTANCE)).toEqual(INSTANCE);
    expect(await removeRevocation(dataDir, INSTANCE)).toBeUndefined();
    expect([...(await loadRevocations(dataDir)).values()]).toEqual([SERVICE, SERIAL, TOKEN]);
  });

  it('made again, keep the time of the first', async () => {
    const dataDir = await temporaryDataDir();
    await addRevocation(dataDir, SERVICE);
    expect(await addRevocation(dataDir, { ...SERVICE, revokedAtMs: NOW_MS + 99 })).toBe(false);
    expect(await loadRevocations(dataDir)).toEqual(toMap([SERVICE]));
  });

  it('made at once by several commands, lose none', async () => {
    const dataDir = await temporaryDataDir();
    const many = Array.from({ length: 20 }, (_, i) => ({ ...TOKEN, subject: `id-${i}` }));
    await Promise.all(many.map((one) => addRevocation(dataDir, one)));
    expect((await loadRevocations(dataDir)).size).toBe(20);
  });

  it.each([
    ['text that is no JSON', 'x'],
    ['nothing', ''],
    ['another kind', JSON.stringify({ version: 1, ...SERVICE, kind: 'planet' })],
    ['another subject than its name says', JSON.stringify({ version: 1, ...INSTANCE })],
    ['an unknown key', JSON.stringify({ version: 1, ...SERVICE, until: 1 })],
    ['another version', JSON.stringify({ version: 2, ...SERVICE })],
  ])('a file with %s is an error: nothing is forgotten', async (_name, text) => {
    const dataDir = new MemoryDataDir();
    await addRevocation(dataDir, SERVICE);
    const [name = ''] = dataDir.files.keys();
    dataDir.files.set(name, text);
    expect(await meshErrorOf(() => loadRevocations(dataDir))).toMatchObject({
      code: 'data-damaged',
      message: expect.stringContaining(name),
    });
    expect(dataDir.files.get(name)).toBe(text);
  });

  it('a file of another name is an error', async () => {
    const dataDir = new MemoryDataDir();
    await addRevocation(dataDir, SERVICE);
    const [[name = '', text = ''] = []] = dataDir.files;
    dataDir.files.delete(name);
    dataDir.files.set('revocations/Copy of it.json', text);
    expect(await meshErrorOf(() => loadRevocations(dataDir))).toMatchObject({
      code: 'data-damaged',
    });
  });
});

describe('an applicant', () => {
  const ROWS: readonly [string, Parameters<typeof assertNotRevoked>[1], string | undefined][] = [
    ['of another service', { service: 'payments/web', node: 'payments/web~one' }, undefined],
    ['without anything', {}, undefined],
    ['of the same short name elsewhere', { service: 'ledger' }, undefined],
    ['of the service', { service: 'payments/ledger' }, 'service "payments/ledger"'],
    ['that is the instance', { service: 'web', node: 'web~one' }, 'instance "web~one"'],
    ['that is another instance', { service: 'web', node: 'web~two' }, undefined],
    ['with the token', { service: 'web', tokenId: 'f00d' }, 'the token with id "f00d"'],
    ['with another token', { service: 'web', tokenId: 'f00' }, undefined],
    ['an administrator with the token', { tokenId: 'f00d' }, 'the token with id "f00d"'],
    [
      'with the certificate',
      { service: 'web', certificateSerialHex: '0abc' },
      'the certificate with serial "0abc"',
    ],
    ['with another certificate', { certificateSerialHex: 'abc0' }, undefined],
  ];

  it.each(ROWS)('%s', async (_name, applicant, reason) => {
    const check = (): void => assertNotRevoked(toMap(ALL), applicant);
    if (reason === undefined) {
      check();
      return;
    }
    const error = await meshErrorOf(check);
    expect(error.code).toBe('revoked');
    expect(error.message).toMatch(/ is revoked since 2026-01-01T00:00:00\.00\dZ$/);
    expect(error.message.startsWith(reason)).toBe(true);
  });
});

describe('a serial', () => {
  it.each([
    ['0a', '0a'],
    ['0A', '0a'],
    ['a', '0a'],
    ['0x0A', '0a'],
    ['000a', '0a'],
    ['0A:BC:01', '0abc01'],
    ['00:ab', 'ab'],
    [' 7f00 ', '7f00'],
    [`00${'ab'.repeat(20)}`, 'ab'.repeat(20)],
    ['', undefined],
    ['0', undefined],
    ['00:00', undefined],
    ['0x', undefined],
    ['g1', undefined],
    ['0a:b', undefined],
    ['0a bc', undefined],
    ['-1', undefined],
    ['ab'.repeat(21), undefined],
  ])('%j is read as %j', (text, expected) => {
    expect(tryParseSerialHex(text)).toBe(expected);
  });
});

describe('the certificates that revocations shut out', () => {
  async function setup() {
    const dataDir = new MemoryDataDir();
    const clock = new ManualClock(NOW_MS);
    const random = seededRandom('revoked');
    const trustDomain = 'shop.example';
    const { authority } = await loadOrCreateAuthority({ dataDir, clock, random, trustDomain });
    const store = new LeafStore(dataDir);
    const issue = (ttlMs = 3_600_000) =>
      authority.issueLeaf({ spiffeId: WEB, dnsNames: [], ttlMs, key: 'ecdsa-p256' });
    const save = async (node: NodeId, ttlMs?: number, ...shown: string[]): Promise<string> => {
      const leaf = await issue(ttlMs);
      await store.save(node, leaf, { nowMs: clock.now(), shown: new Set(shown) });
      return leaf.serialHex;
    };
    const hand = async (service: string, node?: NodeId): Promise<string> => {
      const certificate = await issue();
      const bound = node === undefined ? {} : { node };
      await recordHandedOut(dataDir, { certificate, service, ...bound });
      return certificate.serialHex;
    };
    const revokedBy = async (...list: Revocation[]): Promise<string[]> => {
      const { certificates } = await findCertificates(dataDir, clock.now());
      const found = findRevokedCertificates(toMap(list), certificates, clock.now());
      return found.map(({ serialHex }) => serialHex);
    };
    return { dataDir, clock, save, hand, revokedBy };
  }
  const sorted = (...serials: string[]): string[] => serials.sort();

  it('are all leaves of a node that have not ended, the earlier ones too', async () => {
    const { save, revokedBy, clock } = await setup();
    await save('web~one', 1_000);
    clock.advance(2_000);
    const earlier = await save('web~one');
    const present = await save('web~one', 60_000);
    await save('web~two');
    expect(await revokedBy(INSTANCE)).toEqual(sorted(earlier, present));
    clock.advance(120_000);
    expect(await revokedBy(INSTANCE)).toEqual([earlier]);
    clock.advance(3_600_000);
    expect(await revokedBy(INSTANCE)).toEqual([]);
  });

  it('are everything that a service ever got, and what was handed out for it', async () => {
    const { save, hand, revokedBy } = await setup();
    const leaves = [await save('payments/ledger~one'), await save('payments/ledger~two')];
    const handed = await hand('payments/ledger');
    await save('ledger~one');
    await hand('ledger');
    expect(await revokedBy(SERVICE)).toEqual(sorted(...leaves, handed));
  });

  it('are what a node asked for by its own credential', async () => {
    const { hand, revokedBy } = await setup();
    const own = await hand('web', 'web~one');
    await hand('web', 'web~two');
    await hand('web');
    expect(await revokedBy(INSTANCE)).toEqual([own]);
  });

  it('are the serial that was named, known or not; none by a token', async () => {
    const { save, revokedBy } = await setup();
    const serial = await save('web~two');
    expect(await revokedBy({ ...SERIAL, subject: serial }, SERIAL, TOKEN)).toEqual(
      [SERIAL.subject, serial].sort((a, b) => a.length - b.length),
    );
  });

  it('are what was obtained by a revoked one, and by that one again', async () => {
    const { dataDir, hand, revokedBy, clock } = await setup();
    const first = await hand('web');
    const renew = async (by: string): Promise<string> => {
      const serial = await hand('web');
      const name = `handed-out/${serial}.json`;
      const record = JSON.parse(dataDir.files.get(name) ?? '') as object;
      const credential = { kind: 'certificate', serialHex: by };
      dataDir.files.set(name, JSON.stringify({ ...record, credential }));
      return serial;
    };
    const second = await renew(first);
    const third = await renew(second);
    const other = await hand('web');
    const bySerial = (subject: string): Promise<string[]> => revokedBy({ ...SERIAL, subject });
    expect(await bySerial(first)).toEqual(sorted(first, second, third));
    expect(await bySerial(second)).toEqual(sorted(second, third));
    expect(await bySerial(other)).toEqual([other]);
    clock.advance(3_600_000);
    expect(await bySerial(first)).toEqual([]);
  });

  it('are the leaf that a sidecar got by a revoked one, and what that got again', async () => {
    const { save, hand, revokedBy } = await setup();
    const cert = await hand('web');
    const other = await hand('web');
    const leaf = await save('web~one', undefined, other, cert);
    const next = await save('web~two', undefined, leaf);
    await save('web~three');
    const bySerial = (subject: string): Promise<string[]> => revokedBy({ ...SERIAL, subject });
    expect(await bySerial(cert)).toEqual(sorted(cert, leaf, next));
    expect(await bySerial(other)).toEqual(sorted(other, leaf, next));
    expect(await bySerial(leaf)).toEqual(sorted(leaf, next));
  });

  it('end where certificates say that they were had by each other', async () => {
    const { revokedBy, save } = await setup();
    const first = await save('web~one');
    const second = await save('web~two', undefined, first);
    await save('web~one', undefined, second, first);
    expect((await revokedBy({ ...SERIAL, subject: first })).length).toBe(3);
  });

  it('are not known of a damaged leaf, which is told', async () => {
    const { dataDir, save, clock } = await setup();
    await save('web~one');
    const name = [...dataDir.files.keys()].find((one) => one.startsWith('leaves/')) ?? '';
    dataDir.files.set(name, 'x');
    expect(await findCertificates(dataDir, clock.now())).toEqual({
      certificates: [],
      damaged: [name],
    });
  });
});
