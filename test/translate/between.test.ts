// What transparent capture and applications with a DNS name get while a port stands between forms
// (decision 041).
import { expect, it } from 'vitest';
import type { Mesh } from '../../src/policy/index.js';
import { assertNoLoop } from '../../src/translate/index.js';
import { meshOf, serviceOf } from '../policy/helpers.js';
import { afterEdits } from '../server/mesh/steps.js';
import { at, type JsonObject, objectsIn, translate } from './translated.js';

const meshWith = (capture: string, ledger: string): Mesh =>
  meshOf(`trustDomain: shop.example
services:
  web: { capture: { outbound: ${capture} } }
  ledger: ${ledger}`);

/** The first step: the sidecars of `ledger` widen, and its callers keep their way. */
function widened(before: Mesh, after: Mesh): Mesh {
  const { tracks, published } = afterEdits(before, after);
  expect([...tracks.values()].map(({ steps }) => steps[0]?.name)).toEqual(['widen']);
  return published;
}

it.each(['loopback', 'transparent'])(
  'a caller that keeps its way tries again as its callee is now: %s',
  (capture) => {
    const meshes = (): [Mesh, Mesh] => [
      meshWith(capture, '{ ports: { 80: { protocol: http, mtls: disable } } }'),
      meshWith(
        capture,
        '{ endpoints: [10.0.0.9], ports: { 80: { protocol: http, allow: [ { from: [web] } ] } } }',
      ),
    ];
    const listenersOf = (mesh: Mesh) => translate(mesh, { name: 'web' }).listeners;
    const anew = listenersOf(widened(...meshes()));
    const [before, after] = meshes();
    expect(listenersOf(before)).not.toEqual(anew);
    expect(listenersOf(widened(before, after))).toEqual(anew);
  },
);

it.each(['http', 'tcp'])(
  'each way has its own application, of which one has a name: %s',
  (protocol) => {
    const ledger = (mtls: string, target: string): string =>
      `{ capture: { inbound: transparent }, ports: {
       80: { protocol: ${protocol}, mtls: ${mtls}, target: "${target}" } } }`;
    const mesh = widened(
      meshWith('loopback', ledger('disable', '127.0.0.1:81')),
      meshWith('loopback', ledger('strict', 'app.example:81')),
    );
    const { clusters, listeners, routes } = translate(mesh, { name: 'ledger' });
    const applications = clusters.filter((one) => String(one['name']).startsWith('local:'));
    expect(applications.map((one) => [one['name'], one['type'] ?? 'STATIC'])).toEqual([
      ['local:80:app.example:81', 'STRICT_DNS'],
      ['local:80:127.0.0.1:81', 'STATIC'],
    ]);
    const inbound = listeners.filter((one) => one['traffic_direction'] === 'INBOUND');
    expect(inbound.map((one) => one['name'])).toEqual([
      'mesh',
      'inbound:captured:80',
      'inbound:captured',
    ]);
    if (protocol === 'http') {
      const ways = at(routes[0], 'virtual_hosts', 0, 'routes') as JsonObject[];
      const called = ways.filter((one) => 'route' in one);
      expect(called).toHaveLength(4);
      const named = called.map((one) => [
        at(one, 'match', 'tls_context', 'presented') === true,
        String(at(one, 'route', 'cluster')),
        // Hosts that were tried are left out: as to a service of several.
        at(one, 'route', 'retry_policy', 'retry_host_predicate') !== undefined,
      ]);
      for (const [isTls, cluster, isElsewhere] of named) {
        expect(cluster).toBe(`local:80:${isTls === true ? 'app.example' : '127.0.0.1'}:81`);
        expect(isElsewhere).toBe(isTls);
      }
      return;
    }
    const attempts = inbound.slice(0, 2).map((one) => {
      const proxy = [...objectsIn(one)].find((each) => 'max_connect_attempts' in each);
      return [proxy?.['cluster'], proxy?.['max_connect_attempts']];
    });
    expect(attempts).toEqual([
      ['local:80:app.example:81', 6],
      ['local:80:127.0.0.1:81', 4],
    ]);
  },
);

it('an old form calls no port that its sidecar is to listen at', () => {
  const [from, to] = [9080, 9081].map((number) => `"127.0.0.1:${number}"`);
  const more = '9080: { protocol: http, target: "127.0.0.1:9082" }';
  const mesh = widened(
    meshWith('loopback', `{ ports: { 80: { protocol: http, mtls: disable, target: ${from} } } }`),
    meshWith(
      'loopback',
      `{ mtls: strict, ports: { 80: { protocol: http, target: ${to} }, ${more} } }`,
    ),
  );
  const place = { address: '10.1.0.2', listen: 'any' } as const;
  expect(() => assertNoLoop(serviceOf(mesh, 'ledger'), place)).toThrow('127.0.0.1:9080');
});
