import { expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import { Refusals } from '../../../src/server/join/index.js';
import { FORGET_AFTER_MS, MAX_CLAIMS, MAX_REFUSALS } from '../../../src/server/join/refusals.js';
import { fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const MISSING = new MeshError('token-missing', 'none', { hint: 'make one' });
const INVALID = new MeshError('token-invalid', 'other');

it('equal refusals of one address are one entry, the newest first', () => {
  const clock = new ManualClock();
  const startMs = clock.now();
  const refusals = new Refusals(clock);
  refusals.note({ peer: '10.0.0.1' }, MISSING);
  refusals.note({ peer: '10.0.0.2' }, INVALID);
  clock.advance(1000);
  refusals.note({ peer: '10.0.0.1' }, MISSING);
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
  for (let i = 0; i <= MAX_REFUSALS; i++) refusals.note({ peer: `10.0.0.${i}` }, MISSING);
  expect(refusals.list()).toHaveLength(MAX_REFUSALS);
  expect(refusals.list().at(-1)?.peer).toBe('10.0.0.1');
  expect(refusals.counts().get('token-missing')).toBe(MAX_REFUSALS + 1);
});

it('a defect of ours is no refusal', () => {
  const refusals = new Refusals(new ManualClock());
  refusals.note({ peer: '10.0.0.1' }, new TypeError('x is not a function'));
  expect(refusals.list()).toEqual([]);
});

const EXPIRED = new MeshError('token-expired', 'it ended');
const web = (address: string) => {
  const { node, service } = fakeSidecar('web', address);
  return { node, service, address };
};
const names = (refusals: Refusals) =>
  refusals.list().map(({ peer, party, claim, count }) => [peer, party?.tokenId, claim, count]);

it('13 times token-expired at 127.0.0.1 says whose tokens: an entry for each proved', () => {
  const refusals = new Refusals(new ManualClock());
  const peer = '127.0.0.1';
  for (let i = 0; i < 13; i++) {
    const [tokenId, claim] = i % 2 === 0 ? ['a1', 'web~one'] : ['b2', 'web~two'];
    refusals.note({ peer, party: { service: 'web', tokenId }, claim }, EXPIRED);
  }
  expect(names(refusals)).toEqual([
    [peer, 'a1', 'web~one', 7],
    [peer, 'b2', 'web~two', 6],
  ]);
});

it('a refusal is over when that node has joined, or has been silent for an hour', () => {
  const clock = new ManualClock();
  const refusals = new Refusals(clock);
  const at = (peer: string, claim?: string) => ({ peer, claim });
  refusals.note(at('10.0.0.1', 'web~10.0.0.1'), MISSING);
  refusals.note(at('10.0.0.2', 'web'), MISSING);
  refusals.note(at('10.0.0.3'), MISSING);
  refusals.note(at('10.0.0.3', 'ledger'), MISSING);
  refusals.note({ ...at('10.0.0.9'), party: { service: 'web' } }, EXPIRED);
  refusals.joined('10.0.0.9', web('10.0.0.1'));
  expect(names(refusals).map(([peer]) => peer)).toEqual([...['10.0.0.3', '10.0.0.3', '10.0.0.2']]);
  refusals.joined('10.0.0.3', web('10.0.0.3'));
  expect(names(refusals).map(([, , claim]) => claim)).toEqual(['ledger', 'web']);
  clock.advance(FORGET_AFTER_MS);
  expect(refusals.list()).toEqual([]);
});

it('whoever makes up names hides no sidecar of ours', () => {
  const refusals = new Refusals(new ManualClock());
  refusals.note({ peer: '10.0.0.1', party: { service: 'web', tokenId: 'a1' } }, EXPIRED);
  for (let i = 0; i < 2 * MAX_REFUSALS; i++) {
    refusals.note({ peer: '10.0.0.66', claim: `web~${i}` }, MISSING);
  }
  const claims = refusals.list().filter(({ claim }) => claim !== undefined);
  expect(claims).toHaveLength(MAX_CLAIMS);
  for (let i = 0; i < 2 * MAX_REFUSALS; i++) refusals.note({ peer: `10.1.0.${i}` }, MISSING);
  expect(refusals.list()).toHaveLength(MAX_REFUSALS);
  expect(refusals.list().map(({ code }) => code)).toContain('token-expired');
});
