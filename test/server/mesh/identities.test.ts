import { describe, expect, it } from 'vitest';
import type { Mesh, ServiceName } from '../../../src/policy/index.js';
import { identityProblems } from '../../../src/server/mesh/fixed-identities.js';
import { look, passed } from '../../../src/server/mesh/look-tracks.js';
import { toRolloutRecord, toStoredRollout } from '../../../src/server/mesh/rollout-record.js';
import { toPhase, toRemovals } from '../../../src/server/mesh/rollout-view.js';
import type { Sidecar } from '../../../src/server/mesh/track.js';
import { edit, openTracks, type Tracks, toRecord } from '../../../src/server/mesh/tracks.js';
import { meshOf, serviceOf } from '../../policy/helpers.js';
import { afterEdits } from './steps.js';

// What an edit means for names and identities, and for services that are gone.

const meshWith = (ledger: string, more = ''): Mesh =>
  meshOf(`trustDomain: shop.example
services:
  web: {}
  ${ledger}
${more}`);

const PORTS = 'ports: { 8080: http }';
const PLAIN = meshWith(`ledger: { ${PORTS} }`);
const MONEY = meshWith(`ledger: { serviceAccount: money, ${PORTS} }`);
const CASH = meshWith(`ledger: { serviceAccount: cash, ${PORTS} }`);
const BOOKS = meshWith(`payments/books: { formerly: [ledger], ${PORTS} }`);
const GONE = meshWith('other: {}');
const idOf = (account: string): string => `spiffe://shop.example/ns/default/sa/${account}`;

const namesOf = (state: Tracks, id: string): readonly string[] =>
  state.tracks.get(id)?.steps.map(({ name }) => name) ?? [];

/** All sidecars have what is published. */
function allTake(state: Tracks, services = ['web', 'ledger'], nowMs = 100): Tracks {
  const proxies = services.map(
    (service): Sidecar => ({
      ...{ node: `${service}~1`, service: service as ServiceName, state: 'synced' },
    }),
  );
  const looked = look(state, proxies, nowMs);
  return [...looked.tracks].reduce((now, [of, { linger, sinceMs, steps }]) => {
    const [step] = steps;
    if (linger !== 'running' || step === undefined || step.name === 'drain') return now;
    const due = { kind: 'lingered', of, sinceMs, step: step.name } as const;
    return look(passed(now, due), proxies, nowMs);
  }, looked);
}

describe('another service account', () => {
  it('is taken by everybody before a certificate says it, and the old one until none does', () => {
    let state = afterEdits(PLAIN, MONEY);
    const seen: unknown[] = [];
    for (let turn = 0; turn < 10 && state.tracks.size > 0; turn++) {
      const { alsoKnownAs, moving } = serviceOf(state.published, 'ledger');
      seen.push([alsoKnownAs ?? [], moving?.certifiedAs, moving?.connects]);
      state = allTake(state);
    }
    expect(seen).toEqual([
      [[idOf('ledger')], idOf('ledger'), undefined],
      [[idOf('ledger')], undefined, undefined],
      [[idOf('ledger')], undefined, idOf('money')],
      [[], undefined, undefined],
    ]);
    expect(state.published).toBe(MONEY);
  });

  it('ends what is open by the old one, where that was taken', () => {
    let state = afterEdits(PLAIN, MONEY);
    while (namesOf(state, 'ledger')[0] !== 'drop') {
      expect(state.marks.identities).toEqual({});
      state = allTake(state);
    }
    expect(Object.keys(state.marks.identities)).toEqual(['ledger:8080']);
  });
});

describe('another service account, and another edit', () => {
  it('goes on under one that leaves it alone', () => {
    const busy = allTake(afterEdits(PLAIN, MONEY));
    expect(namesOf(busy, 'ledger')).toEqual(['issue', 'connect', 'drop']);
    const more = meshWith(`ledger: { serviceAccount: money, ${PORTS} }`, '  batch: {}');
    expect(namesOf(edit(busy, more, 7), 'ledger')).toEqual(['issue', 'connect', 'drop']);
  });

  it('overtaken by a third: all three are taken, and the newest is issued', () => {
    const busy = allTake(afterEdits(PLAIN, MONEY));
    const state = edit(busy, CASH, 7);
    expect(namesOf(state, 'ledger')).toEqual(['accept', 'issue', 'connect', 'drop']);
    const { spiffeId, alsoKnownAs, moving } = serviceOf(state.published, 'ledger');
    expect([spiffeId, alsoKnownAs, moving?.certifiedAs]).toEqual([
      idOf('cash'),
      [idOf('money'), idOf('ledger')],
      idOf('money'),
    ]);
  });

  it('taken back, it goes the same way', () => {
    const busy = allTake(afterEdits(PLAIN, MONEY));
    expect(namesOf(edit(busy, PLAIN, 7), 'ledger')).toEqual(['accept', 'issue', 'connect', 'drop']);
  });

  it('is resumed where a killed server stood', () => {
    const busy = allTake(afterEdits(PLAIN, MONEY));
    const stored = JSON.parse(JSON.stringify(toStoredRollout(toRecord(busy))));
    const again = openTracks(toRolloutRecord(stored));
    expect(namesOf(edit(again, MONEY, 9), 'ledger')).toEqual(['issue', 'connect', 'drop']);
    expect(serviceOf(again.published, 'ledger')).toEqual(serviceOf(busy.published, 'ledger'));
  });

  it('says what runs', () => {
    const state = afterEdits(PLAIN, MONEY);
    expect(toPhase(state, [])?.name).toBe('both old and new identity of ledger are taken');
  });
});

describe('another name', () => {
  it('is called by the old one until its own sidecars serve both', () => {
    const state = afterEdits(PLAIN, BOOKS);
    expect(namesOf(state, 'payments/books')).toEqual(['accept', 'drop']);
    expect(serviceOf(state.published, 'payments/books').moving).toEqual({
      calledAs: 'ledger',
      certifiedAs: idOf('ledger'),
    });
    expect([...state.tracks.keys()]).toEqual(['payments/books']);
  });

  it('of a port that is being changed: that goes on under the new name', () => {
    const strict = meshWith('ledger: { mtls: strict, ports: { 8080: http } }');
    const disable = meshWith('ledger: { mtls: disable, ports: { 8080: http } }');
    const renamed = meshWith(
      'payments/books: { formerly: [ledger], mtls: disable, ports: { 8080: http } }',
    );
    const state = afterEdits(strict, disable, renamed);
    expect(namesOf(state, 'payments/books:8080')).toEqual(['widen', 'move', 'narrow']);
    const awaits = state.tracks.get('payments/books:8080')?.steps.map((step) => step.awaits);
    expect(awaits?.flat()).not.toContain('ledger');
  });

  it('of two services is none', () => {
    const two = meshWith(`ledger: { ${PORTS} }`, '  books: {}');
    const one = meshWith(`books: { formerly: [ledger], ${PORTS} }`);
    expect(identityProblems(two, one, 'mesh.yaml')).toMatchObject([
      { path: 'services.books.formerly', message: expect.stringContaining('two services') },
    ]);
    expect(identityProblems(PLAIN, BOOKS, 'mesh.yaml')).toEqual([]);
    expect(identityProblems(PLAIN, MONEY, 'mesh.yaml')).toEqual([]);
  });
});

describe('a service that is gone', () => {
  const ID = 'ledger (removed)';

  it('is left by its callers first, then has no listeners, then nothing', () => {
    const state = afterEdits(PLAIN, GONE);
    expect(namesOf(state, ID)).toEqual(['leave', 'drain', 'forget']);
    expect(serviceOf(state.published, 'ledger').leaving).toBe('called');
    const drained = allTake(state);
    expect(serviceOf(drained.published, 'ledger').leaving).toBe('draining');
    const [track] = [...drained.tracks.values()];
    const due = { kind: 'lingered', of: ID, sinceMs: track?.sinceMs ?? 0, step: 'drain' } as const;
    const over = allTake(passed(allTake(drained), due));
    expect(over.published).toBe(GONE);
  });

  it('without a sidecar of it nothing is waited for', () => {
    const over = allTake(allTake(afterEdits(PLAIN, GONE), ['web']), ['web']);
    expect(over.published).toBe(GONE);
  });

  it('is shown with its sidecars, and with the end of its drain', () => {
    const drained = allTake(afterEdits(PLAIN, GONE));
    const sidecar = {
      node: 'ledger~1',
      service: 'ledger' as ServiceName,
      state: 'synced',
    } as const;
    expect(toRemovals(drained, [sidecar])).toEqual([
      { service: 'ledger', stage: 'draining', endsAtMs: 600_100, nodes: ['ledger~1'] },
    ]);
    expect(toPhase({ ...drained, arrival: undefined }, [sidecar])).toBeUndefined();
  });

  it('comes back when it is declared again', () => {
    const drained = allTake(afterEdits(PLAIN, GONE));
    const back = edit(drained, PLAIN, 9);
    expect(serviceOf(back.published, 'ledger').leaving).toBeUndefined();
    expect(back.tracks.has(ID)).toBe(false);
  });

  it('of an earlier name, once that goes: its sidecars are served by all its names', () => {
    const now = meshWith(`payments/books: { ${PORTS} }`);
    const state = afterEdits(BOOKS, now);
    expect([...state.tracks.keys()]).toEqual(['payments/books', ID]);
    expect(serviceOf(state.published, 'ledger')).toMatchObject({
      leaving: 'called',
      moving: { alsoCalled: ['payments/books'] },
    });
  });
});
