// A clock that is wrong for a while, by everything that issues by it: whatever it says, sidecars
// that share it and sidecars that have the right time accept one another, before, during and after,
// in the moment of the jump too where nothing can be done in time; little is issued, and what was
// revoked stays refused.
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createCaChain,
  type Leaf,
  type LocalAuthority,
  loadOrCreateAuthority,
} from '../../../src/ca/index.js';
import { createJsonStore } from '../../../src/data/index.js';
import { LeafManager, type LeafSettings, mayBeInForce } from '../../../src/leaves/index.js';
import { addRevocation } from '../../../src/revocation/index.js';
import { IssuerRenewal } from '../../../src/server/ca/index.js';
import { ClockWatch, clockSchema } from '../../../src/server/clock/index.js';
import { Losses } from '../../../src/server/folder/take-up.js';
import { RevocationSource, ShutOut } from '../../../src/server/revocation/index.js';
import { generateKeys } from '../../../src/x509/keys/index.js';
import { readCertificate, readCrl, splitCrlPem, splitPem } from '../../../src/x509/read/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { meshOf } from '../../policy/helpers.js';
import { MemoryDataDir, WEB } from '../../x509/tools.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;
const TTL_MS = DAY_MS;
const NODES = ['web~1', 'web~2'] as const;
const SETTINGS: LeafSettings = {
  ...{ spiffeId: WEB, dnsNames: [], ttlMs: TTL_MS, key: 'ecdsa-p256', renewAt: 0.5, jitter: 0.05 },
};
const MESH = meshOf('trustDomain: shop.example\nservices: { web: {}, lost: {} }');

const JUMPS: readonly (readonly [string, number])[] = [
  ['1 h ahead', HOUR_MS],
  ['1 h back', -HOUR_MS],
  ['1 day ahead', DAY_MS],
  ['1 day back', -DAY_MS],
  ['190 days ahead', 190 * DAY_MS],
  ['190 days back', -190 * DAY_MS],
  ['2 years ahead', 2 * YEAR_MS],
];
/** How old the CA is: a young one has not begun long ago. */
const AGES: readonly (readonly [string, number])[] = [
  ['a young CA', 10 * 60_000],
  ['a CA of 100 days', 100 * DAY_MS],
];

/** All that a sidecar checks of another's certificate at a time. */
function accepts(leaf: Leaf | undefined, crlPem: string | undefined, atMs: number): boolean {
  if (leaf === undefined || crlPem === undefined) return false;
  const chain = splitPem(leaf.chainPem).map(readCertificate);
  const lists = splitCrlPem(crlPem).map(readCrl);
  const [own, issuer] = chain;
  const list = lists.find(({ issuerKeyIdHex }) => issuerKeyIdHex === issuer?.keyIdHex);
  return (
    chain.every(({ notBeforeMs, notAfterMs }) => atMs >= notBeforeMs && atMs < notAfterMs) &&
    list !== undefined &&
    atMs >= list.thisUpdateMs &&
    atMs < list.nextUpdateMs &&
    !list.entries.some(({ serialHex }) => serialHex === own?.serialHex)
  );
}

const counted = () => ({ issued: 0, failed: 0, aheadMs: 0 });

interface Machine {
  readonly clock: ManualClock;
  readonly dataDir: MemoryDataDir;
  readonly random: ReturnType<typeof seededRandom>;
  readonly counts: ReturnType<typeof counted>;
}

/** As the server's parts are put together. */
async function start({ clock, dataDir, random, counts }: Machine) {
  const logger = recordingLogger();
  const store = createJsonStore({ dataDir, name: 'clock.json', schema: clockSchema, version: 1 });
  const { uptime } = clock;
  const watch = new ClockWatch({ clock, uptime, store, logger, isRight: false });
  await watch.restore();
  const identity = { dataDir, random, clock: watch };
  const { authority } = await loadOrCreateAuthority({ ...identity, trustDomain: 'shop.example' });
  const shutOut = new ShutOut();
  const leaves = new LeafManager({
    ...{ ...identity, authority },
    isRevoked: (serialHex) => shutOut.isRevokedSerial(serialHex),
    onIssued: () => {
      counts.issued++;
    },
    onProblem: () => {
      counts.failed++;
    },
  });
  const revocations = await RevocationSource.open({
    ...{
      ...identity,
      logger,
      authority,
      leaves,
      shutOut,
      losses: new Losses(identity.dataDir, logger),
      meshes: () => [MESH],
    },
  });
  authority.onNewIssuer(() => revocations.renewLists());
  const renewal = new IssuerRenewal({ authority, clock: watch, logger });
  await renewal.look();
  watch.changes.add(() => {
    void renewal.look();
    leaves.reconsider();
  });
  watch.start();
  for (const node of NODES) await leaves.ensure(node, SETTINGS);
  const stop = async (): Promise<void> => {
    watch.stop();
    await renewal.stop();
    await leaves.close();
  };
  return { watch, authority, leaves, revocations, stop };
}

async function setup(ageMs: number) {
  const clock = new ManualClock();
  const counts = counted();
  const machine = { clock, counts, dataDir: new MemoryDataDir(), random: seededRandom('matrix') };
  const { dataDir, random } = machine;
  await loadOrCreateAuthority({ dataDir, random, clock, trustDomain: 'shop.example' });
  clock.jump(ageMs);
  const world = await start(machine);
  onTestFinished(() => world.stop());

  /** Looks every 2 s, as data-watch.ts does, and lets what was asked for be done. */
  const pass = async (ms: number): Promise<void> => {
    for (let passedMs = 0; passedMs < ms; passedMs += 2_000) {
      clock.advance(2_000);
      for (const node of NODES) await world.leaves.ensure(node, SETTINGS);
      await world.revocations.check();
    }
  };
  const jump = (ms: number): void => {
    clock.jump(ms);
    counts.aheadMs += ms;
  };
  const restart = async (): Promise<void> => {
    await world.stop();
    Object.assign(world, await start(machine));
  };
  const crlPem = (): string | undefined => world.revocations.inForce.value.crls?.pem;
  const calls = (atMs: number): boolean[] =>
    NODES.map((node) => accepts(world.leaves.get(node), crlPem(), atMs));
  /** By sidecars that share the clock, and by those that have the right time. */
  const all = () => ({
    sharing: calls(clock.now()),
    right: calls(clock.now() - counts.aheadMs),
  });
  return { ...machine, world, pass, jump, restart, all, crlPem };
}

type World = Awaited<ReturnType<typeof setup>>;

/** A service that is shut out; the serial of its certificate. */
async function revokeLost({ world, dataDir, clock }: World): Promise<string> {
  const { serialHex } = await world.leaves.ensure('lost~1', SETTINGS);
  await addRevocation(dataDir, { kind: 'service', subject: 'lost', revokedAtMs: clock.now() });
  await world.revocations.check();
  return serialHex;
}

const refuses = ({ crlPem }: World, serialHex: string): boolean =>
  splitCrlPem(crlPem() ?? '')
    .map(readCrl)
    .every(({ entries }) => entries.some((entry) => entry.serialHex === serialHex));
const sizeOf = ({ dataDir }: World): number =>
  [...dataDir.files].filter(([name]) => /^leaves|^auth|^crls/.test(name)).join().length;

const GOOD = { sharing: [true, true], right: [true, true] };

/** While it runs: set for 35 s, and back. */
async function setForAWhile(ageMs: number, jumpMs: number): Promise<void> {
  const made = await setup(ageMs);
  const { counts, pass, jump, all, world } = made;
  const lost = await revokeLost(made);
  await pass(10_000);
  expect(all()).toEqual(GOOD);
  const before = sizeOf(made);
  counts.issued = 0;
  jump(jumpMs);
  await pass(4_000);
  expect(all(), 'while it is wrong').toEqual(GOOD);
  expect(world.watch.trouble).toBeDefined();
  await pass(30_000);
  jump(-jumpMs);
  expect(all(), 'at once, when it is right again').toEqual(GOOD);
  await pass(40_000);
  expect(all(), 'and later').toEqual(GOOD);
  expect(world.watch.trouble).toBeUndefined();
  expect(refuses(made, lost)).toBe(true);
  // One for the wrong clock, one for the right one.
  expect(counts.issued).toBeLessThanOrEqual(2 * NODES.length);
  expect(counts.failed).toBe(0);
  expect(sizeOf(made)).toBeLessThan(before + 20_000);
  for (const node of NODES) {
    const { notAfterMs = 0, issuedAtMs = 0 } = world.leaves.get(node) ?? {};
    expect(notAfterMs - issuedAtMs, 'it lives as the mesh says').toBeLessThanOrEqual(TTL_MS);
  }
}

async function restartMeanwhile(ageMs: number, jumpMs: number): Promise<void> {
  const made = await setup(ageMs);
  const { pass, jump, all, restart, counts } = made;
  const lost = await revokeLost(made);
  await pass(10_000);
  counts.issued = 0;
  jump(jumpMs);
  await restart();
  await pass(10_000);
  expect(all(), 'while it is wrong').toEqual(GOOD);
  jump(-jumpMs);
  await pass(4_000);
  expect(all(), 'when it is right again').toEqual(GOOD);
  await restart();
  await pass(4_000);
  expect(all(), 'after another restart').toEqual(GOOD);
  expect(refuses(made, lost)).toBe(true);
  expect(counts.issued).toBeLessThanOrEqual(3 * NODES.length);
}

describe.each(AGES)('%s, and a clock that is set', (_age, ageMs) => {
  it.each(JUMPS)('%s while it runs, for 35 s: nobody is refused', (_jump, jumpMs) =>
    setForAWhile(ageMs, jumpMs),
  );

  it.each(JUMPS)('%s over restarts of the server: nobody is refused', (_jump, jumpMs) =>
    restartMeanwhile(ageMs, jumpMs),
  );
});

it('a change of root goes on by a clock that jumps, and nobody is refused', async () => {
  const made = await setup(DAY_MS);
  const { clock, world, pass, jump, all, random } = made;
  await revokeLost(made);
  const change = async (step: (authority: LocalAuthority) => Promise<void>): Promise<void> => {
    await step(world.authority);
    world.leaves.reconsider();
    await pass(4_000);
  };
  const keySource = generateKeys;
  const next = await createCaChain('shop.example', { clock, random, keySource });
  await change((authority) => authority.beginChange(next));
  for (const ms of [190 * DAY_MS, -190 * DAY_MS, -HOUR_MS, HOUR_MS]) {
    jump(ms);
    await pass(4_000);
    expect(all()).toEqual(GOOD);
  }
  await change((authority) => authority.signByNew());
  for (const ms of [190 * DAY_MS, -190 * DAY_MS, -HOUR_MS, HOUR_MS]) {
    jump(ms);
    await pass(4_000);
    expect(all()).toEqual(GOOD);
  }
  expect(world.watch.hold).toBeUndefined();
  await change((authority) => authority.endChange());
  expect(all()).toEqual(GOOD);
});

it('a clock that stays wrong is believed after a day, and the issuing CA follows it', async () => {
  const { clock, world, pass, jump, all, counts } = await setup(DAY_MS);
  const issuer = (): string | undefined => world.authority.describe()[1]?.serialHex;
  const before = issuer();
  jump(190 * DAY_MS);
  await pass(4_000);
  expect(issuer()).toBe(before);
  // Its own timers alone: leaves are looked at when they wake.
  for (let minute = 0; minute < 24 * 60; minute++) {
    clock.advance(60_000);
    if (minute % 60 === 0) await pass(2_000);
  }
  await pass(120_000);
  expect(world.watch.trouble).toBeUndefined();
  expect(issuer()).not.toBe(before);
  counts.aheadMs = 0;
  // Nothing is revoked here, so no list is there to be looked at.
  const times = { nowMs: clock.now(), earliestMs: clock.now(), latestMs: clock.now() };
  for (const node of NODES) {
    const leaf = world.leaves.get(node);
    expect(leaf !== undefined && mayBeInForce(leaf, times)).toBe(true);
  }
  expect(all().sharing).toEqual([false, false]);
});
