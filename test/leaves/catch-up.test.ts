// Settings of renewal that are changed live, and a server that was down: many leaves are overdue
// together, and must not be issued together.
import { expect, it } from 'vitest';
import { type Leaf, loadOrCreateAuthority } from '../../src/ca/index.js';
import { LeafManager, type LeafSettings } from '../../src/leaves/index.js';
import type { NodeId } from '../../src/spiffe/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { MemoryDataDir, WEB } from '../x509/tools.js';

const HOUR_MS = 3_600_000;
const LATE: LeafSettings = {
  ...{ spiffeId: WEB, dnsNames: ['web'], ttlMs: 24 * HOUR_MS, key: 'ecdsa-p256' },
  ...{ renewAt: 0.9, jitter: 0.05 },
};
const EARLY: LeafSettings = { ...LATE, renewAt: 0.5 };

/** So many nodes, whose leaves are 14.4 of 24 hours old. */
async function setUpFleet(count: number) {
  const clock = new ManualClock();
  const dataDir = new MemoryDataDir();
  const random = seededRandom('catch-up');
  const options = { dataDir, clock, random, trustDomain: 'shop.example' };
  const { authority } = await loadOrCreateAuthority(options);
  const issued: { readonly node: NodeId; readonly atMs: number }[] = [];
  const start = (): LeafManager => {
    const onIssued = ({ node }: { readonly node: NodeId }): void =>
      void issued.push({ node, atMs: clock.now() });
    return new LeafManager({ ...options, authority, onIssued, onProblem: () => undefined });
  };
  const nodes = Array.from({ length: count }, (_, i) => `web~10.0.0.${i + 1}` as NodeId);
  const ensureAll = (manager: LeafManager, settings: LeafSettings): Promise<Leaf[]> =>
    Promise.all(nodes.map((node) => manager.ensure(node, settings)));
  const manager = start();
  await ensureAll(manager, LATE);
  clock.advance(0.6 * 24 * HOUR_MS);
  await ensureAll(manager, LATE);
  expect(issued.splice(0)).toHaveLength(count);
  return { clock, issued, manager, start, ensureAll };
}

type Fleet = Awaited<ReturnType<typeof setUpFleet>>;

/** The most that are issued within twelve minutes, until all are. */
async function toBusiest(fleet: Fleet, manager: LeafManager, settings: LeafSettings) {
  const { clock, issued, ensureAll } = fleet;
  const atOnce = issued.length;
  let busiest = 0;
  for (let step = 0; step < 17; step++) {
    const before = issued.length;
    clock.advance(HOUR_MS / 5);
    await ensureAll(manager, settings);
    busiest = Math.max(busiest, issued.length - before);
  }
  return { atOnce, busiest, all: issued.length };
}

const COUNTS = [30, 60] as const;

it('an earlier renewAt issues none at once, and each leaf once: at N and at 2 N', async () => {
  for (const count of COUNTS) {
    const fleet = await setUpFleet(count);
    await fleet.ensureAll(fleet.manager, EARLY);
    const { atOnce, busiest, all } = await toBusiest(fleet, fleet.manager, EARLY);
    expect({ atOnce, all, nodes: new Set(fleet.issued.map(({ node }) => node)).size }).toEqual({
      ...{ atOnce: 0, all: count, nodes: count },
    });
    // Evenly it would be one in twelve of them.
    expect(busiest).toBeLessThan(count / 3);
  }
});

it('another jitter issues none at once', async () => {
  for (const count of COUNTS) {
    const fleet = await setUpFleet(count);
    await fleet.ensureAll(fleet.manager, { ...LATE, jitter: 0 });
    await fleet.ensureAll(fleet.manager, { ...LATE, jitter: 0.25, renewAt: 0.7 });
    expect(fleet.issued.length).toBe(0);
  }
});

it('edits one after the other put no renewal off beyond its end', async () => {
  const fleet = await setUpFleet(10);
  for (let step = 0; step < 20; step++) {
    fleet.clock.advance((2 * HOUR_MS) / 5);
    await fleet.ensureAll(fleet.manager, { ...EARLY, renewAt: step % 2 === 0 ? 0.5 : 0.51 });
  }
  expect(new Set(fleet.issued.map(({ node }) => node)).size).toBe(10);
});

it('a server that was down while leaves fell due issues none at once', async () => {
  for (const count of COUNTS) {
    const fleet = await setUpFleet(count);
    await fleet.manager.close();
    const again = fleet.start();
    await fleet.ensureAll(again, EARLY);
    const { atOnce, busiest, all } = await toBusiest(fleet, again, EARLY);
    expect({ atOnce, all }).toEqual({ atOnce: 0, all: count });
    expect(busiest).toBeLessThan(count / 3);
  }
});

it('a server that was down until shortly before their end renews them all first', async () => {
  const fleet = await setUpFleet(20);
  await fleet.manager.close();
  fleet.clock.jump(8 * HOUR_MS);
  await fleet.ensureAll(fleet.start(), EARLY);
  expect(fleet.issued).toHaveLength(20);
});
