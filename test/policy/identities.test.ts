import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { decideAccess } from '../../src/policy/decide.js';
import {
  connectingIdentities,
  type IdentityName,
  type Mesh,
  mayConnectPlain,
  type PortAccess,
} from '../../src/policy/index.js';
import { canMatch, meshOf, portOf } from './helpers.js';

const SEED = { seed: 20_261_128, numRuns: 300 };
const TRUST_DOMAIN = 'shop.example';
const DECLARED = ['a', 'b', 'ns/c', 'ns/d', 'other/c'];

const from = fc.subarray(
  [
    ...['a', 'b', 'ns/c', 'ns/*', '*', 'anyone'],
    ...['spiffe://shop.example/ns/ns/*', 'spiffe://x.org/y'],
  ],
  { minLength: 1 },
);
const rule = fc
  .record({ from, not: fc.record({ from }) }, { requiredKeys: ['from'] })
  .filter(canMatch);
const rules = fc.record(
  {
    deny: fc.array(rule, { minLength: 1, maxLength: 2 }),
    allow: fc.array(rule, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);

function meshWith(own: object, mtls = 'strict'): Mesh {
  const services = Object.fromEntries(DECLARED.map((name) => [name, {}]));
  const back = { ports: { 6000: { protocol: 'tcp', mtls, ...own } } };
  return meshOf(
    stringify(
      { trustDomain: TRUST_DOMAIN, services: { ...services, back } },
      { aliasDuplicateObjects: false },
    ),
  );
}

const accessOf = (mesh: Mesh): PortAccess => portOf(mesh, 'back:6000').access;
const idOf = (path: string): string => `spiffe://${TRUST_DOMAIN}/${path}`;
const declaredIds = (mesh: Mesh): string[] =>
  [...mesh.services.values()].map(({ spiffeId }) => spiffeId);
const isNamed = (names: readonly IdentityName[], id: string): boolean =>
  names.some(({ text, prefix }) => (prefix ? id.startsWith(text) : id === text));

/** Nobody declares these. */
const STRAYS = ['ns/ns/sa/e', 'ns/ns/sa/cc', 'ns/nsx/sa/c', 'ns/ns/x', 'else'].map(idOf);

describe('who may connect, by the handshake', () => {
  it('is who the rules let in, and of identities that nobody declares never more', () => {
    let [strays, refused] = [0, 0];
    fc.assert(
      fc.property(rules, fc.subarray(['a', 'ns/c']), (own, revoked) => {
        const mesh = meshWith(own);
        const access = accessOf(mesh);
        const deniedIds = revoked.map((name) =>
          idOf(name === 'a' ? 'ns/default/sa/a' : 'ns/ns/sa/c'),
        );
        const names = connectingIdentities(access, {
          trustDomain: TRUST_DOMAIN,
          declaredIds: declaredIds(mesh),
          deniedIds,
        });
        const mayConnect = (spiffeId: string): boolean =>
          !deniedIds.includes(spiffeId) &&
          decideAccess(access, { spiffeId, trustDomain: TRUST_DOMAIN }).allowed;
        for (const id of declaredIds(mesh)) expect(isNamed(names, id)).toBe(mayConnect(id));
        for (const id of STRAYS) {
          if (isNamed(names, id)) expect(mayConnect(id)).toBe(true);
          else if (mayConnect(id)) refused++;
          else strays++;
        }
      }),
      SEED,
    );
    expect(strays).toBeGreaterThan(100);
    // The limit that decision 022 states; were it gone, that would be said too.
    expect(refused).toBeGreaterThan(0);
  });

  it.each([
    ['no rules', {}, [{ text: 'spiffe://shop.example/', prefix: true }]],
    [
      'a namespace and a service',
      { allow: [{ from: ['ns/*', 'ns/c', 'a'] }] },
      [
        { text: 'spiffe://shop.example/ns/default/sa/a', prefix: false },
        { text: 'spiffe://shop.example/ns/ns/', prefix: true },
      ],
    ],
    [
      'a namespace without one of it: those that are declared',
      { allow: [{ from: ['ns/*'], not: { from: ['ns/c'] } }] },
      [{ text: 'spiffe://shop.example/ns/ns/sa/d', prefix: false }],
    ],
    ['nobody', { allow: [{ from: ['a'] }], deny: [{ from: ['*'] }] }, []],
  ])('%s', (_name, own, expected) => {
    const mesh = meshWith(own);
    const input = { trustDomain: TRUST_DOMAIN, declaredIds: declaredIds(mesh) };
    expect(connectingIdentities(accessOf(mesh), input)).toEqual(expected);
  });

  it.each([
    [true, {}],
    [true, { allow: [{ from: ['a'] }, { from: ['anyone'] }] }],
    [false, { allow: [{ from: ['a'] }] }],
    [false, { access: 'deny' }],
    [false, { allow: [{ from: ['anyone'] }], deny: [{ from: ['anyone'] }] }],
  ])('callers without identity: %s for %j', (expected, own) => {
    expect(mayConnectPlain(accessOf(meshWith(own, 'permissive')))).toBe(expected);
  });
});
