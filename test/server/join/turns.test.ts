// Thousands of joins at once, by one token: whose turn it is, and what comes in between.
import { expect, it } from 'vitest';
import { JOIN_RATE, JoinTurns, MAX_WAITING_JOINS } from '../../../src/server/join/turns.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { settle } from '../../fakes/settle.js';

function setUp() {
  const clock = new ManualClock();
  const done: string[] = [];
  /** How many joins each turn of the event loop had. */
  const turns: number[] = [];
  const after: ManualClock['after'] = (delayMs, callback) =>
    clock.after(delayMs, () => {
      const before = done.length;
      callback();
      if (done.length > before) turns.push(done.length - before);
    });
  const joins = new JoinTurns({ now: () => clock.now(), after });
  const join = (credential: string, tookMs = 0, isKnown = false): Promise<string> =>
    joins.run({ credential, isKnown }, async () => {
      done.push(credential);
      clock.jump(tookMs);
      return credential;
    });
  const count = (credential: string): number => done.filter((one) => one === credential).length;
  return { clock, done, turns, join, count };
}

const FLOOD = 900;

it('of 900 identities of one token some join at once, and the rest at its rate', () => {
  const { clock, join, count } = setUp();
  for (let i = 0; i < FLOOD; i++) void join('many');
  clock.advance(0);
  expect(count('many')).toBe(JOIN_RATE.burst);
  clock.advance(1000);
  expect(count('many')).toBe(JOIN_RATE.burst + JOIN_RATE.perSecond);
  clock.advance(20_000);
  expect([count('many'), clock.pending]).toEqual([FLOOD, 0]);
});

it('who joins by another token has its turn next, however many wait', async () => {
  const { clock, done, join } = setUp();
  for (let i = 0; i < FLOOD; i++) void join('many');
  const other = join('one');
  clock.advance(0);
  expect(done.indexOf('one')).toBe(1);
  expect(await other).toBe('one');
  // Also when their rate is used up.
  const late = join('late');
  clock.advance(10);
  expect(await late).toBe('late');
});

it('a turn ends by number or by time: a health check waits for no more than that', () => {
  const { clock, turns, join } = setUp();
  for (let i = 0; i < 120; i++) void join(`cheap ${i}`);
  clock.advance(0);
  expect(turns.splice(0)).toEqual([50, 50, 20]);
  for (let i = 0; i < 6; i++) void join(`dear ${i}`, 2);
  clock.advance(0);
  expect(turns).toEqual([3, 3]);
});

it('beyond what may wait of one credential, others of it are refused', async () => {
  const { clock, join, count } = setUp();
  const outcomes: string[] = [];
  for (let i = 0; i < MAX_WAITING_JOINS + 5; i++) {
    join('many').then(
      () => outcomes.push('joined'),
      ({ code }) => outcomes.push(code),
    );
  }
  await settle();
  expect(outcomes).toEqual(Array.from({ length: 5 }, () => 'resource-limit'));
  clock.advance(60_000);
  expect(count('many')).toBe(MAX_WAITING_JOINS);
});

it('work that fails is its own caller’s', async () => {
  const clock = new ManualClock();
  const failed = new JoinTurns(clock).run({ credential: 'a', isKnown: false }, () =>
    Promise.reject(new Error('no')),
  );
  clock.advance(0);
  await expect(failed).rejects.toThrow('no');
});

it('those that were there before come back at once, though others join by their token', () => {
  const { clock, join } = setUp();
  const back: Promise<string>[] = [];
  let joined = 0;
  for (let i = 0; i < FLOOD; i++) void join('many');
  for (let i = 0; i < 500; i++) back.push(join('many', 0, true));
  for (const one of back) void one.then(() => joined++);
  clock.advance(0);
  return settle().then(() => expect(joined).toBe(500));
});
