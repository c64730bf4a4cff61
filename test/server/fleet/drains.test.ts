// Drains without a server: whom each step waits for, and what is stored before it.
import { expect, it } from 'vitest';
import { serviceName } from '../../../src/policy/index.js';
import {
  type DrainRecord,
  Drains,
  Members,
  SidecarRegistry,
} from '../../../src/server/fleet/index.js';
import { SETTLE_MS } from '../../../src/server/fleet/waiting-callers.js';
import { createResourceSet, type Snapshot, TYPE_URLS } from '../../../src/xds/index.js';
import { FakeLeaves } from '../../fakes/fake-leaves.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { NO_STATISTICS } from '../../fakes/no-statistics.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { settle } from '../../fakes/settle.js';
import { meshOf } from '../../policy/helpers.js';

const MESH = meshOf(`trustDomain: shop.example
services:
  web: {}
  ledger: { ports: { 8080: http } }`);
const LEDGER = serviceName('ledger');
const ONE = 'ledger~10.0.0.1';

/** Endpoints of the ledger, and a listener by which it is called. */
function snapshotOf(endpoints: string, listener = 'inbound:8080'): Snapshot {
  const resource = (name: string, version: string) => ({ name, version, value: Buffer.from('') });
  return new Map([
    [TYPE_URLS.endpoint, createResourceSet([resource('ledger:8080', endpoints)])],
    [TYPE_URLS.listener, createResourceSet([resource(listener, 'v')])],
  ]);
}

function setUp(records: readonly DrainRecord[] = []) {
  const clock = new ManualClock();
  const registry = new SidecarRegistry({
    ...{ clock, store: new MemoryStore() },
    onStoreError: () => undefined,
  });
  const members = new Members({ statistics: NO_STATISTICS, clock, leaves: new FakeLeaves() });
  const store = new MemoryStore<readonly DrainRecord[]>(records);
  const options = { clock, members, registry, store, logger: recordingLogger() };
  const drains = new Drains({ ...options, records, mesh: () => MESH });
  const join = (service: string, address: string) => {
    const peer = new FakeStream(fakeSidecar(service, address));
    const { node, service: name } = peer.stream.auth;
    registry.open({ node, service: name, address }, service === 'ledger');
    registry.markReady({ node, address });
    return { peer, member: members.add(peer.stream) };
  };
  const send = ({ peer, member }: ReturnType<typeof join>, snapshot: Snapshot): void => {
    peer.stream.setSnapshot(snapshot);
    member.set({ configuration: { kind: 'sent', snapshot, unplaced: undefined } });
  };
  const endpoints = (): number => registry.endpoints.value.get(LEDGER)?.length ?? 0;
  const stage = () => drains.view().map((view) => [view.stage, ...view.waitingFor].join(' '));
  const isClosed = () => drains.isClosed({ node: ONE, address: '10.0.0.1' });
  return { clock, registry, members, store, drains, join, send, endpoints, stage, isClosed };
}

it('callers first, each of them; then, a moment later, the listeners', async () => {
  const { clock, store, drains, join, send, endpoints, stage, isClosed } = setUp();
  const [ledger, web] = [join('ledger', '10.0.0.1'), join('web', '10.0.0.2')];
  for (const one of [ledger, web]) {
    send(one, snapshotOf('with'));
    one.peer.take();
  }
  drains.changes.add(() => {
    for (const one of [ledger, web]) send(one, snapshotOf('without'));
  });
  await drains.begin({ node: ONE, service: LEDGER });
  expect([endpoints(), store.value?.map(({ closed }) => closed)]).toEqual([0, [false]]);
  expect(stage()).toEqual([`callers ${ONE} web~10.0.0.2`]);
  ledger.peer.take();
  drains.advance();
  expect([stage(), clock.pending]).toEqual([['callers web~10.0.0.2'], 0]);
  web.peer.take();
  drains.advance();
  expect(stage()).toEqual(['settling']);
  clock.advance(SETTLE_MS - 1);
  await settle();
  expect(isClosed()).toBe(false);
  clock.advance(1);
  await settle();
  expect([isClosed(), store.value?.map(({ closed }) => closed)]).toEqual([true, [true]]);
});

it('a caller that is away for a moment is waited for', async () => {
  const { registry, drains, join, stage } = setUp();
  registry.open({ node: 'web~1', service: serviceName('web'), address: '10.0.0.2' }, false);
  registry.close({ node: 'web~1', address: '10.0.0.2' });
  join('ledger', '10.0.0.1');
  await drains.begin({ node: ONE, service: LEDGER });
  expect(stage()).toEqual([`callers ${ONE} web~1`]);
});

it('a server that starts again neither calls it nor opens its listeners', () => {
  const stored = { node: ONE, service: LEDGER, sinceMs: 0, closed: true } as const;
  const { join, endpoints, isClosed } = setUp([stored]);
  join('ledger', '10.0.0.1');
  expect([endpoints(), isClosed()]).toEqual([0, true]);
});

it('taken back, it is called again once it listens again', async () => {
  const stored = { node: ONE, service: LEDGER, sinceMs: 0, closed: true } as const;
  const { registry, store, drains, join, endpoints, isClosed } = setUp([stored]);
  join('ledger', '10.0.0.1');
  expect(await drains.end(ONE, 'test')).toBe(true);
  expect([endpoints(), isClosed(), store.value]).toEqual([0, false, []]);
  registry.markReady({ node: ONE, address: '10.0.0.1' });
  expect(endpoints()).toBe(1);
  expect(await drains.end(ONE, 'test')).toBe(false);
});

it('what can not be stored is not begun, and what can not be closed is tried again', async () => {
  const { clock, store, drains, join, send, endpoints, isClosed } = setUp();
  const ledger = join('ledger', '10.0.0.1');
  send(ledger, snapshotOf('without'));
  ledger.peer.take();
  store.failure = new Error('disk full');
  await expect(drains.begin({ node: ONE, service: LEDGER })).rejects.toThrow('disk full');
  expect([endpoints(), drains.view()]).toEqual([1, []]);
  store.failure = undefined;
  await drains.begin({ node: ONE, service: LEDGER });
  store.failure = new Error('disk full');
  clock.advance(SETTLE_MS);
  await settle();
  expect(isClosed()).toBe(false);
  store.failure = undefined;
  clock.advance(SETTLE_MS);
  await settle();
  expect(isClosed()).toBe(true);
});
