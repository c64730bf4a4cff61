// Orders and receipts on a data folder in memory, by a clock that the test moves.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MeshError } from '../../../src/base/index.js';
import {
  type Answer,
  awaitAnswer,
  createOrderStore,
  giveOrder,
  OrderDesk,
  type OrderKind,
  type OrderStore,
  unanswered,
} from '../../../src/data/orders/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { diskFull, MemoryDataDir } from '../../x509/tools.js';

const HOUR_MS = 3_600_000;
const COUNT: OrderKind<{ n: number }, { total: number }> = {
  name: 'count',
  payload: z.strictObject({ n: z.number() }),
  report: z.strictObject({ total: z.number() }),
};

function setup() {
  const dataDir = new MemoryDataDir();
  const clock = new ManualClock();
  const logger = recordingLogger();
  const random = seededRandom('orders');
  const store = createOrderStore(dataDir);
  const world = { answer: (n: number): Answer => ({ state: 'done', report: { total: n } }) };
  const carriedOut: number[] = [];
  const open = () => {
    const desk = new OrderDesk({ store, clock, logger });
    desk.register(COUNT, async ({ payload: { n } }) => {
      carriedOut.push(n);
      return world.answer(n) as never;
    });
    return desk;
  };
  const give = (n: number, deadlineMs?: number) =>
    giveOrder(
      COUNT,
      { payload: { n }, ...(deadlineMs === undefined ? {} : { deadlineMs }) },
      { store, clock, random },
    );
  const names = () => [...dataDir.files.keys()].sort();
  const answerOf = async (id: string) => (await store.receipt(id))?.answer;
  return { dataDir, clock, logger, store, world, carriedOut, open, give, names, answerOf };
}

describe('the server', () => {
  it('carries out what is there, oldest first, once, and says so', async () => {
    const { clock, give, open, carriedOut, answerOf, names } = setup();
    const first = await give(1);
    clock.advance(1);
    const second = await give(2);
    const desk = open();
    await Promise.all([desk.look(), desk.look(), desk.look()]);
    expect(carriedOut).toEqual([1, 2]);
    expect(await answerOf(first.id)).toEqual({ state: 'done', report: { total: 1 } });
    expect(await answerOf(second.id)).toEqual({ state: 'done', report: { total: 2 } });
    expect(names()).toEqual([first, second].map(({ id }) => `orders/${id}.receipt.json`).sort());
  });

  it('keeps what must wait, says what for, and writes that once', async () => {
    const { dataDir, world, give, open, answerOf } = setup();
    world.answer = () => ({ state: 'waiting', report: { total: 0 } });
    const { id } = await give(1);
    const desk = open();
    let writes = 0;
    dataDir.afterWrite = () => void writes++;
    await desk.look();
    await desk.look();
    expect([writes, await answerOf(id)]).toEqual([1, { state: 'waiting', report: { total: 0 } }]);
    world.answer = () => ({ state: 'done', report: { total: 1 } });
    desk.nudge();
    await desk.look();
    expect(await answerOf(id)).toMatchObject({ state: 'done' });
  });

  it('does nothing after the deadline but say so', async () => {
    const { clock, give, open, carriedOut, answerOf } = setup();
    const { id } = await give(1, clock.now() + HOUR_MS);
    clock.advance(HOUR_MS);
    await open().look();
    expect([carriedOut, await answerOf(id)]).toEqual([[], { state: 'expired' }]);
  });

  it('answers what it refuses with its own words', async () => {
    const { world, give, open, answerOf, logger } = setup();
    world.answer = () => {
      throw new MeshError('passphrase-wrong', 'expected another one', { hint: 'look' });
    };
    const { id } = await give(1);
    await open().look();
    const error = { code: 'passphrase-wrong', message: 'expected another one', hint: 'look' };
    expect(await answerOf(id)).toEqual({ state: 'refused', error });
    expect(logger.lines.map(({ message }) => message)).toEqual(['an order was refused']);
  });

  it('survives a handler with a defect, and tells the command no more than that', async () => {
    const { world, give, open, answerOf } = setup();
    world.answer = () => {
      throw new TypeError('secret inside');
    };
    const { id } = await give(1);
    await open().look();
    const answer = await answerOf(id);
    expect(answer).toMatchObject({ state: 'refused', error: { code: 'server-error' } });
    expect(JSON.stringify(answer)).not.toContain('secret inside');
  });

  it('tries again what the disk refused', async () => {
    const { dataDir, give, open, carriedOut, answerOf } = setup();
    const { id } = await give(1);
    const desk = open();
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    await expect(desk.look()).rejects.toMatchObject({ code: 'data-unwritable' });
    dataDir.beforeWrite = () => undefined;
    await desk.look();
    expect([carriedOut, await answerOf(id)]).toEqual([[1, 1], expect.anything()]);
  });

  it('killed before the receipt carries out again; killed after it, only tidies up', async () => {
    const { dataDir, give, open, carriedOut, names } = setup();
    const { id } = await give(1);
    const order = dataDir.files.get(`orders/${id}.json`) ?? '';
    await open().look();
    dataDir.files.set(`orders/${id}.json`, order);
    await open().look();
    expect([carriedOut, names()]).toEqual([[1], [`orders/${id}.receipt.json`]]);
    dataDir.files.set(`orders/${id}.json`, order);
    dataDir.files.delete(`orders/${id}.receipt.json`);
    await open().look();
    expect([carriedOut, names()]).toEqual([[1, 1], [`orders/${id}.receipt.json`]]);
  });

  it('names files among the orders that are none, each once and in one line', async () => {
    const { dataDir, give, open, logger } = setup();
    await give(1);
    const { id: damaged } = await give(2);
    dataDir.files.set(`orders/${damaged}.json`, '{');
    const desk = open();
    await desk.look();
    const strayLines = () => logger.lines.filter(({ message }) => message.includes('not orders'));
    expect([desk.strays, strayLines()]).toEqual([[], []]);
    dataDir.files.set('orders/half.json.part', '{');
    await desk.look();
    await desk.look();
    expect(desk.strays).toEqual(['half.json.part']);
    for (let n = 0; n < 30; n++) dataDir.files.set(`orders/x${n}`, '');
    await desk.look();
    expect(strayLines().map(({ fields }) => fields)).toEqual([
      { files: ['half.json.part'] },
      { files: expect.objectContaining({ length: 20 }), more: 10 },
    ]);
    dataDir.files.clear();
    await desk.look();
    expect(desk.strays).toEqual([]);
  });

  it.each(['{', '{"version":1}', '[]', ''])('sets a damaged order aside: %j', async (text) => {
    const { dataDir, give, open, carriedOut, answerOf, names } = setup();
    const { id } = await give(1);
    dataDir.files.set(`orders/${id}.json`, text);
    const good = await give(2);
    await open().look();
    expect(carriedOut).toEqual([2]);
    expect(await answerOf(id)).toMatchObject({ state: 'refused', error: { code: 'data-damaged' } });
    expect(names()).toContain(`orders/${id}.json.damaged-0`);
    expect(await answerOf(good.id)).toMatchObject({ state: 'done' });
  });

  it.each([
    ['another kind', { ...COUNT, name: 'dance' }, 'got "dance"'],
    ['a payload of another form', COUNT, 'expected payload.n of an order'],
  ])('refuses %s', async (_name, kind, message) => {
    const { store, clock, open, answerOf } = setup();
    const tools = { store, clock, random: seededRandom('other') };
    const payload = { n: kind.name === 'count' ? 'one' : 1 } as never;
    const { id } = await giveOrder(kind, { payload }, tools);
    await open().look();
    const answer = await answerOf(id);
    expect(answer).toMatchObject({ state: 'refused', error: { code: 'request-invalid' } });
    expect(JSON.stringify(answer)).toContain(JSON.stringify(message).slice(1, -1));
  });

  it('forgets receipts after a day, damaged ones too', async () => {
    const { dataDir, clock, give, open, names } = setup();
    await give(1);
    const desk = open();
    await desk.look();
    const odd = `orders/${'0'.repeat(32)}.receipt.json`;
    dataDir.files.set(odd, 'x');
    clock.advance(23 * HOUR_MS);
    await desk.look();
    expect(names()).toHaveLength(1);
    clock.advance(2 * HOUR_MS);
    await desk.look();
    expect(names()).toEqual([]);
  });
});

describe('the command', () => {
  /** A store of which the test says whether it is served, and when it gives notice. */
  function waiting() {
    const made = setup();
    const listeners = new Set<() => void>();
    const served = { now: true };
    const abort = new AbortController();
    const store: OrderStore = Object.assign(Object.create(made.store) as OrderStore, {
      pending: () => made.store.pending(),
      receipt: (id: string) => made.store.receipt(id),
      isServed: async () => served.now,
      onNotice: (listener: () => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    });
    const ask = (id: string, more: { until?: (answer: Answer<unknown>) => boolean } = {}) =>
      awaitAnswer(COUNT, id, {
        ...{ store, clock: made.clock, signal: abort.signal, limitMs: 10_000, ...more },
      });
    const notice = (): void => {
      for (const listener of listeners) listener();
    };
    /** Until the command pauses. */
    const paused = async (): Promise<void> => {
      for (let turn = 0; turn < 50 && made.clock.pending === 0; turn++) await Promise.resolve();
      expect(made.clock.pending).toBe(1);
    };
    return { ...made, served, abort, ask, notice, paused, listeners };
  }

  it('has its own answer at a notice', async () => {
    const { give, open, ask, notice, paused, clock, listeners } = waiting();
    const { id } = await give(3);
    const answer = ask(id);
    await paused();
    await open().look();
    notice();
    expect(await answer).toEqual({ state: 'done', report: { total: 3 } });
    expect([clock.pending, listeners.size]).toEqual([0, 0]);
  });

  it('has it without a notice too, by the clock', async () => {
    const { give, open, ask, paused, clock } = waiting();
    const { id } = await give(3);
    const answer = ask(id);
    await paused();
    await open().look();
    clock.advance(500);
    expect(await answer).toMatchObject({ state: 'done' });
  });

  it('waits no time where no server holds the store', async () => {
    const { give, ask, served, clock, store } = waiting();
    served.now = false;
    const { id } = await give(3);
    expect(await ask(id)).toBeUndefined();
    expect(clock.pending).toBe(0);
    const { code, message } = await unanswered(store, 'start one');
    expect([code, message]).toEqual([
      'order-unanswered',
      'no server has seen this order: no server runs on /memory',
    ]);
  });

  it('assumes nothing of a server that stays silent', async () => {
    const { give, ask, paused, clock } = waiting();
    const { id } = await give(3);
    const answer = ask(id);
    for (let ms = 0; ms < 10_000; ms += 500) {
      await paused();
      clock.advance(500);
    }
    expect(await answer).toBeUndefined();
  });

  it('sees a server go', async () => {
    const { give, ask, paused, clock, served } = waiting();
    const { id } = await give(3);
    const answer = ask(id);
    served.now = false;
    for (let ms = 0; ms < 2_000; ms += 500) {
      await paused();
      clock.advance(500);
    }
    expect(await answer).toBeUndefined();
  });

  it('follows until what it waits for, and ends by its signal', async () => {
    const { give, open, world, ask, paused, notice, abort } = waiting();
    world.answer = () => ({ state: 'waiting', report: { total: 0 } });
    const { id } = await give(3);
    await open().look();
    const seen: string[] = [];
    const answer = ask(id, { until: ({ state }) => seen.push(state) < 0 });
    await paused();
    notice();
    await paused();
    abort.abort();
    expect(await answer).toEqual({ state: 'waiting', report: { total: 0 } });
    expect(seen.length).toBeGreaterThan(1);
  });
});
