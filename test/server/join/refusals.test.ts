import { expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import { Refusals } from '../../../src/server/join/index.js';
import { MAX_REFUSALS } from '../../../src/server/join/refusals.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const MISSING = new MeshError('token-missing', 'none', { hint: 'make one' });
const INVALID = new MeshError('token-invalid', 'other');

it('equal refusals of one address are one entry, the newest first', () => {
  const clock = new ManualClock();
  const startMs = clock.now();
  const refusals = new Refusals(clock);
  refusals.note('10.0.0.1', MISSING);
  refusals.note('10.0.0.2', INVALID);
  clock.advance(1000);
  refusals.note('10.0.0.1', MISSING);
  expect(refusals.list()).toEqual([
    {
      peer: '10.0.0.1',
      code: 'token-missing',
      reason: 'none',
      hint: 'make one',
      count: 2,
      lastAtMs: startMs + 1000,
    },
    {
      peer: '10.0.0.2',
      code: 'token-invalid',
      reason: 'other',
      hint: undefined,
      count: 1,
      lastAtMs: startMs,
    },
  ]);
  expect(Object.fromEntries(refusals.counts())).toEqual({ 'token-missing': 2, 'token-invalid': 1 });
});

it('the list is bounded and the counts go on', () => {
  const refusals = new Refusals(new ManualClock());
  for (let i = 0; i <= MAX_REFUSALS; i++) refusals.note(`10.0.0.${i}`, MISSING);
  expect(refusals.list()).toHaveLength(MAX_REFUSALS);
  expect(refusals.list().at(-1)?.peer).toBe('10.0.0.1');
  expect(refusals.counts().get('token-missing')).toBe(MAX_REFUSALS + 1);
});

it('a defect of ours is no refusal', () => {
  const refusals = new Refusals(new ManualClock());
  refusals.note('10.0.0.1', new TypeError('x is not a function'));
  expect(refusals.list()).toEqual([]);
});
