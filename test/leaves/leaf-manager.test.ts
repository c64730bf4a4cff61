import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Authority, type Leaf, loadOrCreateAuthority } from '../../src/ca/index.js';
import { LeafManager, type LeafSettings, toRenewAtMs } from '../../src/leaves/index.js';
import type { LeafProblem } from '../../src/leaves/leaf-renewer.js';
import { toNodeId } from '../../src/spiffe/index.js';
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

const HOUR_MS = 3_600_000;
const NODE = 'web~10.0.0.3';
const SETTINGS: LeafSettings = {
  spiffeId: WEB,
  dnsNames: ['web'],
  ttlMs: 24 * HOUR_MS,
  key: 'ecdsa-p256',
  renewAt: 0.5,
  jitter: 0.05,
};

async function setup(dataDir = new MemoryDataDir(), clock = new ManualClock(), seed = 'manager') {
  const random = seededRandom(seed);
  const trustDomain = 'shop.example';
  const { authority } = await loadOrCreateAuthority({ dataDir, clock, random, trustDomain });
  const problems: LeafProblem[] = [];
  const renewed: Leaf[] = [];
  const revoked = new Set<string>();
  const start = (from: Authority = authority): LeafManager => {
    const onProblem = (problem: LeafProblem): void => void problems.push(problem);
    const isRevoked = (serialHex: string): boolean => revoked.has(serialHex);
    const options = { authority: from, dataDir, clock, random, isRevoked, onProblem };
    const manager = new LeafManager(options);
    manager.onRenewed((_node, leaf) => renewed.push(leaf));
    return manager;
  };
  return { dataDir, clock, authority, problems, renewed, revoked, start, manager: start() };
}

/** Lets time pass, then the work that fell due finish: an `ensure` queues behind it. */
async function pass(
  { clock, manager }: { clock: ManualClock; manager: LeafManager },
  ms: number,
): Promise<Leaf> {
  clock.advance(ms);
  return manager.ensure(NODE, SETTINGS);
}

const leafFiles = (dataDir: MemoryDataDir): string[] =>
  [...dataDir.files.keys()].filter((name) => name.startsWith('leaves/'));

describe('a leaf manager', () => {
  it('issues once, and gives the same leaf again, also after a restart', async () => {
    const { manager, start, dataDir } = await setup();
    expect(manager.get(NODE)).toBeUndefined();
    const leaf = await manager.ensure(NODE, SETTINGS);
    expect(manager.get(NODE)).toEqual(leaf);
    expect(await manager.ensure(NODE, SETTINGS)).toEqual(leaf);
    expect(await start().ensure(NODE, SETTINGS)).toEqual(leaf);
    expect(leafFiles(dataDir)).toHaveLength(1);
  });

  it('gives callers at the same time one leaf, and each node its own key', async () => {
    const { manager } = await setup();
    const [a, b] = await Promise.all([1, 2].map(() => manager.ensure(NODE, SETTINGS)));
    expect(a).toEqual(b);
    const other = await manager.ensure('web~10.0.0.4', SETTINGS);
    expect(other.keyPem).not.toBe(a?.keyPem);
    expect(other.spiffeId).toBe(a?.spiffeId);
  });

  it('stores a leaf before anyone sees it', async () => {
    const { manager, dataDir, problems } = await setup();
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    const error = await meshErrorOf(() => manager.ensure(NODE, SETTINGS));
    expect(error.code).toBe('data-unwritable');
    expect(manager.get(NODE)).toBeUndefined();
    expect(problems).toHaveLength(1);
    dataDir.beforeWrite = () => undefined;
    expect((await manager.ensure(NODE, SETTINGS)).spiffeId).toBe(WEB);
  });

  it('renews at its time, with a fresh key, and says so', async () => {
    const world = await setup();
    const leaf = await world.manager.ensure(NODE, SETTINGS);
    const waitMs = toRenewAtMs(leaf, SETTINGS) - world.clock.now();
    expect(await pass(world, Math.floor(waitMs))).toEqual(leaf);
    expect(world.renewed).toEqual([]);
    const next = await pass(world, 1);
    expect(next.keyPem).not.toBe(leaf.keyPem);
    expect(world.renewed).toEqual([next]);
    const chain = new X509Certificate(next.chainPem);
    expect(Date.parse(chain.validTo)).toBe(next.notAfterMs);
  });

  it('notices within 30 s that a machine slept or its clock was set', async () => {
    const world = await setup();
    const leaf = await world.manager.ensure(NODE, SETTINGS);
    world.clock.jump(23 * HOUR_MS);
    const next = await pass(world, 30_000);
    expect(world.renewed).toEqual([next]);
    expect(next.serialHex).not.toBe(leaf.serialHex);
  });

  it('renews at once where somebody says that its clock was set', async () => {
    const world = await setup();
    await world.manager.ensure(NODE, SETTINGS);
    world.clock.jump(190 * 24 * HOUR_MS);
    world.manager.reconsider();
    const next = await pass(world, 0);
    expect(world.renewed).toEqual([next]);
  });

  it('issues anew at once where the settings changed', async () => {
    const { manager, renewed } = await setup();
    const leaf = await manager.ensure(NODE, SETTINGS);
    const next = await manager.ensure(NODE, { ...SETTINGS, dnsNames: ['web', 'web.default'] });
    expect(next.dnsNames).toEqual(['web', 'web.default']);
    expect(next.serialHex).not.toBe(leaf.serialHex);
    expect(manager.get(NODE)).toEqual(next);
    expect(renewed).toEqual([]);
  });

  it('issues anew where the root is another one', async () => {
    const first = await setup();
    const leaf = await first.manager.ensure(NODE, SETTINGS);
    const other = await setup(new MemoryDataDir(), new ManualClock(), 'other');
    const manager = first.start(other.authority);
    const next = await manager.ensure(NODE, SETTINGS);
    expect(next.serialHex).not.toBe(leaf.serialHex);
    expect(other.authority.vouchesFor(next.chainPem)).toBe(true);
  });

  it('keeps the old leaf while a renewal fails, with growing pauses, and recovers', async () => {
    const world = await setup();
    const { clock, manager, dataDir, problems } = world;
    const leaf = await manager.ensure(NODE, SETTINGS);
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    clock.advance(toRenewAtMs(leaf, SETTINGS) - clock.now() + 1);
    for (let round = 0; round < 8; round++) {
      expect(await manager.ensure(NODE, SETTINGS)).toEqual(leaf);
      expect(problems).toHaveLength(round + 1);
      clock.advance((problems.at(-1)?.retryAtMs ?? 0) - clock.now());
    }
    await manager.ensure(NODE, SETTINGS);
    const pauses = problems.map(({ retryAtMs }, i) => {
      return (retryAtMs ?? 0) - (problems[i - 1]?.retryAtMs ?? clock.now());
    });
    expect(pauses[1]).toBeLessThanOrEqual(2000);
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(30_000);
    expect(pauses.at(-1)).toBeLessThanOrEqual(60_000);
    dataDir.beforeWrite = () => undefined;
    const next = await pass(world, 60_000);
    expect(next.serialHex).not.toBe(leaf.serialHex);
    expect(manager.get(NODE)).toEqual(next);
  });

  it('whose leaves all begin later asks with growing pauses: a clock set back', async () => {
    const { clock, authority, start, dataDir, problems } = await setup();
    let issued = 0;
    const ahead: Authority = {
      trustDomain: authority.trustDomain,
      trustAnchorsPem: authority.trustAnchorsPem,
      vouchesFor: () => true,
      isCurrent: () => true,
      describe: () => authority.describe(),
      certify: (request) => authority.certify(request),
      async issueLeaf(request) {
        issued++;
        const leaf = await authority.issueLeaf(request);
        return { ...leaf, notBeforeMs: clock.now() + HOUR_MS };
      },
    };
    const manager = start(ahead);
    await manager.ensure(NODE, SETTINGS);
    for (let second = 0; second < 600; second++) {
      clock.advance(1_000);
      for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done));
    }
    // 1, 2, 4, … 60 s, less the jitter: it was 75 a second.
    expect(issued).toBeLessThan(40);
    expect(problems.at(-1)?.error).toMatchObject({
      message: 'expected a new certificate to do but got one that is not-begun',
    });
    expect(dataDir.files.get(leafFiles(dataDir)[0] ?? '')?.length).toBeLessThan(20_000);
  });

  it('has no trouble that is over: the next leaf ends it', async () => {
    const world = await setup();
    const { manager, dataDir, clock } = world;
    await manager.ensure(NODE, SETTINGS);
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    clock.jump(24 * HOUR_MS);
    await meshErrorOf(() => manager.ensure(NODE, SETTINGS));
    expect(manager.troubleOf(NODE)).toMatchObject({ code: 'data-unwritable' });
    dataDir.beforeWrite = () => undefined;
    await pass(world, 60_000);
    expect(manager.troubleOf(NODE)).toBeUndefined();
  });

  it('gives no leaf that has ended or names another identity, though issuing fails', async () => {
    const { clock, manager, dataDir } = await setup();
    await manager.ensure(NODE, SETTINGS);
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    const spiffeId = 'spiffe://shop.example/ns/default/sa/admin' as typeof WEB;
    const admin = { ...SETTINGS, spiffeId };
    expect((await meshErrorOf(() => manager.ensure(NODE, admin))).code).toBe('data-unwritable');
    clock.jump(24 * HOUR_MS);
    expect((await meshErrorOf(() => manager.ensure(NODE, SETTINGS))).code).toBe('data-unwritable');
  });

  it('renews no more what was released, and forgets its file once the leaf has ended', async () => {
    const { clock, manager, renewed, dataDir } = await setup();
    await manager.ensure(NODE, SETTINGS);
    await manager.ensure('web~other', SETTINGS);
    manager.release(NODE);
    expect(manager.get(NODE)).toBeUndefined();
    clock.advance(30_000);
    await manager.close();
    expect(leafFiles(dataDir)).toHaveLength(2);
    clock.jump(24 * HOUR_MS);
    clock.advance(30_000);
    expect(renewed).toEqual([]);
    const next = new LeafManager({
      authority: (await setup(dataDir, clock)).authority,
      dataDir,
      clock,
      random: seededRandom('next'),
      onProblem: () => undefined,
    });
    await next.ensure('web~other', SETTINGS);
    clock.advance(30_000);
    await next.close();
    expect(leafFiles(dataDir)).toHaveLength(1);
    expect(dataDir.files.get(leafFiles(dataDir)[0] ?? '')).toContain('web~other');
  });

  it('sets no timer where there is nothing to renew', async () => {
    const { clock, manager } = await setup();
    expect(clock.pending).toBe(0);
    await manager.ensure(NODE, SETTINGS);
    expect(clock.pending).toBe(1);
    await manager.close();
    expect(clock.pending).toBe(0);
  });

  it('renews hundreds of nodes that are due together, a few at a time', async () => {
    const world = await setup();
    const { clock, authority, start } = world;
    let running = 0;
    let most = 0;
    const counting: Authority = {
      trustDomain: authority.trustDomain,
      trustAnchorsPem: authority.trustAnchorsPem,
      vouchesFor: (chainPem) => authority.vouchesFor(chainPem),
      isCurrent: (chainPem) => authority.isCurrent(chainPem),
      describe: () => authority.describe(),
      certify: (request) => authority.certify(request),
      async issueLeaf(request) {
        most = Math.max(most, ++running);
        return authority.issueLeaf(request).finally(() => running--);
      },
    };
    const manager = start(counting);
    const nodes = Array.from({ length: 100 }, (_, i) =>
      toNodeId({ service: 'web', instance: `${i}` }),
    );
    const before: string[] = [];
    for (const node of nodes) before.push((await manager.ensure(node, SETTINGS)).serialHex);
    clock.jump(20 * HOUR_MS);
    most = 0;
    clock.advance(30_000);
    // Each renewal that ends sets the timer for the next ones.
    while (world.renewed.length < nodes.length) {
      await new Promise((done) => setImmediate(done));
      clock.advance(0);
    }
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(16);
    expect(nodes.some((node, i) => manager.get(node)?.serialHex === before[i])).toBe(false);
  });
});

describe('a stored leaf', () => {
  const DAMAGE: readonly (readonly [string, (text: string) => string])[] = [
    ['cut off', (text) => text.slice(0, 200)],
    ['of another node', (text) => text.replace(NODE, 'web~10.0.0.9')],
    ['with another identity', (text) => text.replace(WEB, `${WEB}2`)],
    ['with another end', (text) => text.replace(/"notAfterMs": \d/, '"notAfterMs": 9')],
    [
      'with a broken key',
      (text) => text.replace(/PRIVATE KEY-----\\n..../, 'PRIVATE KEY-----\\nAAAA'),
    ],
    [
      'without its issuer',
      (text) => text.replace(/(END CERTIFICATE-----\\n)-----BEGIN C.*?"/, '$1"'),
    ],
  ];

  it.each(DAMAGE)('%s is reported, set aside and replaced', async (_name, change) => {
    const { manager, start, dataDir, problems } = await setup();
    const leaf = await manager.ensure(NODE, SETTINGS);
    const [name = ''] = leafFiles(dataDir);
    const damaged = change(dataDir.files.get(name) ?? '');
    expect(damaged).not.toBe(dataDir.files.get(name));
    dataDir.files.set(name, damaged);
    const next = await start().ensure(NODE, SETTINGS);
    expect(next.serialHex).not.toBe(leaf.serialHex);
    expect(problems).toMatchObject([{ node: NODE, error: { code: 'data-damaged' } }]);
    expectNoKey(problems[0]?.error);
    expect(dataDir.files.get(`${name}.damaged-0`)).toBe(damaged);
  });

  it('is found on a real disk by a node id of any characters', async () => {
    const dataDir = await temporaryDataDir();
    const clock = new ManualClock();
    const random = seededRandom('disk');
    const trustDomain = 'shop.example';
    const { authority } = await loadOrCreateAuthority({ dataDir, clock, random, trustDomain });
    const options = { authority, dataDir, clock, random, onProblem: () => undefined };
    const node = 'payments/ledger~../../é "x"\n';
    const leaf = await new LeafManager(options).ensure(node, SETTINGS);
    expect(await new LeafManager(options).ensure(node, SETTINGS)).toEqual(leaf);
    expect(await dataDir.list('leaves')).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.json$/)]);
  });
});

describe('a leaf is replaced at once', () => {
  it('when it is asked for, and the one before is remembered', async () => {
    const { manager, renewed, dataDir } = await setup();
    const first = await manager.ensure(NODE, SETTINGS);
    expect(await manager.renewNow(NODE)).toBe(true);
    const second = manager.get(NODE);
    expect(second?.serialHex).not.toBe(first.serialHex);
    expect(renewed).toEqual([second]);
    expect(await manager.ensure(NODE, SETTINGS)).toEqual(second);
    const [file = ''] = leafFiles(dataDir);
    expect(JSON.parse(dataDir.files.get(file) ?? '')).toMatchObject({
      earlier: [{ serialHex: first.serialHex, notAfterMs: first.notAfterMs }],
    });
  });

  it('for no node that has left', async () => {
    const { manager, renewed } = await setup();
    await manager.ensure(NODE, SETTINGS);
    manager.release(NODE);
    expect(await manager.renewNow(NODE)).toBe(false);
    expect(renewed).toEqual([]);
  });

  it('later, where it can not be had now', async () => {
    const { manager, renewed, dataDir, clock, problems } = await setup();
    const first = await manager.ensure(NODE, SETTINGS);
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    expect(await manager.renewNow(NODE)).toBe(false);
    expect([manager.get(NODE), problems.length]).toEqual([first, 1]);
    dataDir.beforeWrite = () => undefined;
    const second = await pass({ clock, manager }, 2_000);
    expect(second.serialHex).not.toBe(first.serialHex);
    expect(renewed).toEqual([second]);
  });

  it('where it is revoked, and no other node gets a new one', async () => {
    const { manager, renewed, revoked } = await setup();
    const first = await manager.ensure(NODE, SETTINGS);
    const other = await manager.ensure('web~10.0.0.4', SETTINGS);
    revoked.add(first.serialHex);
    await manager.renewRevoked();
    expect(renewed.map(({ serialHex }) => serialHex)).toEqual([manager.get(NODE)?.serialHex]);
    expect(manager.get('web~10.0.0.4')).toEqual(other);
  });

  it('also a stored one that was revoked while its node was away', async () => {
    const { manager, start, revoked } = await setup();
    const first = await manager.ensure(NODE, SETTINGS);
    revoked.add(first.serialHex);
    expect((await start().ensure(NODE, SETTINGS)).serialHex).not.toBe(first.serialHex);
  });

  it('a revoked one is not shown again where no other can be had', async () => {
    const { manager, start, revoked, dataDir } = await setup();
    revoked.add((await manager.ensure(NODE, SETTINGS)).serialHex);
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    await expect(start().ensure(NODE, SETTINGS)).rejects.toMatchObject({
      code: 'data-unwritable',
    });
  });

  it('nodes that are shut out: no leaf is being made for them when that is done', async () => {
    const { manager, dataDir } = await setup();
    const asked = manager.ensure(NODE, SETTINGS);
    await manager.releaseWhere((node) => node === NODE);
    expect(leafFiles(dataDir)).toHaveLength(1);
    expect(manager.get(NODE)).toBeUndefined();
    await asked;
  });
});
