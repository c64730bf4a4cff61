import { expect, it } from 'vitest';
import { Rerun } from '../../src/base/index.js';

function start() {
  const ends: (() => void)[] = [];
  const rerun = new Rerun(() => new Promise((resolve) => ends.push(resolve)));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const end = async () => {
    ends.at(-1)?.();
    await turn();
  };
  return { ends, rerun, end };
}

it('what happens during a run is one more run, however often it was asked for', async () => {
  const { ends, rerun, end } = start();
  const first = rerun.run();
  const second = rerun.run();
  void rerun.run();
  expect(ends.length).toBe(1);
  await end();
  expect(ends.length).toBe(2);
  await end();
  await Promise.all([first, second]);
  expect(ends.length).toBe(2);
});

it('a run that is asked for later is a run of its own', async () => {
  const { ends, rerun, end } = start();
  const first = rerun.run();
  await end();
  await first;
  const second = rerun.run();
  expect(ends.length).toBe(2);
  await end();
  await second;
  await rerun.settled();
});
