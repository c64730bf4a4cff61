import { describe, expect, it } from 'vitest';
import { type ServiceName, serviceName } from '../../../src/policy/index.js';
import { toSidecarAddress } from '../../../src/server/addresses/index.js';
import { SidecarRegistry } from '../../../src/server/fleet/index.js';
import {
  GONE_GRACE_MS,
  type RegistryEntry,
  type RegistryOptions,
  START_GRACE_MS,
} from '../../../src/server/fleet/registry.js';
import type { NodeId } from '../../../src/spiffe/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';

const LEDGER = serviceName('payments/ledger');
const WEB = serviceName('web');
const entry = (node: NodeId, address: string, service: ServiceName = LEDGER): RegistryEntry => ({
  node,
  service,
  address,
});
const ONE = entry('ledger~1', '10.0.0.1');
const TWO = entry('ledger~2', '10.0.0.2');

function create(stored?: readonly RegistryEntry[], options: Partial<RegistryOptions> = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore<readonly RegistryEntry[]>(stored);
  const problems: unknown[] = [];
  const onStoreError = (one: unknown) => void problems.push(one);
  const registry = new SidecarRegistry({ clock, store, onStoreError, ...options });
  const endpoints = (): string[] =>
    [...registry.endpoints.value].map(
      ([service, list]) => `${service} ${list.map(({ address }) => address)}`,
    );
  return { clock, store, registry, problems, endpoints };
}

it('a sidecar is an endpoint once it has taken its listeners, not before', () => {
  const { registry, endpoints, store } = create();
  registry.open(ONE, true);
  expect(endpoints()).toEqual([]);
  registry.markReady(ONE);
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1']);
  expect(store.value).toEqual([{ ...ONE, serves: true }]);
});

it('it stays one for the grace after its last stream, and then is none', () => {
  const { clock, registry, endpoints, store } = create();
  registry.open(ONE, true);
  registry.markReady(ONE);
  registry.close(ONE);
  clock.advance(GONE_GRACE_MS - 1);
  expect([endpoints(), registry.missing()]).toEqual([['payments/ledger 10.0.0.1'], [ONE.node]]);
  clock.advance(1);
  expect([endpoints(), registry.missing(), store.value]).toEqual([[], [], []]);
});

it('one that comes back within the grace never went, for anybody who watches', () => {
  const { clock, registry, endpoints } = create();
  registry.open(ONE, true);
  registry.markReady(ONE);
  let changes = 0;
  registry.endpoints.onChange(() => changes++);
  registry.close(ONE);
  clock.advance(GONE_GRACE_MS - 1);
  registry.open(ONE, true);
  clock.advance(10 * GONE_GRACE_MS);
  expect([endpoints(), changes, clock.pending]).toEqual([['payments/ledger 10.0.0.1'], 0, 0]);
});

it('of two streams of one node the end of one changes nothing', () => {
  const { clock, registry, endpoints } = create();
  registry.open(ONE, true);
  registry.markReady(ONE);
  registry.open(ONE, true);
  registry.close(ONE);
  clock.advance(10 * GONE_GRACE_MS);
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1']);
});

it('a node that comes back with another address is an endpoint there only when it is ready', () => {
  const { clock, registry, endpoints } = create();
  const moved = { ...ONE, address: '10.0.0.9' };
  registry.open(ONE, true);
  registry.markReady(ONE);
  registry.close(ONE);
  registry.open(moved, true);
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1']);
  registry.markReady(moved);
  clock.advance(GONE_GRACE_MS);
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.9']);
});

it('two sidecars that share an instance name are two endpoints, and the survivor stays one', () => {
  const { clock, registry, endpoints } = create();
  const twin = { ...ONE, address: '10.0.0.9' };
  for (const sidecar of [ONE, twin]) {
    registry.open(sidecar, true);
    registry.markReady(sidecar);
  }
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1,10.0.0.9']);
  registry.close(twin);
  clock.advance(GONE_GRACE_MS);
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1']);
});

it("another service's claim to an address in use is refused by name", () => {
  const { registry } = create();
  registry.open(ONE, true);
  expect(() => registry.open(entry('web~1', ONE.address, WEB), true)).toThrow(
    expect.objectContaining({
      code: 'address-in-use',
      message: 'address 10.0.0.1 is in use by a sidecar of another service',
    }),
  );
});

it('the address of a sidecar that is gone is in use for its grace: nobody takes its calls', () => {
  const { clock, registry, endpoints } = create();
  const newcomer = entry('web~1', ONE.address, WEB);
  registry.open(ONE, true);
  registry.markReady(ONE);
  registry.close(ONE);
  expect(() => registry.open(newcomer, true)).toThrow('in use');
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1']);
  clock.advance(GONE_GRACE_MS);
  registry.open(newcomer, true);
  registry.markReady(newcomer);
  expect(endpoints()).toEqual(['web 10.0.0.1']);
});

describe('containers that are started again and swap their addresses', () => {
  const one = { ...ONE, proof: 'seen' } as const;
  const web = { ...entry('web~1', '10.0.0.2', WEB), proof: 'seen' } as const;
  const at = (claim: RegistryEntry, address: string): RegistryEntry => ({ ...claim, address });

  it('have them at once, without waiting for the grace of the other', () => {
    const { registry, endpoints } = create();
    for (const sidecar of [one, web]) {
      registry.open(sidecar, true);
      registry.markReady(sidecar);
      registry.close(sidecar);
    }
    expect(registry.open(at(one, web.address), true)).toEqual([expect.objectContaining(web)]);
    expect(registry.open(at(web, one.address), true)).toEqual([expect.objectContaining(one)]);
    expect(endpoints()).toEqual([]);
    registry.markReady(at(one, web.address));
    expect(endpoints()).toEqual(['payments/ledger 10.0.0.2']);
  });

  it('do so over a restart of the server too; who was never there waits', async () => {
    const { registry } = create([one, web].map((stored) => ({ ...stored, serves: true })));
    await registry.restore();
    const stranger = { ...entry('web~9', '10.0.0.1', WEB), proof: 'seen' } as const;
    expect(() => registry.open(stranger, true)).toThrow('in use');
    expect(registry.open(at(web, one.address), true)).toHaveLength(1);
  });

  it('and one that comes back too late has its address as soon as the other has left', () => {
    const { registry } = create();
    const other = at(web, one.address);
    registry.open(one, true);
    registry.close(one);
    registry.open(other, true);
    expect(() => registry.open(one, true)).toThrow('in use');
    registry.close(other);
    expect(registry.open(one, true)).toEqual([expect.objectContaining(other)]);
  });

  it('not where the two were once there together, or nothing vouches for it', () => {
    const { registry } = create();
    const other = at(web, one.address);
    registry.open(one, true);
    expect(() => registry.open(other, true)).toThrow('in use');
    registry.close(one);
    expect(() => registry.open(other, true)).toThrow('in use');
    const word: RegistryEntry = { ...entry('web~2', one.address, WEB), proof: 'claimed' };
    expect(() => registry.open(word, true)).toThrow('in use');
  });
});

it('callers without a port may share an address, and so may two instances of one service', () => {
  const { registry, endpoints } = create();
  registry.open(entry('web~1', ONE.address, WEB), false);
  registry.open(ONE, true);
  registry.open({ ...TWO, address: ONE.address }, true);
  registry.markReady(ONE);
  registry.markReady(TWO);
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1']);
});

it('addresses are in order, whoever was first', () => {
  const { registry, endpoints } = create();
  for (const one of [TWO, ONE]) {
    registry.open(one, true);
    registry.markReady(one);
  }
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1,10.0.0.2']);
});

it('a restarted server keeps every endpoint for the longer grace', async () => {
  const { clock, registry, endpoints } = create([ONE, TWO]);
  await registry.restore();
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1,10.0.0.2']);
  expect(registry.missing()).toEqual([ONE.node, TWO.node]);
  registry.open(TWO, true);
  clock.advance(START_GRACE_MS - 1);
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.1,10.0.0.2']);
  clock.advance(1);
  expect(endpoints()).toEqual(['payments/ledger 10.0.0.2']);
});

it('a service whose endpoints did not change keeps its list', () => {
  const { registry } = create();
  registry.open(ONE, true);
  registry.markReady(ONE);
  const before = registry.endpoints.value.get(LEDGER);
  const web = entry('web~1', '10.0.0.5', WEB);
  registry.open(web, true);
  registry.markReady(web);
  expect(registry.endpoints.value.get(LEDGER)).toBe(before);
});

it('a table that cannot be stored is told, and in force all the same', async () => {
  const { registry, endpoints, store, problems } = create();
  store.failure = new Error('disk full');
  registry.open(ONE, true);
  registry.markReady(ONE);
  await Promise.resolve();
  expect([endpoints(), problems]).toEqual([['payments/ledger 10.0.0.1'], [store.failure]]);
});

it('stopping leaves no timer', async () => {
  const { clock, registry } = create([ONE, TWO]);
  await registry.restore();
  registry.stop();
  expect(clock.pending).toBe(0);
});

it('a listener that cannot bind is known to callers, also after a restart', async () => {
  const { registry, store } = create();
  registry.open(ONE, true);
  registry.markReady(ONE, ['inbound:8080']);
  const unbound = { address: '10.0.0.1', unbound: ['inbound:8080'] };
  expect([...registry.endpoints.value.values()]).toEqual([[unbound]]);
  const restarted = create(store.value);
  await restarted.registry.restore();
  expect([...restarted.registry.endpoints.value.values()]).toEqual([[unbound]]);
  restarted.registry.open(ONE, true);
  restarted.registry.markReady(ONE);
  expect([...restarted.registry.endpoints.value.values()]).toEqual([[{ address: '10.0.0.1' }]]);
});

it('one that is drained is no endpoint, ready or not, until it is drained no more', () => {
  const { registry, endpoints } = create();
  registry.open(ONE, true);
  registry.open(TWO, true);
  registry.markReady(ONE);
  registry.setDrained(new Set([ONE.node, TWO.node]));
  registry.markReady(TWO);
  expect(endpoints()).toEqual([]);
  registry.setDrained(new Set([TWO.node]));
  expect([endpoints(), registry.nodesOf(LEDGER)]).toEqual([
    ['payments/ledger 10.0.0.1'],
    [ONE.node],
  ]);
  registry.unready(({ node }) => node === ONE.node);
  expect(endpoints()).toEqual([]);
});

it('what vouches for an address is stored, and holds over a restart', async () => {
  const { registry, store } = create();
  registry.open({ ...ONE, proof: 'seen' }, true);
  registry.markReady(ONE);
  expect(store.value).toEqual([{ ...ONE, proof: 'seen', serves: true }]);
  const restarted = create(store.value);
  await restarted.registry.restore();
  const claimant = entry('web~1', ONE.address, WEB);
  expect(() => restarted.registry.open(claimant, true)).toThrow('in use');
  expect(restarted.registry.open({ ...claimant, proof: 'bound' }, true)).toMatchObject([ONE]);
});

it('a service has no more sidecars than it may have; those that are there come back', () => {
  const { clock, registry } = create([], { maxPerService: 2 });
  const three = entry('ledger~3', '10.0.0.3');
  registry.open(ONE, true);
  registry.open(TWO, true);
  expect(registry.full()).toEqual([LEDGER]);
  expect(() => registry.open(three, true)).toThrow(
    expect.objectContaining({
      code: 'instance-limit',
      message: 'expected at most 2 sidecars of service "payments/ledger" at once',
    }),
  );
  registry.open(entry('web~1', '10.0.0.4', WEB), true);
  registry.open(ONE, true);
  registry.close(TWO);
  registry.open(TWO, true);
  registry.close(TWO);
  clock.advance(GONE_GRACE_MS);
  registry.open(three, true);
});

it('a stored endpoint whose address cannot be a sidecar’s is left out, and said', async () => {
  const leftOut: unknown[] = [];
  const bad = entry('ledger~2', '169.254.169.254');
  const { registry, endpoints } = create([ONE, bad], {
    assertAddress: (address) => void toSidecarAddress(address),
    onLeftOut: ({ node }) => leftOut.push(node),
  });
  await registry.restore();
  expect([endpoints(), leftOut]).toEqual([['payments/ledger 10.0.0.1'], ['ledger~2']]);
});

describe('a service that is called otherwise', () => {
  const BOOKS = serviceName('books');
  const toBooks = (name: ServiceName): ServiceName => (name === LEDGER ? BOOKS : name);

  it('has its endpoints under the new name at once, and back', () => {
    const { registry, endpoints, store } = create();
    registry.open(ONE, true);
    registry.markReady(ONE);
    registry.relabel(toBooks);
    expect(endpoints()).toEqual(['books 10.0.0.1']);
    expect([registry.nodesOf(BOOKS), registry.nodesOf(LEDGER)]).toEqual([[ONE.node], [ONE.node]]);
    expect(store.value).toEqual([{ ...ONE, serves: true }]);
    registry.relabel((name) => name);
    expect(endpoints()).toEqual(['payments/ledger 10.0.0.1']);
  });

  it('is one service: a sidecar by its new name may have the address of the old one', () => {
    const { registry, endpoints } = create();
    registry.relabel(toBooks);
    registry.open(ONE, true);
    registry.open(entry('books~1', '10.0.0.1', BOOKS), true);
    registry.markReady(entry('books~1', '10.0.0.1', BOOKS));
    expect(endpoints()).toEqual(['books 10.0.0.1']);
  });
});
