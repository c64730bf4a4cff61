import { describe, expect, test } from 'vitest';
import { namesAtFault } from '../../src/xds/fault.js';
import {
  createResource,
  createSnapshot,
  type Effect,
  type Response,
  TYPE_URLS,
} from '../../src/xds/index.js';
import { runSession } from './running-session.js';

const CANDIDATES = new Set(['a', 'b', 'ledger.payments:8080', 'cluster']);
const rows: readonly (readonly [string, string, readonly string[]])[] = [
  ['one cluster', 'Error adding/updating cluster(s) a: no such thing', ['a']],
  ['two clusters', 'Error adding/updating cluster(s) a: no, b: neither', ['a', 'b']],
  ['listeners by line', 'Error adding/updating listener(s) b: no\na: neither\n', ['a', 'b']],
  ['listeners on one line', 'Error adding/updating listener(s) b: no\\na: not\\n', ['a', 'b']],
  [
    'a name with separators',
    'Error adding/updating cluster(s) ledger.payments:8080: no',
    ['ledger.payments:8080'],
  ],
  ['a name within another', 'Error adding/updating cluster(s) bab: no', []],
  ['a name within a reason', 'Error adding/updating cluster(s) x: cluster a is missing', []],
  ['a text of another kind', "route: unknown cluster 'a'", []],
  ['a name first in another text', 'a: bad', []],
  ['nothing', '', []],
];
test.each(rows)('names in an error: %s', (_name, message, expected) => {
  expect([...namesAtFault(message, CANDIDATES)].sort()).toEqual(expected);
});

describe.each(['sotw', 'delta'] as const)('%s', (variant) => {
  /**
   * Answers all that comes; returns how many responses that were, and the names that stay rejected.
   */
  function run(count: number, isBad: (name: string) => boolean) {
    const typeUrl = TYPE_URLS.route;
    const names = Array.from({ length: count }, (_, i) => `r${i}`);
    const resources = names.map((name) => createResource({ name, value: Buffer.from(name) }));
    const session = runSession(variant);
    session.feed({ kind: 'snapshot', snapshot: createSnapshot([[typeUrl, resources]]) });
    const interest = (subscribe: readonly string[]) =>
      variant === 'sotw'
        ? { variant, names, versionInfo: '' }
        : { variant, subscribe, unsubscribe: [], initialVersions: new Map<string, string>() };
    let sent = 0;
    const toResponse = (effects: readonly Effect[]): Response | undefined =>
      effects.flatMap((effect) => (effect.kind === 'send' ? [effect.response] : []))[0];
    const first = { typeUrl, nonce: '', interest: interest(names) };
    let response = toResponse(session.feed({ kind: 'request', request: first }));
    for (; response !== undefined; sent++) {
      const bad = response.resources.some(({ name }) => isBad(name));
      const request = { typeUrl, nonce: response.nonce, interest: interest([]) };
      const error = { code: 3, message: 'a field is bad' };
      const answer = bad ? { ...request, error } : request;
      response = toResponse(session.feed({ kind: 'request', request: answer }));
    }
    const type = session.now.types.find((one) => one.typeUrl === typeUrl);
    const rejected = type?.rejection?.resources.map(({ name }) => name) ?? [];
    return { sent, rejected, held: type?.held.size, searching: type?.rejection?.searching };
  }

  test('one of a thousand is found in as many halvings', () => {
    const found = run(1_000, (name) => name === 'r777');
    expect(found).toEqual({
      sent: found.sent,
      rejected: ['r777'],
      held: 999,
      searching: undefined,
    });
    expect(found.sent).toBeLessThan(25);
  });

  test('where nearly all is bad, the search ends', () => {
    const { sent, rejected, held, searching } = run(1_000, (name) => name !== 'r0');
    expect(sent).toBeLessThan(150);
    expect(rejected.length + (held ?? 0)).toBe(1_000);
    expect(held).toBe(1);
    expect(searching).toBeUndefined();
  });
});

test.each(['sotw', 'delta'] as const)('%s: a rejection says where its source is', (variant) => {
  const typeUrl = TYPE_URLS.cluster;
  const [good, bad] = ['good', 'bad'].map((name, line) =>
    createResource({
      ...{ name, value: Buffer.from(name) },
      source: { file: 'mesh.yaml', line, column: 1 },
    }),
  );
  if (good === undefined || bad === undefined) throw new Error('two resources');
  const session = runSession(variant);
  session.feed({ kind: 'snapshot', snapshot: createSnapshot([[typeUrl, [good, bad]]]) });
  const interest =
    variant === 'sotw'
      ? { variant, names: [], versionInfo: '' }
      : { variant, subscribe: [], unsubscribe: [], initialVersions: new Map() };
  session.feed({ kind: 'request', request: { typeUrl, nonce: '', interest } });
  const message = 'Error adding/updating cluster(s) bad: no such thing';
  const error = { code: 3, message };
  const effects = session.feed({
    kind: 'request',
    request: { typeUrl, nonce: '1', interest, error },
  });
  const nacked = effects.find((effect) => effect.kind === 'nacked');
  expect(nacked?.rejection).toMatchObject({ message, resources: [{ name: 'bad' }] });
  expect(nacked?.rejection.resources.map(({ source }) => source)).toEqual([
    { file: 'mesh.yaml', line: 1, column: 1 },
  ]);
});
