import { expect, it } from 'vitest';
import type { Leaf } from '../../../src/ca/index.js';
import { createOrderStore, OrderDesk } from '../../../src/data/orders/index.js';
import { orderRenewal, type RenewalOrder } from '../../../src/leaves/index.js';
import { takeRenewalOrders } from '../../../src/server/ca/index.js';
import type { NodeId } from '../../../src/spiffe/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { diskFull, MemoryDataDir } from '../../x509/tools.js';

const NODES: readonly { readonly node: NodeId; readonly service: string }[] = [
  { node: 'web~a', service: 'web' },
  { node: 'web~b', service: 'web' },
  { node: 'payments/ledger~a', service: 'payments/ledger' },
];
const HOUR_MS = 3_600_000;

function setup() {
  const dataDir = new MemoryDataDir();
  const clock = new ManualClock();
  const logger = recordingLogger();
  const renewed: string[] = [];
  const issuedAtMs = new Map<string, number>(NODES.map(({ node }) => [node, 0]));
  const world = { nodes: NODES, missing: [] as NodeId[], failing: ['web~b'] };
  const leaves = {
    async renewNow(node: NodeId): Promise<boolean> {
      renewed.push(node);
      if (world.failing.includes(node)) return false;
      issuedAtMs.set(node, clock.now());
      return true;
    },
    get: (node: string) => ({ issuedAtMs: issuedAtMs.get(node) }) as Leaf,
  };
  const store = createOrderStore(dataDir);
  const tools = { store, clock, random: seededRandom('renewals') };
  const open = () => {
    const desk = new OrderDesk({ store, clock, logger });
    takeRenewalOrders(desk, {
      ...{ leaves, logger, nodes: () => world.nodes, missing: () => world.missing },
    });
    return () => desk.look();
  };
  const order = async (wanted: RenewalOrder) => (await orderRenewal(wanted, tools)).id;
  const answer = async (id: string) => (await store.receipt(id))?.answer;
  const renewals = () => logger.lines.filter(({ message }) => /on demand/.test(message));
  return { dataDir, clock, world, renewed, issuedAtMs, order, answer, renewals, open };
}

it('every connected sidecar of the service gets a new leaf, once', async () => {
  const { renewed, order, answer, renewals, open, issuedAtMs, clock } = setup();
  const look = open();
  const id = await order({ service: 'web' });
  await look();
  await look();
  expect(renewed).toEqual(['web~a', 'web~b']);
  expect(renewals()).toEqual([
    {
      level: 'info',
      message: 'certificates renewed on demand',
      fields: { service: 'web', nodes: 2, renewed: 1 },
    },
  ]);
  const report = { renewed: ['web~a'], waitingFor: ['web~b'] };
  expect(await answer(id)).toEqual({ state: 'waiting', report });
  // What failed is tried again by itself, as at any renewal.
  issuedAtMs.set('web~b', clock.now());
  await look();
  expect(await answer(id)).toEqual({
    state: 'done',
    report: { renewed: ['web~a', 'web~b'], waitingFor: [] },
  });
});

it('one instance alone where that is meant', async () => {
  const { renewed, order, open } = setup();
  const look = open();
  await order({ service: 'payments/ledger', instance: 'a' });
  await order({ service: 'web', instance: 'b' });
  await look();
  expect(renewed.sort()).toEqual(['payments/ledger~a', 'web~b']);
});

it('an order that cannot be answered is told of, and carried out again', async () => {
  const { dataDir, renewed, order, answer, open } = setup();
  const id = await order({ service: 'web', instance: 'a' });
  dataDir.beforeWrite = () => {
    throw diskFull();
  };
  const look = open();
  await expect(look()).rejects.toThrow('ENOSPC');
  dataDir.beforeWrite = () => undefined;
  await look();
  await look();
  // The leaf that it has since serves the order.
  expect(renewed).toEqual(['web~a']);
  expect(await answer(id)).toMatchObject({ state: 'done' });
});

it('a server that was killed before the receipt renews nothing twice', async () => {
  const { dataDir, renewed, order, open } = setup();
  const id = await order({ service: 'payments/ledger' });
  const content = dataDir.files.get(`orders/${id}.json`) ?? '';
  await open()();
  dataDir.files.set(`orders/${id}.json`, content);
  dataDir.files.delete(`orders/${id}.receipt.json`);
  await open()();
  expect(renewed).toEqual(['payments/ledger~a']);
});

it('an order for sidecars that are not connected waits for them', async () => {
  const { world, renewed, order, answer, open } = setup();
  world.nodes = [];
  const look = open();
  const id = await order({ service: 'payments/ledger' });
  await look();
  const report = { renewed: [], waitingFor: ['payments/ledger'] };
  expect([renewed, await answer(id)]).toEqual([[], { state: 'waiting', report }]);
  world.missing = ['payments/ledger~a'];
  await look();
  expect(await answer(id)).toMatchObject({ report: { waitingFor: ['payments/ledger~a'] } });
  world.nodes = NODES;
  world.missing = [];
  await look();
  expect(renewed).toEqual(['payments/ledger~a']);
  expect(await answer(id)).toMatchObject({ state: 'done', report: { renewed } });
});

it('at its deadline an order for sidecars that never came is answered so', async () => {
  const { world, clock, renewed, order, answer, open } = setup();
  world.nodes = [];
  const look = open();
  const id = await order({ service: 'web' });
  clock.advance(24 * HOUR_MS);
  world.nodes = NODES;
  await look();
  expect([renewed, await answer(id)]).toEqual([[], { state: 'expired' }]);
});
