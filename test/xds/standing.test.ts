// How a client stands with each type (standing.ts), as `status` shows it.
import { describe, expect, test } from 'vitest';
import {
  EMPTY_SET,
  type Interest,
  type Standing,
  step,
  toReports,
  type Variant,
} from '../../src/xds/index.js';
import { runSession } from './running-session.js';
import { SHORT, toSnapshot } from './script.js';

const CDS = SHORT['cds'] ?? '';
const EDS = SHORT['eds'] ?? '';
const LDS = SHORT['lds'] ?? '';
const SNAPSHOT = toSnapshot(['cds:a@1,b@1', 'eds:a@1', 'lds:l@1']);

const versionOf = (typeUrl: string): string => SNAPSHOT.get(typeUrl)?.version ?? '';

/** What a client asks for that comes back with `held` (name → version) at the set's version. */
function interest(
  variant: Variant,
  names: readonly string[],
  claims: { readonly version?: string; readonly held?: Readonly<Record<string, string>> } = {},
): Interest {
  if (variant === 'sotw') return { variant, names, versionInfo: claims.version ?? '' };
  const initialVersions = new Map(Object.entries(claims.held ?? {}));
  return { variant, subscribe: names, unsubscribe: [], initialVersions };
}

describe.each(['sotw', 'delta'] as const)('%s', (variant) => {
  function start() {
    const session = runSession(variant);
    session.feed({ kind: 'snapshot', snapshot: SNAPSHOT });
    const ask = (typeUrl: string, asked: Interest, nonce = '', message?: string) => {
      const error = message === undefined ? {} : { error: { code: 3, message } };
      const request = { typeUrl, nonce, interest: asked, ...error };
      return session.feed({ kind: 'request', request }).map(({ kind }) => kind);
    };
    const standing = (typeUrl: string): Standing =>
      toReports(session.now).find((report) => report.typeUrl === typeUrl)?.standing ?? {
        state: 'absent',
      };
    return { session, ask, standing };
  }

  test('status after a reconnect shows the versions in force, not a dash', () => {
    const { ask, standing } = start();
    const claims = { version: versionOf(CDS), held: { a: '1', b: '1' } };
    expect(ask(CDS, interest(variant, [], claims)).filter((kind) => kind === 'send')).toEqual([]);
    expect(standing(CDS)).toEqual({ state: 'synced', version: versionOf(CDS) });
    expect(standing(LDS)).toEqual({ state: 'absent' });
  });

  test('after a reconnect with something else, a type is pending until that is replaced', () => {
    const { ask, standing } = start();
    const claims = { version: 'of old', held: { a: '0', b: '1' } };
    expect(ask(CDS, interest(variant, [], claims))).toContain('send');
    expect(standing(CDS)).toEqual({ state: 'pending', version: undefined });
    expect(ask(CDS, interest(variant, []), '1')).toEqual(['acked']);
    expect(standing(CDS)).toEqual({ state: 'synced', version: versionOf(CDS) });
  });

  test('before there is a snapshot, what a client came with is pending', () => {
    const session = runSession(variant);
    const claims = { version: versionOf(CDS), held: { a: '1', b: '1' } };
    const request = { typeUrl: CDS, nonce: '', interest: interest(variant, [], claims) };
    session.feed({ kind: 'request', request });
    const standings = (): unknown => toReports(session.now).map(({ standing }) => standing);
    expect(standings()).toEqual([{ state: 'pending', version: undefined }]);
    session.feed({ kind: 'snapshot', snapshot: SNAPSHOT });
    expect(standings()).toEqual([{ state: 'synced', version: versionOf(CDS) }]);
  });

  test('a rejection leaves the last good version, and is retried when content changes', () => {
    const { session, ask, standing } = start();
    ask(CDS, interest(variant, []));
    ask(CDS, interest(variant, []), '1');
    session.feed({ kind: 'snapshot', snapshot: toSnapshot(['cds:a@2,b@1']) });
    expect(standing(CDS)).toEqual({ state: 'pending', version: versionOf(CDS) });
    ask(CDS, interest(variant, []), '2', 'no such thing');
    const rejection = { message: 'no such thing', resources: [{ name: 'a', version: '2' }] };
    const nacked = { state: 'nacked', version: versionOf(CDS), rejection };
    expect(standing(CDS)).toMatchObject({ ...nacked, retrying: false });
    session.feed({ kind: 'snapshot', snapshot: toSnapshot(['cds:a@3,b@1']) });
    expect(standing(CDS)).toMatchObject({ ...nacked, retrying: true });
    ask(CDS, interest(variant, []), '3');
    expect(standing(CDS).state).toBe('synced');
  });

  test('a type of which there is nothing is synced at the version of nothing', () => {
    const { session, ask, standing } = start();
    session.feed({ kind: 'snapshot', snapshot: new Map([[EDS, EMPTY_SET]]) });
    ask(EDS, interest(variant, ['a']));
    if (variant === 'delta') ask(EDS, interest(variant, []), '1');
    expect(standing(EDS)).toEqual({ state: 'synced', version: EMPTY_SET.version });
  });
});

test('a session is never changed: the same event leads from it to the same step', () => {
  const session = runSession('delta');
  session.feed({ kind: 'snapshot', snapshot: SNAPSHOT });
  const before = session.now;
  const event = {
    kind: 'request',
    request: { typeUrl: CDS, nonce: '', interest: interest('delta', []) },
  } as const;
  const first = step(before, event);
  expect([before.sent, before.types.length, first.session.sent]).toEqual([0, 0, 1]);
  expect(step(before, event)).toEqual(first);
});
