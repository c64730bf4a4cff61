// A change of root under faults, on a simulated fleet: at no moment do two sidecars that hold a
// certificate in force refuse one another.
import { describe, expect, it } from 'vitest';
import type { CaStep } from '../../../src/ca/index.js';
import { meshIn, type Sidecar, SimulatedFleet, startServer } from './fleet-world.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function setUp() {
  const fleet = new SimulatedFleet(await startServer());
  const sidecars = [
    fleet.connect('web', '10.0.0.1'),
    fleet.connect('web', '10.0.0.2'),
    fleet.connect('ledger', '10.0.1.1'),
  ];
  await fleet.ticks(3);
  expect(sidecars.every(({ held }) => held !== undefined)).toBe(true);
  const chain = await fleet.server.newChain();
  const oldRoot = fleet.server.authority.trustAnchorsPem;
  return { fleet, sidecars, chain, oldRoot };
}

interface Stage {
  readonly name: string;
  readonly until: 'trust' | 'end';
  /** The operator's word before the fault, and after it. */
  readonly before?: readonly CaStep[];
  readonly after?: readonly CaStep[];
  readonly endsBy: 'new' | 'old';
}

const STAGES: readonly Stage[] = [
  { name: 'prepared', until: 'trust', after: ['end'], endsBy: 'new' },
  { name: 'rotating', until: 'end', endsBy: 'new' },
  { name: 'activated', until: 'trust', before: ['sign'], after: ['end'], endsBy: 'new' },
  { name: 'tainted', until: 'trust', before: ['sign', 'taint'], endsBy: 'new' },
  { name: 'going back', until: 'trust', before: ['sign', 'abort'], endsBy: 'old' },
];
const ROWS = STAGES.flatMap((stage) =>
  [DAY_MS, -DAY_MS].map((byMs) => [stage.name, byMs > 0 ? 'ahead' : 'back', stage, byMs] as const),
);

/** In that stage, with one sidecar that answers nothing. */
async function reach(stage: Stage) {
  const made = await setUp();
  const { fleet, sidecars, chain } = made;
  const { caChange } = fleet.server;
  await caChange.take(chain, stage.until);
  await fleet.ticks(2);
  const [mute] = sidecars as [Sidecar];
  const steps = stage.before ?? [];
  for (const [i, step] of steps.entries()) {
    mute.isMute = i === steps.length - 1 || steps.includes('taint');
    await caChange.steer(step);
    await fleet.ticks(2);
  }
  mute.isMute = true;
  expect(fleet.server.authority.change).toBeDefined();
  return { ...made, mute };
}

async function endOf(
  stage: Stage,
  { fleet, mute, chain, oldRoot }: Awaited<ReturnType<typeof reach>>,
) {
  mute.isMute = false;
  for (const step of stage.after ?? []) await fleet.server.caChange.steer(step);
  await fleet.ticks(8);
  await fleet.ticks(4, 1_000);
  const { authority } = fleet.server;
  expect(authority.change).toBeUndefined();
  expect(authority.trustAnchorsPem).toBe(stage.endsBy === 'new' ? chain.root.pem : oldRoot);
  fleet.expectNoFailure();
}

describe('a clock that is set by a day', () => {
  it.each(ROWS)('%s, %s: nothing is let go by it, and it goes on after', async (...row) => {
    const [, , stage, byMs] = row;
    const world = await reach(stage);
    const { fleet } = world;
    const { clock, authority } = fleet.server;
    const roots = authority.trustAnchorsPem;
    clock.jump(byMs);
    await fleet.ticks(5, 1_000);
    expect(fleet.server.watch.hold).toBeDefined();
    world.mute.isMute = false;
    await fleet.ticks(5, 1_000);
    // Both roots, whichever of them signs.
    expect(authority.trustAnchorsPem.length).toBe(roots.length);
    clock.jump(-byMs);
    await fleet.ticks(3, 1_000);
    expect(fleet.server.watch.hold).toBeUndefined();
    await endOf(stage, world);
  });
});

describe('a server that is down past the deadline of a stage', () => {
  it.each(STAGES)('$name: goes on there, and drops nothing before all are back', async (stage) => {
    const world = await reach(stage);
    const { fleet, mute } = world;
    const before = fleet.server.authority.change;
    await fleet.server.stop();
    const { disk } = fleet.server;
    // Long enough for every deadline, not for the leaves.
    disk.clock.advance(2 * HOUR_MS);
    fleet.server = await startServer(disk);
    await fleet.ticks(3, 1_000);
    const { authority } = fleet.server;
    expect(authority.change).toMatchObject({ isBack: before?.isBack, until: before?.until });
    const roots = authority.trustAnchorsPem;
    mute.isMute = false;
    // One after the other, as Envoys come back.
    for (const sidecar of [...fleet.sidecars]) {
      expect(authority.trustAnchorsPem.length).toBe(roots.length);
      fleet.reconnect(sidecar);
      await fleet.ticks(2, 5_000);
    }
    await endOf(stage, { ...world, mute: fleet.sidecars[0] ?? mute });
  });

  it('whose leaves have all ended meanwhile gives new ones first', async () => {
    const world = await reach({
      name: 'activated',
      until: 'trust',
      before: ['sign'],
      endsBy: 'new',
    });
    const { fleet } = world;
    await fleet.server.stop();
    const { disk } = fleet.server;
    disk.clock.advance(2 * DAY_MS);
    fleet.server = await startServer(disk);
    for (const sidecar of [...fleet.sidecars]) fleet.reconnect(sidecar).isMute = false;
    await fleet.ticks(4, 1_000);
    expect(fleet.server.members.view().map(({ state }) => state)).toEqual(
      Array.from({ length: 3 }, () => 'synced'),
    );
    await fleet.server.caChange.steer('end');
    await fleet.ticks(4);
    expect(fleet.server.authority.trustAnchorsPem).toBe(world.chain.root.pem);
    fleet.expectNoFailure();
  });
});

describe('an edit of the mesh during a change of root', () => {
  it.each([
    ['strict', 'disable'],
    ['disable', 'strict'],
  ])('from %s to %s and back, in each stage', async (from, to) => {
    const { fleet, chain } = await setUp();
    const edit = async (mode: string): Promise<void> => {
      fleet.server.rollout.start(meshIn(mode));
      fleet.server.rollout.advance();
      await fleet.ticks(4, 600);
      await fleet.ticks(8, 600);
      expect(fleet.server.rollout.phase).toBeUndefined();
    };
    await edit(from);
    const { caChange, authority } = fleet.server;
    await caChange.take(chain, 'trust');
    await edit(to);
    expect(authority.change?.stage).toBe('trust');
    await caChange.steer('sign');
    await edit(from);
    expect(authority.change?.stage).toBe('sign');
    await caChange.steer('end');
    await edit(to);
    expect(authority.trustAnchorsPem).toBe(chain.root.pem);
    fleet.expectNoFailure();
  });
});
