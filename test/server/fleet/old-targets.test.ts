// The cluster of an application stays while connections may still go to it.
import { expect, it } from 'vitest';
import { serviceName } from '../../../src/policy/index.js';
import { OLD_TARGET_MS, OldTargets } from '../../../src/server/fleet/old-targets.js';
import { createResourceSet, type ResourceSet } from '../../../src/xds/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const LEDGER = serviceName('ledger');
const setOf = (...names: readonly string[]): ResourceSet =>
  createResourceSet(names.map((name) => ({ name, value: Buffer.from(name), version: name })));
const namesOf = ({ resources }: ResourceSet): string[] => [...resources.keys()].sort();

function setUp() {
  const clock = new ManualClock();
  const ended: string[] = [];
  const targets = new OldTargets({ clock, onEnd: (service) => void ended.push(service) });
  return { clock, ended, targets };
}

it('an old target stays for the drain time, and is told when it goes', () => {
  const { clock, ended, targets } = setUp();
  const after = setOf('local:80:b', 'web:80');
  targets.add(LEDGER, setOf('local:80:a', 'web:80'));
  const all = ['local:80:a', 'local:80:b', 'web:80'];
  expect(namesOf(targets.add(LEDGER, after))).toEqual(all);
  clock.advance(OLD_TARGET_MS - 1);
  expect(namesOf(targets.add(LEDGER, after))).toEqual(all);
  clock.advance(1);
  expect(ended).toEqual([LEDGER]);
  expect(namesOf(targets.add(LEDGER, after))).toEqual(['local:80:b', 'web:80']);
});

it('clusters of other services are taken away at once', () => {
  const { targets } = setUp();
  targets.add(LEDGER, setOf('web:80'));
  expect(namesOf(targets.add(LEDGER, setOf()))).toEqual([]);
});

it('a target that is taken up again is no old one', () => {
  const { clock, ended, targets } = setUp();
  const [a, b] = [setOf('local:80:a'), setOf('local:80:b')];
  targets.add(LEDGER, a);
  targets.add(LEDGER, b);
  expect(namesOf(targets.add(LEDGER, a))).toEqual(['local:80:a', 'local:80:b']);
  clock.advance(OLD_TARGET_MS);
  expect(ended).toEqual([LEDGER]);
  expect(namesOf(targets.add(LEDGER, a))).toEqual(['local:80:a']);
});

it('there are so many at once, and stopping leaves no timer', () => {
  const { clock, targets } = setUp();
  let set = setOf();
  for (let edit = 0; edit <= 40; edit++) set = targets.add(LEDGER, setOf(`local:80:${edit}`));
  expect(namesOf(set)).toHaveLength(17);
  targets.stop();
  expect(clock.pending).toBe(0);
});
