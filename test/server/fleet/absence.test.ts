// A sidecar whose stream ended: when its calls go to others, and when it is forgotten.
import { expect, it } from 'vitest';
import { serviceName } from '../../../src/policy/index.js';
import { AWAY_AFTER_MS } from '../../../src/server/fleet/absence.js';
import { SidecarRegistry } from '../../../src/server/fleet/index.js';
import {
  GONE_GRACE_MS,
  type RegistryEntry,
  START_GRACE_MS,
} from '../../../src/server/fleet/registry.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';

const LEDGER = serviceName('ledger');

function toEntry(number: number): RegistryEntry {
  return { node: `ledger~${number}`, service: LEDGER, address: `10.0.0.${number}` };
}

async function setUp(connected: number, stored: readonly RegistryEntry[] = []) {
  const clock = new ManualClock();
  const store = new MemoryStore<readonly RegistryEntry[]>(stored);
  const registry = new SidecarRegistry({ clock, store, onStoreError: () => undefined });
  await registry.restore();
  const entries = Array.from({ length: connected }, (_, index) => toEntry(index + 1));
  for (const entry of entries) {
    registry.open(entry, true);
    registry.markReady(entry);
  }
  const called = (): string =>
    (registry.endpoints.value.get(LEDGER) ?? []).map(({ address }) => address.slice(7)).join(' ');
  return { clock, store, registry, entries, called };
}

it('a killed sidecar is called no more within two seconds where others are there', async () => {
  const { clock, store, registry, called } = await setUp(3);
  registry.close(toEntry(1));
  clock.advance(AWAY_AFTER_MS - 1);
  expect(called()).toBe('1 2 3');
  clock.advance(1);
  expect([called(), store.value?.map(({ node }) => node)]).toEqual([
    '2 3',
    ['ledger~2', 'ledger~3'],
  ]);
  expect(AWAY_AFTER_MS).toBeLessThan(2_000);
  // Whoever paces a change waits for it as before.
  expect(registry.missing()).toEqual(['ledger~1']);
  clock.advance(GONE_GRACE_MS - AWAY_AFTER_MS);
  expect([registry.missing(), clock.pending]).toEqual([[], 0]);
});

it('back within the grace, it is called again at once', async () => {
  const { clock, registry, called } = await setUp(2);
  registry.close(toEntry(1));
  clock.advance(AWAY_AFTER_MS);
  expect(called()).toBe('2');
  registry.open(toEntry(1), true);
  expect([called(), clock.pending]).toEqual(['1 2', 0]);
});

it.each([
  { of: 1, lost: 1, left: '1' },
  { of: 2, lost: 1, left: '2' },
  { of: 2, lost: 2, left: '1 2' },
  // The way to them is more likely at fault than most of them at once.
  { of: 3, lost: 2, left: '1 2 3' },
  { of: 4, lost: 2, left: '3 4' },
])('of $of, $lost lost at once: called are $left', async ({ of, lost, left }) => {
  const { clock, registry, entries, called } = await setUp(of);
  for (const entry of entries.slice(0, lost)) registry.close(entry);
  clock.advance(AWAY_AFTER_MS);
  expect(called()).toBe(left);
  clock.advance(GONE_GRACE_MS);
  expect(called()).toBe(
    entries
      .slice(lost)
      .map(({ address }) => address.slice(7))
      .join(' '),
  );
});

it('after a start of the server, those of before have their whole grace', async () => {
  const { clock, called } = await setUp(1, [toEntry(1), toEntry(2)]);
  clock.advance(START_GRACE_MS - 1);
  expect(called()).toBe('1 2');
  clock.advance(1);
  expect(called()).toBe('1');
});
