// What a sidecar has, by what it acknowledged and by what it reports of itself.
import { expect, it } from 'vitest';
import { Members } from '../../../src/server/fleet/index.js';
import type { StatisticsView } from '../../../src/server/telemetry/index.js';
import { createResourceSet, TYPE_URLS } from '../../../src/xds/index.js';
import { FakeLeaves } from '../../fakes/fake-leaves.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { SILENT } from '../../fakes/no-statistics.js';

function setUp() {
  let view: StatisticsView = SILENT;
  const leaves = new FakeLeaves();
  const statistics = { viewOf: () => view };
  const members = new Members({ clock: new ManualClock(), leaves, statistics });
  const peer = new FakeStream(fakeSidecar('web', '10.0.0.1'));
  const member = members.add(peer.stream);
  const resources = [{ name: 'mesh', version: 'v', value: Buffer.from('') }];
  const snapshot = new Map([[TYPE_URLS.listener, createResourceSet(resources)]]);
  peer.stream.setSnapshot(snapshot);
  member.set({
    certificate: { kind: 'asked', settings: {} as never },
    configuration: { kind: 'sent', snapshot, unplaced: undefined },
  });
  const stateWith = (verdict: StatisticsView['verdict']): string | undefined => {
    view = { ...SILENT, verdict };
    return members.view()[0]?.state;
  };
  return { peer, member, stateWith };
}

it('one that took all of it and says that it warms is waited for', () => {
  const { peer, member, stateWith } = setUp();
  expect([stateWith('in-force'), stateWith('unknown')]).toEqual(['pending', 'pending']);
  peer.take();
  member.noteAnswer();
  expect(stateWith('warming')).toBe('pending');
  expect(stateWith('in-force')).toBe('synced');
  // Nobody waits for statistics: what it acknowledged counts.
  expect(stateWith('unknown')).toBe('synced');
});

it('what it says of itself mends nothing that it rejected', () => {
  const { peer, member, stateWith } = setUp();
  peer.reject('no good');
  member.noteAnswer();
  expect([stateWith('warming'), stateWith('in-force')]).toEqual(['nacked', 'nacked']);
});
