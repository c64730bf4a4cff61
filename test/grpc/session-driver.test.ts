// A session driven without gRPC: when things are written and reported, and what a failure does.
// What is sent at all is shown by the scripts (test/xds), on the reducer and over real gRPC.
import { describe, expect, test } from 'vitest';
import { DEFAULT_DISCOVERY_LIMITS } from '../../src/grpc/limits.js';
import { SessionDriver } from '../../src/grpc/session-driver.js';
import type { ResourceSet, Response, Snapshot } from '../../src/xds/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { SHORT, toSnapshot } from '../xds/script.js';
import { FakeTransport } from './fake-transport.js';

const CDS = SHORT['cds'] ?? '';

function setUp({ maxUnreadBytes = 1_000 } = {}) {
  const clock = new ManualClock();
  const transport = new FakeTransport();
  const sent: Response[] = [];
  const failed: unknown[] = [];
  const world = { isOpen: true, onSent: (_response: Response): void => {} };
  const driver = new SessionDriver({
    kind: { variant: 'sotw', typeUrl: undefined },
    limits: { ...DEFAULT_DISCOVERY_LIMITS, maxUnreadBytes },
    clock,
    transport,
    isOpen: () => world.isOpen,
    onSent(response) {
      sent.push(response);
      world.onSent(response);
    },
    onFail(error) {
      failed.push(error);
      world.isOpen = false;
    },
  });
  const set = (...words: string[]) =>
    driver.step({ kind: 'snapshot', snapshot: toSnapshot(words) });
  /** Asks for all clusters, or takes the answer of that nonce. */
  const ask = (nonce = '') =>
    driver.step({
      kind: 'request',
      request: { typeUrl: CDS, nonce, interest: { variant: 'sotw', names: [], versionInfo: '' } },
    });
  return { clock, transport, sent, failed, world, driver, set, ask };
}

const versionsOf = (responses: readonly Response[]): string[] =>
  responses.flatMap(({ resources }) => resources.map(({ version }) => version));

test('a response is reported once it was handed to the transport', () => {
  const { transport, sent, world, set, ask } = setUp();
  const written: number[] = [];
  world.onSent = () => void written.push(transport.written.length);
  ask();
  expect([sent, written]).toEqual([[], []]);
  set('cds:a@1');
  expect(versionsOf(sent)).toEqual(['1']);
  expect(written).toEqual([1]);
});

test('a response that a report of another leads to is reported after it, and once', () => {
  const { transport, sent, world, driver, set, ask } = setUp();
  ask();
  world.onSent = ({ nonce }) => {
    if (versionsOf(sent).length > 1) return;
    set('cds:a@2');
    ask(nonce);
  };
  set('cds:a@1');
  expect(versionsOf(sent)).toEqual(['1', '2']);
  expect(transport.written).toHaveLength(2);
  expect(driver.reports()).toHaveLength(1);
});

test('nothing is stepped while the stream is not open', () => {
  const { transport, world, driver, set, ask } = setUp();
  world.isOpen = false;
  expect([ask(), set('cds:a@1')]).toEqual([[], []]);
  expect([driver.snapshot, driver.reports(), transport.written]).toEqual([undefined, [], []]);
});

test('a reader that is stuck costs one response too many, and gets the newest one', () => {
  const { transport, sent, set, ask } = setUp({ maxUnreadBytes: 1 });
  set('cds:a@1');
  ask();
  ask(sent[0]?.nonce);
  set('cds:a@2');
  set('cds:a@3');
  expect(versionsOf(sent)).toEqual(['1']);
  transport.take();
  expect(versionsOf(sent)).toEqual(['1', '3']);
});

describe('heartbeats', () => {
  test('are sent when their time has come', () => {
    const { clock, sent, set, ask } = setUp();
    set('cds:a@1~15');
    ask();
    ask(sent[0]?.nonce);
    expect(clock.pending).toBe(1);
    clock.advance(5_000);
    expect(versionsOf(sent)).toEqual(['1~15', '1~15']);
  });

  test('no timer is left when it was stopped', () => {
    const { clock, sent, driver, set, ask } = setUp();
    set('cds:a@1~15');
    ask();
    ask(sent[0]?.nonce);
    driver.stop();
    expect(clock.pending).toBe(0);
  });
});

test('a step that throws is reported, has no effects, and is the last', () => {
  const error = new Error('a defect');
  class Broken extends Map<string, ResourceSet> {
    override get(): never {
      throw error;
    }
  }
  const { failed, sent, driver, set, ask } = setUp();
  ask();
  const snapshot: Snapshot = new Broken();
  expect(driver.step({ kind: 'snapshot', snapshot })).toEqual([]);
  expect(failed).toEqual([error]);
  set('cds:a@1');
  expect(sent).toEqual([]);
});

test('when resources were taken is known, resource by resource', () => {
  const { clock, sent, driver, set, ask } = setUp();
  set('cds:a@1');
  ask();
  clock.advance(1_000);
  ask(sent[0]?.nonce);
  expect(driver.resources()).toMatchObject([
    { name: 'a', state: 'acked', delivery: 'synced', version: '1', ackedAtMs: clock.now() },
  ]);
  expect(driver.isSynced()).toBe(true);
  expect(driver.isInForce({ typeUrl: CDS, name: 'a', version: '1' })).toBe(true);
});
