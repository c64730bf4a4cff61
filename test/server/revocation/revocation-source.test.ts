import { describe, expect, it } from 'vitest';
import { loadOrCreateAuthority } from '../../../src/ca/index.js';
import { LeafManager, type LeafSettings, recordHandedOut } from '../../../src/leaves/index.js';
import {
  addRevocation,
  type RevocationSubject,
  removeRevocation,
} from '../../../src/revocation/index.js';
import { Losses } from '../../../src/server/folder/take-up.js';
import type { ProxyState } from '../../../src/server/mesh/index.js';
import { passIssuerGate, RevocationSource, ShutOut } from '../../../src/server/revocation/index.js';
import { GATE_MS } from '../../../src/server/revocation/issuer-gate.js';
import { parseSpiffeId } from '../../../src/spiffe/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { meshOf } from '../../policy/helpers.js';
import { diskFull, MemoryDataDir, meshErrorOf } from '../../x509/tools.js';

const MESH = meshOf(`trustDomain: shop.example
services:
  web: {}
  store: { ports: { 6000: { protocol: tcp, mtls: strict } } }
`);
const SETTINGS: LeafSettings = {
  spiffeId: parseSpiffeId('spiffe://shop.example/ns/default/sa/web'),
  dnsNames: [],
  ttlMs: 86_400_000,
  key: 'ecdsa-p256',
  renewAt: 0.5,
  jitter: 0.05,
};
const WEB = { kind: 'service', subject: 'web' } as const;

async function setup() {
  const dataDir = new MemoryDataDir();
  const clock = new ManualClock();
  const random = seededRandom('revocations');
  const logger = recordingLogger();
  const trustDomain = 'shop.example';
  const { authority } = await loadOrCreateAuthority({ dataDir, clock, random, trustDomain });
  const open = async () => {
    const meshes = () => [MESH];
    const shutOut = new ShutOut();
    const leaves = new LeafManager({
      ...{ dataDir, clock, random, authority },
      isRevoked: (serialHex) => shutOut.isRevokedSerial(serialHex),
      onProblem: () => undefined,
    });
    const source = await RevocationSource.open({
      ...{ dataDir, clock, logger, authority, meshes, leaves, shutOut },
      losses: new Losses(dataDir, logger),
    });
    let changes = 0;
    source.inForce.onChange(() => {
      changes++;
    });
    return { source, leaves, shutOut, changes: () => changes };
  };
  const revoke = (subject: RevocationSubject) =>
    addRevocation(dataDir, { ...subject, revokedAtMs: clock.now() });
  return { dataDir, clock, logger, authority, open, revoke, ...(await open()) };
}

describe('revocations', () => {
  it('are nothing at first: no list, no mark, no file', async () => {
    const { source, dataDir, changes } = await setup();
    await source.check();
    expect(source.inForce.value).toEqual({
      list: new Map(),
      marks: { seen: [], inbound: {}, outbound: {} },
      crls: undefined,
      certificates: [],
    });
    expect(changes()).toBe(0);
    expect([...dataDir.files.keys()].filter((name) => /crl|mark/.test(name))).toEqual([]);
  });

  it('are in force at the next look, and over a restart by the same bytes', async () => {
    const { source, leaves, revoke, open, changes } = await setup();
    const leaf = await leaves.ensure('web~one', SETTINGS);
    await revoke(WEB);
    await source.check();
    const { value } = source.inForce;
    expect([...value.list.keys()]).toEqual(['service web']);
    expect(value.certificates.map(({ serialHex }) => serialHex)).toEqual([leaf.serialHex]);
    expect(Object.keys(value.marks.inbound)).toEqual(['store:6000']);
    expect(value.crls?.pem).toContain('X509 CRL');
    await source.check();
    expect(changes()).toBe(1);
    expect((await open()).source.inForce.value).toEqual(value);
  });

  it.each([
    { lost: 'all files', isLost: () => true },
    { lost: 'its own file alone', isLost: (name: string) => name.startsWith('revocations/') },
  ])('whose files are gone stay in force, by name: $lost', async ({ isLost }) => {
    const { source, shutOut, revoke, dataDir, logger } = await setup();
    await revoke(WEB);
    await source.check();
    const stored = new Map(dataDir.files);
    for (const name of stored.keys()) if (isLost(name)) dataDir.files.delete(name);
    await source.check();
    expect(() => shutOut.assertAdmitted({ service: 'web' })).toThrow('revoked');
    expect([...source.inForce.value.list.keys()]).toEqual(['service web']);
    const told = /^revocations\/[0-9a-f]{32}\.json is gone, service "web" stays revoked: .*--undo/;
    expect(source.troubles).toEqual([expect.stringMatching(told)]);
    expect(logger.lines.at(-1)).toMatchObject({ level: 'error' });
    // Another is heard all the same, and the trouble ends with its cause.
    await revoke({ kind: 'token', subject: 'f00d' });
    await source.check();
    expect([...source.inForce.value.list.keys()].sort()).toEqual(['service web', 'token f00d']);
    for (const [name, text] of stored) dataDir.files.set(name, text);
    await source.check();
    expect(source.troubles).toEqual([]);
    expect(source.inForce.value.list.size).toBe(2);
  });

  it('whose file is gone are taken back by --undo, and not by its removal', async () => {
    const { source, shutOut, revoke, dataDir, open } = await setup();
    await revoke(WEB);
    await source.check();
    removeFiles(dataDir);
    await source.check();
    expect(source.inForce.value.list.size).toBe(1);
    expect(await removeRevocation(dataDir, WEB)).toMatchObject(WEB);
    await source.check();
    expect([source.inForce.value.list.size, source.troubles]).toEqual([0, []]);
    shutOut.assertAdmitted({ service: 'web' });
    expect([...dataDir.files.keys()].filter((name) => name.startsWith('revocations/'))).toEqual([]);
    expect((await open()).source.inForce.value.list.size).toBe(0);
  });

  it.each(['gone', 'damaged'])(
    'whose file is %s at a start are in force, and written anew',
    async (how) => {
      const { source, revoke, dataDir, open, logger } = await setup();
      await revoke(WEB);
      await source.check();
      const { value } = source.inForce;
      const before = new Map(dataDir.files);
      if (how === 'gone') removeFiles(dataDir);
      else for (const name of revocationFiles(dataDir)) dataDir.files.set(name, '');
      const { source: later } = await open();
      expect(later.inForce.value).toEqual(value);
      for (const name of revocationFiles({ files: before })) {
        expect(dataDir.files.get(name)).toBe(before.get(name));
      }
      const reasons = logger.lines.map(({ fields }) =>
        String((fields as { reason?: string }).reason),
      );
      expect(reasons.some((reason) => reason.includes('written anew'))).toBe(true);
    },
  );

  it('taken back by a command that was killed before the file went stay so', async () => {
    const { source, revoke, dataDir, open } = await setup();
    await revoke(WEB);
    await source.check();
    const before = new Map(dataDir.files);
    await removeRevocation(dataDir, WEB);
    for (const name of revocationFiles({ files: before })) {
      dataDir.files.set(name, before.get(name) ?? '');
    }
    for (let look = 0; look < 3; look++) await source.check();
    expect(source.inForce.value.list.size).toBe(0);
    expect((await open()).source.inForce.value.list.size).toBe(0);
    await revoke(WEB);
    await source.check();
    expect(source.inForce.value.list.size).toBe(1);
  });

  it('taken back and made again at once, by a clock that was set back, are in force', async () => {
    const { source, dataDir } = await setup();
    await addRevocation(dataDir, { ...WEB, revokedAtMs: 5_000 });
    await source.check();
    await removeRevocation(dataDir, WEB);
    await addRevocation(dataDir, { ...WEB, revokedAtMs: 1_000 });
    await source.check();
    expect(source.inForce.value.list.size).toBe(1);
    await source.check();
    expect(source.inForce.value.list.size).toBe(1);
  });

  it('refuse a certificate whose record is lost, now and after a start', async () => {
    const { source, leaves, revoke, dataDir, clock, open } = await setup();
    const { serialHex } = await leaves.ensure('web~one', SETTINGS);
    await revoke(WEB);
    await source.check();
    for (const name of dataDir.files.keys()) {
      if (name.startsWith('leaves/')) dataDir.files.delete(name);
    }
    clock.advance(1_000);
    await revoke({ kind: 'token', subject: 'f00d' });
    await source.check();
    const serials = (of: RevocationSource) =>
      of.inForce.value.certificates.map((one) => one.serialHex);
    expect(serials(source)).toEqual([serialHex]);
    expect(serials((await open()).source)).toEqual([serialHex]);
    await removeRevocation(dataDir, WEB);
    await source.check();
    expect(serials(source)).toEqual([]);
  });

  it('shut out whom they name, and certify them no more', async () => {
    const { source, shutOut, leaves, revoke } = await setup();
    await leaves.ensure('web~one', SETTINGS);
    await leaves.ensure('store~one', SETTINGS);
    await revoke({ kind: 'instance', subject: 'web~one' });
    await source.check();
    const error = await meshErrorOf(() => shutOut.assertAdmitted({ node: 'web~one' }));
    expect(error.code).toBe('revoked');
    shutOut.assertAdmitted({ node: 'web~two', service: 'web' });
    expect(leaves.get('web~one')).toBeUndefined();
    expect(leaves.get('store~one')).toBeDefined();
  });

  it('of an instance refuse its certificate under any other name', async () => {
    const { source, shutOut, leaves, revoke } = await setup();
    const { serialHex } = await leaves.ensure('web~one', SETTINGS);
    await revoke({ kind: 'instance', subject: 'web~one' });
    await source.check();
    const applicant = { service: 'web', node: 'web~two', certificateSerialHex: serialHex } as const;
    const error = await meshErrorOf(() => shutOut.assertAdmitted(applicant));
    expect(error.message).toContain('instance "web~one" is revoked');
    shutOut.assertAdmitted({ ...applicant, certificateSerialHex: '0a' });
  });

  it('take in a leaf that was being made, and what is handed out later', async () => {
    const { source, leaves, revoke, dataDir, authority } = await setup();
    const asked = leaves.ensure('web~one', SETTINGS);
    await revoke(WEB);
    await source.check();
    const { serialHex } = await asked;
    const serials = (): string[] =>
      source.inForce.value.certificates.map((one) => one.serialHex).sort();
    expect(serials()).toEqual([serialHex]);
    const certificate = await authority.issueLeaf(SETTINGS);
    await recordHandedOut(dataDir, { certificate, service: 'web' });
    await source.check();
    expect(serials()).toEqual([certificate.serialHex, serialHex].sort());
  });

  it('of a certificate give its node another one, before it is refused', async () => {
    const { source, leaves, revoke } = await setup();
    const { serialHex } = await leaves.ensure('web~one', SETTINGS);
    await revoke({ kind: 'serial', subject: serialHex });
    let renewed: string | undefined;
    source.inForce.onChange(() => {
      renewed = leaves.get('web~one')?.serialHex;
    });
    await source.check();
    expect(renewed).not.toBe(serialHex);
    expect(source.inForce.value.certificates).toMatchObject([{ serialHex, service: 'web' }]);
  });

  it('taken back leave nothing but the mark', async () => {
    const { source, shutOut, leaves, revoke, dataDir } = await setup();
    await leaves.ensure('web~one', SETTINGS);
    await revoke(WEB);
    await source.check();
    const { inbound } = source.inForce.value.marks;
    await removeRevocation(dataDir, WEB);
    await source.check();
    expect(source.inForce.value).toEqual({
      list: new Map(),
      marks: { seen: [], inbound, outbound: {} },
      crls: undefined,
      certificates: [],
    });
    shutOut.assertAdmitted({ service: 'web' });
  });

  it('whose list can not be stored refuse at once, and are in force when it can', async () => {
    const { source, shutOut, leaves, revoke, dataDir } = await setup();
    await leaves.ensure('web~one', SETTINGS);
    await revoke(WEB);
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    expect((await meshErrorOf(() => source.check())).code).toBe('data-unwritable');
    expect(source.inForce.value.list.size).toBe(0);
    expect((await meshErrorOf(() => shutOut.assertAdmitted(WEB_APPLICANT))).code).toBe('revoked');
    dataDir.beforeWrite = () => undefined;
    await source.check();
    expect(source.inForce.value.list.size).toBe(1);
  });

  it('that are damaged keep what is in force, and a server from starting', async () => {
    const { source, revoke, dataDir, open } = await setup();
    await revoke(WEB);
    await source.check();
    await revoke({ kind: 'token', subject: 'f00d' });
    const damaged = [...dataDir.files.keys()].filter((name) => name.startsWith('revocations/'));
    for (const name of damaged) dataDir.files.set(name, 'x');
    await source.check();
    expect([...source.inForce.value.list.keys()]).toEqual(['service web']);
    // That one's file is known; what the other said, nobody knows.
    expect(source.troubles).toEqual([
      expect.stringContaining('is damaged, service "web" stays revoked'),
      expect.stringContaining('nobody knows what it revoked'),
    ]);
    for (const name of damaged) expect(source.troubles.join()).toContain(name);
    await revoke({ kind: 'instance', subject: 'store~one' });
    await source.check();
    expect([...source.inForce.value.list.keys()]).toContain('instance store~one');
    expect((await meshErrorOf(open)).code).toBe('data-damaged');
  });
});

function revocationFiles({ files }: Pick<MemoryDataDir, 'files'>): readonly string[] {
  return [...files.keys()].filter((name) => name.startsWith('revocations/'));
}

function removeFiles(dataDir: MemoryDataDir): void {
  for (const name of revocationFiles(dataDir)) dataDir.files.delete(name);
}

const WEB_APPLICANT = { service: 'web' };

describe('a new issuing CA', () => {
  const HALF_A_YEAR_MS = 183 * 86_400_000;

  async function renew(states: ProxyState[]) {
    const made = await setup();
    const { source, revoke, clock, authority } = made;
    const listeners = new Set<() => void>();
    let asked = 0;
    authority.onNewIssuer(() => {
      asked++;
      return passIssuerGate({
        revocations: source,
        clock,
        proxies: () => states.map((state) => ({ state })),
        onChange: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      });
    });
    const lists = (): number => source.inForce.value.crls?.pem.match(/BEGIN/g)?.length ?? 0;
    const tell = (): void => {
      for (const listener of listeners) listener();
    };
    /** By the next issuing CA; whether it was issued meanwhile. */
    const issue = () => {
      let isIssued = false;
      const leaf = authority.renewIssuer().then(async () => {
        const issued = await authority.issueLeaf(SETTINGS);
        isIssued = true;
        return issued;
      });
      return { leaf, isIssued: () => isIssued };
    };
    return { ...made, revoke, lists, tell, issue, asked: () => asked, listeners };
  }

  it('signs nothing before every proxy has its revocation list', async () => {
    const states: ProxyState[] = ['synced', 'pending'];
    const { source, revoke, clock, lists, tell, issue, listeners } = await renew(states);
    await revoke({ kind: 'serial', subject: '0a' });
    await source.check();
    clock.advance(HALF_A_YEAR_MS);
    expect(lists()).toBe(1);
    const { leaf, isIssued } = issue();
    await until(() => listeners.size === 1);
    expect([lists(), isIssued()]).toEqual([2, false]);
    tell();
    expect(isIssued()).toBe(false);
    states[1] = 'synced';
    tell();
    const before = await leaf;
    expect(clock.pending).toBe(0);
    // Not for the next leaf again.
    const next = await issue().leaf;
    expect(next.chainPem.slice(-200)).toBe(before.chainPem.slice(-200));
  });

  it('waits for a mute proxy no longer than its deadline', async () => {
    const { source, revoke, clock, issue, listeners } = await renew(['pending']);
    await revoke({ kind: 'serial', subject: '0a' });
    await source.check();
    clock.advance(HALF_A_YEAR_MS);
    const { leaf } = issue();
    await until(() => listeners.size === 1);
    clock.advance(GATE_MS);
    expect((await leaf).serialHex).toMatch(/^[0-9a-f]+$/);
  });

  it('waits for nobody while nothing is revoked', async () => {
    const { clock, issue, asked } = await renew(['pending']);
    clock.advance(HALF_A_YEAR_MS);
    await issue().leaf;
    expect(asked()).toBe(1);
  });
});

/** Lets promises run until it holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !holds(); turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
  expect(holds()).toBe(true);
}
