import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Candidate, toSlots } from '../../src/compose/write/slots.js';

function candidate(callee: string, ports: readonly number[], isKnown = true): Candidate {
  return { callee, ports, isKnown };
}

test('two callees with one port number are in different slots', () => {
  const { slots, unplaced } = toSlots([
    candidate('a', [8080]),
    candidate('b', [8080, 9090]),
    candidate('c', [9090]),
    candidate('d', [5432]),
  ]);
  expect(slots).toEqual([['a', 'c', 'd'], ['b']]);
  expect(unplaced).toEqual([]);
});

test('a caller that calls nobody has one slot', () => {
  expect(toSlots([]).slots).toEqual([[]]);
});

test('those that are called for certain go first; the others get some slots beyond theirs', () => {
  const perhaps = Array.from({ length: 6 }, (_, index) => candidate(`p${index}`, [80], false));
  const known = Array.from({ length: 3 }, (_, index) => candidate(`k${index}`, [80]));
  const { slots, unplaced } = toSlots([...perhaps, ...known]);
  expect(slots).toEqual([['k0'], ['k1'], ['k2'], ['p0'], ['p1'], ['p2'], ['p3']]);
  expect(unplaced.map(({ callee }) => callee)).toEqual(['p4', 'p5']);
});

test('no slot has a port number twice, and nobody is lost', () => {
  const any = fc.record({
    callee: fc.string({ minLength: 1 }),
    ports: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
    isKnown: fc.boolean(),
  });
  const all = fc.uniqueArray(any, { selector: ({ callee }) => callee, maxLength: 20 });
  fc.assert(
    fc.property(all, (candidates) => {
      const { slots, unplaced } = toSlots(candidates);
      const portsOf = new Map(candidates.map(({ callee, ports }) => [callee, ports]));
      for (const slot of slots) {
        const ports = slot.flatMap((callee) => portsOf.get(callee) ?? []);
        expect(new Set(ports).size).toBe(ports.length);
      }
      const placed = [...slots.flat(), ...unplaced.map(({ callee }) => callee)];
      expect(placed.toSorted()).toEqual(candidates.map(({ callee }) => callee).toSorted());
      expect(slots.length).toBeLessThanOrEqual(8);
    }),
    { seed: 20_261_128, numRuns: 200 },
  );
});
