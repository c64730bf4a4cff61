import { describe, expect, it } from 'vitest';
import { createCaChain, loadAuthority, loadOrCreateAuthority } from '../../src/ca/index.js';
import { hintOf } from '../../src/terminal/index.js';
import { generateKeys, type KeySource } from '../../src/x509/keys/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import {
  diskFull,
  expectNoKey,
  MemoryDataDir,
  meshErrorOf,
  temporaryDataDir,
  WEB,
} from '../x509/tools.js';

const DAY_MS = 86_400_000;
const FILE = 'authority.json';
const REQUEST = { spiffeId: WEB, dnsNames: ['web'], ttlMs: DAY_MS, key: 'ecdsa-p256' } as const;

interface Stored {
  trustDomain: string;
  root: { certificatePem: string; privateKeyPem: string };
  intermediate: { certificatePem: string; privateKeyPem: string };
}

function toOptions(dataDir: MemoryDataDir = new MemoryDataDir(), clock = new ManualClock()) {
  return { dataDir, clock, random: seededRandom('authority'), trustDomain: 'shop.example' };
}

function edit(dataDir: MemoryDataDir, change: (stored: Stored) => void): void {
  const stored = JSON.parse(dataDir.files.get(FILE) ?? '') as Stored;
  change(stored);
  dataDir.files.set(FILE, JSON.stringify(stored));
}

describe('the authority', () => {
  it('is made once, and is the same after a restart', async () => {
    const options = toOptions();
    const first = await loadOrCreateAuthority(options);
    const second = await loadOrCreateAuthority(options);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.authority.describe()).toEqual(first.authority.describe());
    expect(second.authority.trustAnchorsPem).toBe(first.authority.trustAnchorsPem);
    const { chainPem } = await first.authority.issueLeaf(REQUEST);
    expect(second.authority.vouchesFor(chainPem)).toBe(true);
  });

  it('consists of a root of 10 years and an intermediate of one', async () => {
    const { authority } = await loadOrCreateAuthority(toOptions());
    const hex = (length: number): RegExp => new RegExp(`^[0-9a-f]{${length}}$`);
    const common = {
      serialHex: expect.stringMatching(hex(32)),
      // A clock that is set back, by a year at most, makes nobody wait for it.
      notBeforeMs: Date.UTC(2025, 0, 1),
      keyType: 'ec prime256v1',
      fingerprintSha256: expect.stringMatching(hex(64)),
    };
    expect(authority.describe()).toEqual([
      {
        ...common,
        kind: 'root',
        subject: expect.stringMatching(/^O=Countersign, CN=countersign root [0-9a-f]{8}$/),
        notAfterMs: Date.UTC(2026, 0, 1) + 3650 * DAY_MS,
      },
      {
        ...common,
        kind: 'intermediate',
        subject: expect.stringMatching(/^O=Countersign, CN=countersign intermediate [0-9a-f]{8}$/),
        notAfterMs: Date.UTC(2026, 0, 1) + 365 * DAY_MS,
      },
    ]);
  });

  it('is one, where several processes make it at once', async () => {
    const dataDir = await temporaryDataDir();
    const made = await Promise.all(
      Array.from({ length: 4 }, (_, i) =>
        loadOrCreateAuthority({ ...toOptions(), dataDir, random: seededRandom(i) }),
      ),
    );
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(made.map(({ authority }) => authority.trustAnchorsPem)).size).toBe(1);
  });

  it('is missing where only a reader came', async () => {
    const dataDir = new MemoryDataDir();
    const error = await meshErrorOf(() => loadAuthority(toOptions(dataDir)));
    expect(error.code).toBe('data-missing');
    expect(dataDir.files.size).toBe(0);
  });

  it('belongs to one trust domain', async () => {
    const options = toOptions();
    await loadOrCreateAuthority(options);
    const other = { ...options, trustDomain: 'corp.example' };
    expect(await meshErrorOf(() => loadOrCreateAuthority(other))).toMatchObject({
      code: 'identity-invalid',
      path: 'trustDomain',
      message:
        'expected trust domain "shop.example", which the data folder belongs to, ' +
        'but got "corp.example"',
    });
    expect((await loadAuthority(options)).trustDomain).toBe('shop.example');
  });

  it('refuses a trust domain that is none', async () => {
    const options = { ...toOptions(), trustDomain: 'Shop Example' };
    expect((await meshErrorOf(() => loadOrCreateAuthority(options))).code).toBe('identity-invalid');
  });
});

describe('a first start', () => {
  it('that cannot store leaves nothing, and the next one makes the authority', async () => {
    const options = toOptions();
    options.dataDir.beforeWrite = () => {
      throw diskFull();
    };
    expect((await meshErrorOf(() => loadOrCreateAuthority(options))).code).toBe('data-unwritable');
    expect(options.dataDir.files.size).toBe(0);
    options.dataDir.beforeWrite = () => undefined;
    expect((await loadOrCreateAuthority(options)).created).toBe(true);
  });

  it('that dies right after storing leaves a whole one', async () => {
    const options = toOptions();
    options.dataDir.afterWrite = () => {
      throw new Error('killed');
    };
    await expect(loadOrCreateAuthority(options)).rejects.toThrow('killed');
    options.dataDir.afterWrite = () => undefined;
    const { authority, created } = await loadOrCreateAuthority(options);
    expect(created).toBe(false);
    expect((await authority.issueLeaf(REQUEST)).spiffeId).toBe(WEB);
  });

  it.each([1, 2])('that dies making key %d leaves nothing', async (nth) => {
    let made = 0;
    const keySource: KeySource = async (type) => {
      if (++made === nth) throw new Error('killed');
      return generateKeys(type);
    };
    const options = toOptions();
    await expect(loadOrCreateAuthority({ ...options, keySource })).rejects.toThrow('killed');
    expect(options.dataDir.files.size).toBe(0);
  });
});

const DAMAGE: readonly (readonly [string, (stored: Stored) => void, string])[] = [
  [
    'another root key',
    (stored) => {
      stored.root.privateKeyPem = stored.intermediate.privateKeyPem;
    },
    'root: expected the private key of this certificate but got another',
  ],
  [
    'another intermediate key',
    (stored) => {
      stored.intermediate.privateKeyPem = stored.root.privateKeyPem;
    },
    'intermediate: expected the private key of this certificate but got another',
  ],
  [
    'a key that is none',
    (stored) => {
      stored.root.privateKeyPem = '-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----';
    },
    'expected keys but got other text',
  ],
  [
    'a certificate that is none',
    (stored) => {
      stored.root.certificatePem = 'x';
    },
    'expected certificates in PEM but got none',
  ],
  [
    'another trust domain',
    (stored) => {
      stored.trustDomain = 'corp.example';
    },
    'root: expected URI names [spiffe://corp.example] but got [spiffe://shop.example]; ' +
      'intermediate: expected URI names [spiffe://corp.example] but got [spiffe://shop.example]',
  ],
];

describe('a stored authority', () => {
  it.each(DAMAGE)('with %s is refused and kept', async (_name, change, what) => {
    const options = toOptions();
    await loadOrCreateAuthority(options);
    edit(options.dataDir, change);
    const content = options.dataDir.files.get(FILE);
    const error = await meshErrorOf(() => loadOrCreateAuthority(options));
    expect(error).toMatchObject({ code: 'data-damaged', message: `/memory/${FILE}: ${what}` });
    expect(hintOf(error)).toContain('backup');
    expectNoKey(error);
    expect(options.dataDir.files.get(FILE)).toBe(content);
  });

  it('with the intermediate of another root is refused', async () => {
    const options = toOptions();
    await loadOrCreateAuthority(options);
    const other = { ...toOptions(), random: seededRandom('other') };
    await loadOrCreateAuthority(other);
    const { intermediate } = JSON.parse(other.dataDir.files.get(FILE) ?? '') as Stored;
    edit(options.dataDir, (stored) => {
      stored.intermediate = intermediate;
    });
    const error = await meshErrorOf(() => loadOrCreateAuthority(options));
    expect(error.code).toBe('data-damaged');
    expect(error.message).toContain("expected a signature by its issuer's key but got another one");
  });

  it('cut off at any place is refused and kept', async () => {
    const options = toOptions();
    await loadOrCreateAuthority(options);
    const whole = options.dataDir.files.get(FILE) ?? '';
    for (const length of [0, 1, 100, whole.length - 3]) {
      options.dataDir.files.set(FILE, whole.slice(0, length));
      const error = await meshErrorOf(() => loadOrCreateAuthority(options));
      expect(error.code).toBe('data-damaged');
      expect(options.dataDir.files.get(FILE)).toBe(whole.slice(0, length));
    }
  });

  it('whose root has ended can be opened, so that a new root can take over', async () => {
    const options = toOptions();
    await loadOrCreateAuthority(options);
    options.clock.jump(3650 * DAY_MS);
    const { authority } = await loadOrCreateAuthority(options);
    const error = await meshErrorOf(() => authority.issueLeaf(REQUEST));
    expect(error).toMatchObject({
      code: 'certificate-invalid',
      message: 'the root ended 2035-12-30T00:00:00.000Z',
    });
    expect(hintOf(error)).toContain('`countersign ca rotate`');
    const next = await createCaChain('shop.example', { ...options, keySource: generateKeys });
    await authority.beginChange(next);
    await authority.signByNew();
    await authority.endChange();
    expect((await authority.issueLeaf(REQUEST)).spiffeId).toBe(WEB);
  });
});

describe('the intermediate', () => {
  it('is replaced at half its life, by the clock and not by use, stored first', async () => {
    const options = toOptions();
    const { authority } = await loadOrCreateAuthority(options);
    const before = authority.describe();
    const old = await authority.issueLeaf(REQUEST);
    options.clock.jump(182 * DAY_MS);
    expect(await authority.renewIssuer()).toBe(false);
    options.clock.jump(DAY_MS);
    const renewed = await Promise.all([1, 2, 3].map(() => authority.renewIssuer()));
    expect(renewed).toContain(true);
    const leaves = await Promise.all([1, 2, 3].map(() => authority.issueLeaf(REQUEST)));
    const after = authority.describe();
    expect(after[0]).toEqual(before[0]);
    expect(after[1]?.serialHex).not.toBe(before[1]?.serialHex);
    expect((await loadAuthority(options)).describe()).toEqual(after);
    const intermediates = new Set(
      leaves.map(({ chainPem }) => chainPem.slice(chainPem.indexOf('-----END'))),
    );
    expect(intermediates.size).toBe(1);
    expect([old, ...leaves].every(({ chainPem }) => authority.vouchesFor(chainPem))).toBe(true);
    expect(await authority.renewIssuer()).toBe(false);
  });

  it('goes on where the next one cannot be stored: leaves are issued all the same', async () => {
    const options = toOptions();
    const { authority } = await loadOrCreateAuthority(options);
    const before = authority.describe();
    options.clock.jump(183 * DAY_MS);
    options.dataDir.beforeWrite = () => {
      throw diskFull();
    };
    expect((await meshErrorOf(() => authority.renewIssuer())).code).toBe('data-unwritable');
    expect((await authority.issueLeaf(REQUEST)).spiffeId).toBe(WEB);
    expect(authority.describe()).toEqual(before);
    options.clock.jump(182 * DAY_MS);
    expect((await meshErrorOf(() => authority.issueLeaf(REQUEST))).code).toBe('data-unwritable');
    options.dataDir.beforeWrite = () => undefined;
    expect((await authority.issueLeaf(REQUEST)).spiffeId).toBe(WEB);
  });

  it('that has ended is named by a command, with what replaces it', async () => {
    const options = toOptions();
    const { authority } = await loadOrCreateAuthority(options);
    const command = await loadAuthority(options);
    options.clock.jump(400 * DAY_MS);
    const error = await meshErrorOf(() => command.issueLeaf(REQUEST));
    expect(error.message).toBe('the issuing CA ended 2027-01-01T00:00:00.000Z');
    expect(hintOf(error)).toContain('`countersign serve`');
    // What the hint says, and it works.
    await authority.renewIssuer();
    expect((await (await loadAuthority(options)).issueLeaf(REQUEST)).spiffeId).toBe(WEB);
  });

  it('is never outlived by a leaf', async () => {
    const { authority } = await loadOrCreateAuthority(toOptions());
    const leaf = await authority.issueLeaf({ ...REQUEST, ttlMs: 1000 * DAY_MS });
    expect(leaf.notAfterMs).toBe(authority.describe()[1]?.notAfterMs);
  });
});
