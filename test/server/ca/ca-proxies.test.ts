// Whom a change of root waits for: whoever may hold a certificate in force, and nobody else.
import { expect, it } from 'vitest';
import { serviceName } from '../../../src/policy/index.js';
import { SimulatedFleet, startServer } from './fleet-world.js';

const HOUR_MS = 3_600_000;

/** A caller and a called sidecar, in force. */
async function setUp() {
  const fleet = new SimulatedFleet(await startServer());
  const web = fleet.connect('web', '10.0.0.1');
  const ledger = fleet.connect('ledger', '10.0.1.1');
  await fleet.ticks(3);
  return { fleet, web, ledger };
}

const here = (node: string, change = {}) => ({
  ...{ node, state: 'synced', isCurrent: true, hasLeaf: true },
  ...change,
});

it('connected ones, and those that may come back', async () => {
  const { fleet, ledger } = await setUp();
  expect(fleet.server.proxies()).toEqual([here('web~10.0.0.1'), here('ledger~10.0.1.1')]);
  fleet.disconnect(ledger);
  await fleet.ticks(2);
  expect(fleet.server.proxies()).toEqual([
    here('web~10.0.0.1'),
    here('ledger~10.0.1.1', { state: 'pending' }),
  ]);
});

it('not one that is away and whose certificate has ended meanwhile', async () => {
  const { fleet, ledger } = await setUp();
  const { clock, members } = fleet.server;
  ledger.isMute = true;
  await fleet.ticks(35, HOUR_MS);
  const mayHold = members.of(ledger.peer.stream)?.mayHold ?? [];
  const endsMs = Math.max(...mayHold.map(({ notAfterMs }) => notAfterMs));
  clock.advance(endsMs - clock.now() - 2_000);
  fleet.disconnect(ledger);
  const away = here('ledger~10.0.1.1', { state: 'pending' });
  expect(fleet.server.proxies()[1]).toEqual(away);
  clock.advance(2_000);
  expect(fleet.server.proxies()[1]).toEqual({ ...away, hasLeaf: false });
});

it('not a mute one once what it last took has ended, though it was sent newer leaves', async () => {
  const { fleet, ledger } = await setUp();
  ledger.isMute = true;
  await fleet.ticks(26, HOUR_MS);
  const [, mute] = fleet.server.proxies();
  // The first leaf that was sent since may have been taken, too: it ends a day after that.
  expect(mute).toEqual(here('ledger~10.0.1.1', { state: 'pending' }));
  await fleet.ticks(14, HOUR_MS);
  expect(fleet.server.proxies()[1]).toMatchObject({ state: 'pending', hasLeaf: false });
  await fleet.server.caChange.take(await fleet.server.newChain(), 'end');
  await fleet.ticks(4);
  expect(fleet.server.authority.change).toBeUndefined();
  fleet.expectNoFailure();
});

it('not a revoked one, connected or away', async () => {
  const { fleet, ledger } = await setUp();
  fleet.disconnect(ledger);
  await fleet.server.revoke('ledger');
  expect(fleet.server.proxies().map(({ node }) => node)).toEqual(['web~10.0.0.1']);
  await fleet.server.revoke('web');
  expect(fleet.server.proxies()).toEqual([]);
});

it('one that rejects something else counts by its secrets alone', async () => {
  const { fleet, ledger } = await setUp();
  ledger.peer.reject('bad listener');
  fleet.server.members.of(ledger.peer.stream)?.noteAnswer();
  expect(fleet.server.members.view()[1]?.state).toBe('nacked');
  expect(fleet.server.proxies()[1]).toEqual(here('ledger~10.0.1.1'));
});

it('a drained one, which may still call', async () => {
  const { fleet } = await setUp();
  await fleet.server.drains.begin({ node: 'ledger~10.0.1.1', service: serviceName('ledger') });
  await fleet.ticks(4);
  expect(fleet.server.proxies()).toEqual([here('web~10.0.0.1'), here('ledger~10.0.1.1')]);
});

it('not one that is kept out of its address: it is sent nothing', async () => {
  const { fleet } = await setUp();
  fleet.connect('books', '10.0.1.1');
  await fleet.ticks(3);
  const nodes = fleet.server.proxies().map(({ node }) => node);
  expect(nodes).toEqual(['web~10.0.0.1', 'ledger~10.0.1.1']);
});

it('after a restart: whoever was connected, for as long as it has to come back', async () => {
  const { fleet } = await setUp();
  await fleet.server.drains.begin({ node: 'ledger~10.0.1.1', service: serviceName('ledger') });
  await fleet.ticks(4);
  await fleet.server.stop();
  fleet.server = await startServer(fleet.server.disk);
  const nodes = fleet.server.proxies().map(({ node }) => node);
  expect(nodes.sort()).toEqual(['ledger~10.0.1.1', 'web~10.0.0.1']);
  fleet.server.clock.advance(60_000);
  expect(fleet.server.proxies()).toEqual([]);
});

it('after a restart: not who has no leaf, or one that has ended', async () => {
  const { fleet } = await setUp();
  await fleet.server.stop();
  const { disk } = fleet.server;
  const leaves = [...disk.dataDir.files.keys()].filter((name) => name.startsWith('leaves/'));
  expect(leaves).toHaveLength(2);
  const [first = ''] = leaves;
  disk.dataDir.files.delete(first);
  const one = await startServer(disk);
  expect(
    one
      .proxies()
      .map(({ hasLeaf }) => hasLeaf)
      .sort(),
  ).toEqual([false, true]);
  await one.stop();
  disk.clock.advance(25 * HOUR_MS);
  const two = await startServer(disk);
  expect(two.proxies().map(({ hasLeaf }) => hasLeaf)).toEqual([false, false]);
});
