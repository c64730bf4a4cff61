// A sidecar's own word that it goes, without a server: whom each step waits for, and how it ends.
import { expect, it } from 'vitest';
import { DEPARTING_ROUTE } from '../../../src/drains/index.js';
import { serviceName } from '../../../src/policy/index.js';
import { DEPARTURE_DEADLINE_MS, Departures } from '../../../src/server/fleet/departures.js';
import { Members, SidecarRegistry } from '../../../src/server/fleet/index.js';
import { SETTLE_MS } from '../../../src/server/fleet/waiting-callers.js';
import type { NodeId } from '../../../src/spiffe/index.js';
import {
  createResourceSet,
  type Interest,
  type Request,
  type Snapshot,
  TYPE_URLS,
} from '../../../src/xds/index.js';
import { FakeLeaves } from '../../fakes/fake-leaves.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { NO_STATISTICS } from '../../fakes/no-statistics.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { meshOf } from '../../policy/helpers.js';

const MESH = meshOf(`trustDomain: shop.example
services:
  web: {}
  ledger: { ports: { 8080: http } }`);
const LEDGER = serviceName('ledger');

function asks(names: readonly string[], typeUrl: string = TYPE_URLS.route): Request {
  const interest: Interest = {
    ...{ variant: 'delta', subscribe: names, unsubscribe: [] },
    initialVersions: new Map(),
  };
  return { typeUrl, nonce: '', interest };
}

const GOES = asks([DEPARTING_ROUTE]);

function snapshotOf(endpoints: string): Snapshot {
  const resource = { name: 'ledger:8080', version: endpoints, value: Buffer.from('') };
  return new Map([[TYPE_URLS.endpoint, createResourceSet([resource])]]);
}

function setUp() {
  const clock = new ManualClock();
  const registry = new SidecarRegistry({
    ...{ clock, store: new MemoryStore() },
    onStoreError: () => undefined,
  });
  const members = new Members({ statistics: NO_STATISTICS, clock, leaves: new FakeLeaves() });
  const options = { clock, members, registry, logger: recordingLogger() };
  const published: (readonly string[])[] = [];
  const departures: Departures = new Departures({ ...options, mesh: () => MESH }, () =>
    published.push(stage()),
  );
  const join = (service: string, address: string, node: NodeId = `${service}~${address}`) => {
    const peer = new FakeStream(fakeSidecar(service, address, { node }));
    registry.open({ node, service: peer.stream.auth.service, address }, service === 'ledger');
    registry.markReady({ node, address });
    const member = members.add(peer.stream);
    const send = (endpoints: string): void => {
      const snapshot = snapshotOf(endpoints);
      peer.stream.setSnapshot(snapshot);
      member.set({ configuration: { kind: 'sent', snapshot, unplaced: undefined } });
    };
    const leave = (): void => {
      members.delete(peer.stream);
      registry.close(peer.stream.auth);
      departures.end(peer.stream);
    };
    return { peer, stream: peer.stream, send, leave };
  };
  const called = (): readonly string[] =>
    (registry.endpoints.value.get(LEDGER) ?? []).map(({ address }) => address);
  const stage = () => departures.view().map((view) => [view.stage, ...view.waitingFor].join(' '));
  return { clock, registry, departures, join, called, stage, published };
}

it('its callers first: each of them is waited for', () => {
  const { clock, departures, join, called, stage } = setUp();
  const one = join('ledger', '10.0.0.1');
  join('ledger', '10.0.0.2');
  const web = join('web', '10.0.0.3');
  web.send('without');
  departures.look(one.stream, GOES);
  expect([called(), departures.has(one.stream)]).toEqual([['10.0.0.2'], true]);
  expect(stage()).toEqual(['callers ledger~10.0.0.1 ledger~10.0.0.2 web~10.0.0.3']);
  web.peer.take();
  expect(stage()).toEqual(['callers ledger~10.0.0.1 ledger~10.0.0.2']);
  clock.advance(DEPARTURE_DEADLINE_MS - 1);
  expect(departures.isClosed(one.stream.auth)).toBe(false);
});

it('when all callers have gone over, its listeners go after the time that workers need', () => {
  const { clock, departures, join, stage, published } = setUp();
  const one = join('ledger', '10.0.0.1');
  for (const { send, peer } of [one, join('ledger', '10.0.0.2'), join('web', '10.0.0.3')]) {
    send('without');
    peer.take();
  }
  departures.look(one.stream, GOES);
  expect(stage()).toEqual(['settling']);
  clock.advance(SETTLE_MS - 1);
  expect(published).toEqual([]);
  clock.advance(1);
  expect([published, clock.pending]).toEqual([[['inbound ledger~10.0.0.1']], 0]);
});

it('a caller that does not answer is not waited for longer than a stop may take', () => {
  const { clock, departures, join } = setUp();
  const one = join('ledger', '10.0.0.1');
  join('ledger', '10.0.0.2');
  departures.look(one.stream, GOES);
  clock.advance(DEPARTURE_DEADLINE_MS);
  expect(departures.isClosed(one.stream.auth)).toBe(true);
});

it('the last one closes at once: nobody could be called instead', () => {
  const { departures, join } = setUp();
  const one = join('ledger', '10.0.0.1');
  departures.look(one.stream, GOES);
  expect(departures.isClosed(one.stream.auth)).toBe(true);
});

it('when its stream ends it is gone, without the grace of one that may come back', () => {
  const { clock, registry, departures, join, called } = setUp();
  const one = join('ledger', '10.0.0.1');
  departures.look(one.stream, GOES);
  one.leave();
  expect([registry.missing(), departures.view(), clock.pending]).toEqual([[], [], 0]);
  // The next Envoy of that node is an endpoint as soon as it listens.
  join('ledger', '10.0.0.1');
  expect(called()).toEqual(['10.0.0.1']);
});

it('a new Envoy that connects before the old stream has ended stays', () => {
  const { departures, join, called } = setUp();
  const old = join('ledger', '10.0.0.1');
  departures.look(old.stream, GOES);
  const next = join('ledger', '10.0.0.1');
  old.leave();
  expect([departures.has(next.stream), called()]).toEqual([false, ['10.0.0.1']]);
});

it('of sidecars that share a name, the one that goes', () => {
  const { departures, join, called } = setUp();
  const one = join('ledger', '10.0.0.1', 'ledger~1');
  const two = join('ledger', '10.0.0.2', 'ledger~1');
  departures.look(one.stream, GOES);
  one.leave();
  expect([called(), departures.isClosed(two.stream.auth)]).toEqual([['10.0.0.2'], false]);
});

it('is said by that name of a route alone, in both variants', () => {
  const { departures, join } = setUp();
  const one = join('ledger', '10.0.0.1');
  for (const said of [asks(['inbound:8080']), asks([DEPARTING_ROUTE], TYPE_URLS.endpoint)]) {
    departures.look(one.stream, said);
    expect(departures.has(one.stream)).toBe(false);
  }
  const interest: Interest = {
    ...{ variant: 'sotw', versionInfo: '1' },
    names: ['inbound:8080', DEPARTING_ROUTE],
  };
  departures.look(one.stream, { typeUrl: TYPE_URLS.route, nonce: '', interest });
  expect(departures.has(one.stream)).toBe(true);
});

it('an orderly stop of the server leaves no timer', () => {
  const { clock, departures, join } = setUp();
  const one = join('ledger', '10.0.0.1');
  join('ledger', '10.0.0.2');
  departures.look(one.stream, GOES);
  departures.stop();
  expect(clock.pending).toBe(0);
});
