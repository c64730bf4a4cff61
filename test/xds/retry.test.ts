// What a client rejected for a reason outside the configuration (a port that another program held)
// is sent once more when the server says so, as it is, and nothing else with it.
import { describe, expect, test } from 'vitest';
import {
  type Effect,
  type Interest,
  type Standing,
  toReports,
  type Variant,
} from '../../src/xds/index.js';
import { runSession } from './running-session.js';
import { SHORT, toSnapshot } from './script.js';

const LDS = SHORT['lds'] ?? '';
const HEADING = 'Error adding/updating listener(s)';

const toSent = (effect: Effect): string[] =>
  effect.kind === 'send' ? [effect.response.resources.map(({ name }) => name).join(' ')] : [];

function start(variant: Variant) {
  const interest: Interest =
    variant === 'sotw'
      ? { variant, names: [], versionInfo: '' }
      : { variant, subscribe: [], unsubscribe: [], initialVersions: new Map() };
  const session = runSession(variant);
  session.feed({ kind: 'snapshot', snapshot: toSnapshot(['lds:a@1,b@1,c@1']) });
  const answer = (nonce: string, message?: string): readonly string[] => {
    const error = message === undefined ? {} : { error: { code: 3, message } };
    const request = { typeUrl: LDS, nonce, interest, ...error };
    return session.feed({ kind: 'request', request }).flatMap(toSent);
  };
  const retry = (...names: string[]): readonly string[] =>
    session.feed({ kind: 'retry', typeUrl: LDS, names }).flatMap(toSent);
  const standing = (): Standing | undefined =>
    toReports(session.now).find(({ typeUrl }) => typeUrl === LDS)?.standing;
  return { session, answer, retry, standing };
}

describe.each(['sotw', 'delta'] as const)('%s', (variant) => {
  const alone = variant === 'sotw' ? 'a b c' : 'a';

  test('a listener whose port came free is sent again without a change of its content', () => {
    const { answer, retry, standing } = start(variant);
    answer('');
    expect(answer('1', `${HEADING} a: cannot bind 'x': in use`)).toEqual(['b c']);
    expect(answer('2')).toEqual([]);
    expect(retry('a')).toEqual([alone]);
    expect(answer('3', `${HEADING} a: cannot bind 'x': in use`)).toEqual([]);
    expect(retry('a')).toEqual([alone]);
    expect(answer('4')).toEqual([]);
    expect(standing()?.state).toBe('synced');
  });

  test('while it is tried once more nothing newer is on its way; with new content there is', () => {
    const { session, answer, retry, standing } = start(variant);
    answer('');
    answer('1', `${HEADING} a: cannot bind 'x': in use`);
    answer('2');
    retry('a');
    expect(standing()).toMatchObject({ state: 'nacked', retrying: false });
    session.feed({ kind: 'snapshot', snapshot: toSnapshot(['lds:a@1,b@2,c@1']) });
    expect(standing()).toMatchObject({ state: 'nacked', retrying: true });
  });

  test('what was not rejected, or is there no more, is not sent', () => {
    const { session, answer, retry } = start(variant);
    answer('');
    answer('1', `${HEADING} a: bad`);
    answer('2');
    expect(retry('b', 'd')).toEqual([]);
    session.feed({ kind: 'snapshot', snapshot: toSnapshot(['lds:b@1,c@1']) });
    answer('3');
    expect(retry('a')).toEqual([]);
  });

  test('each keeps the words it was rejected with', () => {
    const { session, answer, standing } = start(variant);
    answer('');
    answer('1', `${HEADING} a: cannot bind 'x': in use`);
    answer('2');
    session.feed({ kind: 'snapshot', snapshot: toSnapshot(['lds:a@1,b@2,c@1']) });
    answer('3', `${HEADING} b: no such filter`);
    expect(standing()).toMatchObject({
      rejection: {
        message: `${HEADING} b: no such filter`,
        resources: [{ name: 'a' }, { name: 'b' }],
        earlier: new Map([['a', `${HEADING} a: cannot bind 'x': in use`]]),
      },
    });
  });
});
