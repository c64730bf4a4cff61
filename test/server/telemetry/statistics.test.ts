// The newest statistics of each sidecar: what they mean beside what it acknowledges, how long is
// waited for them, and what is kept of whom.
import { expect, it } from 'vitest';
import type { StreamUpdate } from '../../../src/grpc/index.js';
import { type Sample, toVersionHash } from '../../../src/server/telemetry/sample.js';
import {
  RECENT_MS,
  SILENT_AFTER_MS,
  Statistics,
} from '../../../src/server/telemetry/statistics.js';
import { TYPE_URLS } from '../../../src/xds/index.js';
import { fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const SIDECAR = fakeSidecar('web', '10.0.0.1');

function setUp() {
  const clock = new ManualClock();
  let changes = 0;
  const statistics = new Statistics({ clock, onChange: () => changes++ });
  let version = 'v1';
  const report = () => ({
    typeUrl: TYPE_URLS.listener,
    standing: { state: 'synced', version },
  });
  const held = new Map([[TYPE_URLS.secret, new Map([['known', { version: 'v' }]])]]);
  const toReport = ([typeUrl, acked]: readonly [string, object]) => ({ typeUrl, acked });
  const stream = { auth: SIDECAR, state: () => [report(), ...[...held].map(toReport)] } as never;
  statistics.onConnect(stream);
  const take = (typeUrl: string, name = 'new'): void => {
    const taken = [name];
    statistics.onUpdate(stream, { kind: 'acked', typeUrl, version, taken } satisfies StreamUpdate);
  };
  const sample = (of: string, more: Partial<Sample> = {}): Sample => ({
    ...{ listeners: toVersionHash(of), warming: 0, isStarting: false },
    draining: { chains: 0, listeners: 0 },
    ...more,
  });
  return {
    ...{ clock, statistics, stream, sample },
    changes: () => changes,
    verdict: () => statistics.viewOf(stream).verdict,
    report: (of: string, more: Partial<Sample> = {}, madeAt = statistics.mark) =>
      statistics.take(SIDECAR, sample(of, more), madeAt),
    takeListeners(next: string) {
      version = next;
      statistics.onResponse(stream, { typeUrl: TYPE_URLS.listener });
      take(TYPE_URLS.listener);
    },
    take,
  };
}

it('new listeners of which nothing was asked anew are in force when they are taken', () => {
  const { verdict, report, takeListeners } = setUp();
  takeListeners('v1');
  report('v1');
  expect(verdict()).toBe('in-force');
  takeListeners('v2');
  // The sample is older: nobody waits for the next one.
  expect(verdict()).toBe('unknown');
  report('v2');
  expect(verdict()).toBe('in-force');
});

it('listeners that asked for something wait for a sample made after it was taken', () => {
  const { clock, statistics, verdict, report, takeListeners, take, changes } = setUp();
  report('v1');
  takeListeners('v2');
  take(TYPE_URLS.secret);
  expect(verdict()).toBe('warming');
  const madeAt = statistics.mark;
  report('v2', {}, madeAt - 1);
  expect(verdict()).toBe('warming');
  const before = changes();
  report('v2', { warming: 1 });
  expect([verdict(), changes()]).toEqual(['warming', before + 1]);
  report('v2');
  expect([verdict(), changes()]).toEqual(['in-force', before + 2]);
  // That it is still so is no news.
  report('v2');
  expect(changes()).toBe(before + 2);
  // Only that it falls silent is looked for, and that the moment is over.
  expect(clock.pending).toBe(2);
});

it('a sample that does not come is waited for no longer than it is said', () => {
  const { clock, verdict, report, takeListeners, take, changes } = setUp();
  report('v1');
  takeListeners('v2');
  take(TYPE_URLS.route);
  clock.advance(RECENT_MS - 1);
  // A second thing that was asked for begins no second wait.
  take(TYPE_URLS.extension);
  const before = changes();
  expect(verdict()).toBe('warming');
  clock.advance(1);
  expect([verdict(), changes()]).toEqual(['unknown', before + 1]);
  take(TYPE_URLS.secret);
  expect(verdict()).toBe('unknown');
});

it('listeners that it says it lacks are waited for no longer than that, what warms is', () => {
  const { clock, verdict, report, takeListeners } = setUp();
  report('v1');
  takeListeners('v2');
  report('v1');
  expect(verdict()).toBe('warming');
  clock.advance(RECENT_MS);
  expect(verdict()).toBe('unknown');
  report('v1', { warming: 1 });
  expect(verdict()).toBe('warming');
});

it('what listeners had before, in whatever form, holds none of them up', () => {
  const { verdict, report, takeListeners, take } = setUp();
  report('v1');
  takeListeners('v2');
  take(TYPE_URLS.secret, 'known');
  expect(verdict()).toBe('unknown');
  take(TYPE_URLS.secret, 'other');
  expect(verdict()).toBe('warming');
});

it('what is taken without new listeners, such as a renewed leaf, waits for nothing', () => {
  const { verdict, report, take } = setUp();
  report('v1');
  take(TYPE_URLS.secret);
  take(TYPE_URLS.cluster);
  expect(verdict()).toBe('in-force');
});

it('one that falls silent, or never reported, is judged by what it acknowledges', () => {
  const { clock, statistics, stream, verdict, report, takeListeners, take, changes } = setUp();
  takeListeners('v1');
  take(TYPE_URLS.secret);
  expect([verdict(), statistics.viewOf(stream).reports]).toEqual(['unknown', false]);
  report('v1', { warming: 1, draining: { chains: 1, listeners: 0 } });
  expect([verdict(), statistics.viewOf(stream).reports]).toEqual(['warming', true]);
  const before = changes();
  clock.advance(SILENT_AFTER_MS);
  expect(statistics.viewOf(stream)).toEqual({
    ...{ verdict: 'unknown', reports: false, draining: undefined },
  });
  expect(changes()).toBe(before + 1);
});

it('what drains, and since when: until it no longer does', () => {
  const { clock, statistics, stream, report, changes } = setUp();
  const draining = () => statistics.viewOf(stream).draining;
  report('v1');
  expect(draining()).toBeUndefined();
  clock.advance(500);
  const sinceMs = clock.now();
  report('v1', { draining: { chains: 2, listeners: 0 } });
  clock.advance(1_000);
  const before = changes();
  report('v1', { draining: { chains: 1, listeners: 1 } });
  expect([draining(), changes()]).toEqual([{ chains: 1, listeners: 1, sinceMs }, before]);
  report('v1');
  expect([draining(), changes()]).toEqual([undefined, before + 1]);
});

it('of who is not connected nothing is kept, and of another address neither', () => {
  const { clock, statistics, stream, sample, report } = setUp();
  statistics.take(fakeSidecar('web', '10.0.0.2'), sample('v1'), 0);
  statistics.take({ ...SIDECAR, address: '10.0.0.9' }, sample('v1'), 0);
  expect([statistics.viewOf(stream).reports, clock.pending]).toEqual([false, 0]);
  report('v1');
  expect(statistics.viewOf(stream).reports).toBe(true);
  // Its next stream comes before the old one is seen to end.
  statistics.onConnect(stream);
  statistics.onDisconnect(stream);
  expect(statistics.viewOf(stream).reports).toBe(true);
  statistics.onDisconnect(stream);
  expect([statistics.viewOf(stream).reports, clock.pending]).toEqual([false, 0]);
});

it('a clock that is set makes nothing old or new', () => {
  const { clock, verdict, report, takeListeners } = setUp();
  report('v1');
  clock.jump(86_400_000);
  expect(verdict()).toBe('in-force');
  takeListeners('v2');
  clock.jump(-2 * 86_400_000);
  report('v2');
  expect(verdict()).toBe('in-force');
});
