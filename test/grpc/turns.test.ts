import { expect, test } from 'vitest';
import { Turns } from '../../src/grpc/guard/index.js';
import { settle } from '../fakes/settle.js';

function setUp() {
  let next: (() => void) | undefined;
  const turns = new Turns((callback) => {
    next = callback;
  });
  const done: string[] = [];
  const take = (
    connection: string,
    name: string,
    { isFirst = false, weight = 1, isGone = (): boolean => false } = {},
  ): void => {
    const turn = turns.take(connection, { isFirst, weight, isGone });
    if (turn === undefined) done.push(name);
    else void turn.then(() => done.push(name));
  };
  /** Everything else has a turn; whether there is more to do then. */
  const otherTurn = async (): Promise<boolean> => {
    const callback = next;
    next = undefined;
    callback?.();
    await settle();
    return next !== undefined;
  };
  return { done, take, otherTurn };
}

test('a little is done, then everything else has its turn', async () => {
  const { done, take, otherTurn } = setUp();
  for (let i = 0; i < 40; i++) take('a', `a${i}`);
  expect(done).toHaveLength(16);
  expect(await otherTurn()).toBe(true);
  expect(done).toHaveLength(32);
  expect(await otherTurn()).toBe(false);
  expect(done).toEqual(Array.from({ length: 40 }, (_, i) => `a${i}`));
});

test('what costs more than a turn has one of its own', async () => {
  const { done, take, otherTurn } = setUp();
  take('a', 'large', { weight: 256 });
  take('b', 'larger', { weight: 500 });
  take('c', 'small');
  expect(done).toEqual(['large']);
  await otherTurn();
  expect(done).toEqual(['large', 'larger']);
  await otherTurn();
  expect(done).toEqual(['large', 'larger', 'small']);
});

test('who has gone takes no turn', async () => {
  const { done, take, otherTurn } = setUp();
  take('a', 'large', { weight: 256 });
  for (let i = 0; i < 100; i++) take('gone', 'gone', { weight: 100, isGone: () => true });
  take('b', 'small');
  await otherTurn();
  expect(done.filter((name) => name !== 'gone')).toEqual(['large', 'small']);
});

test('who comes with one stream does not wait for a connection with thousands', async () => {
  const { done, take, otherTurn } = setUp();
  for (let i = 0; i < 3_000; i++) take('crowd', 'crowd');
  take('single', 'single');
  await otherTurn();
  expect(done.indexOf('single')).toBeGreaterThan(0);
  expect(done.length).toBeLessThan(50);
});

test('who is to come first does, and the others in between', async () => {
  const { done, take, otherTurn } = setUp();
  for (let i = 0; i < 16; i++) take('before', 'before');
  for (let i = 0; i < 100; i++) take(`last ${i}`, 'last');
  for (let i = 0; i < 12; i++) take(`first ${i}`, 'first', { isFirst: true });
  done.length = 0;
  await otherTurn();
  expect(done.filter((name) => name === 'first')).toHaveLength(12);
  expect(done.filter((name) => name === 'last')).toHaveLength(4);
});
