// What becomes of a connection that the kernel captured, by the address and port that it was going
// to. Real Envoys show the same in test/envoy/capture.test.ts.
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/cli/proto-json.js';
import { type Mesh, serviceName } from '../../src/policy/index.js';
import {
  assertNoLoop,
  type Registry,
  toCapturedOutbound,
  translateNode,
  translateService,
} from '../../src/translate/index.js';
import { NOTHING_REVOKED } from '../../src/translate/revoked.js';
import { TYPE_URLS } from '../../src/xds/index.js';
import { meshOf, serviceOf } from '../policy/helpers.js';
import { at, type JsonObject, translate } from './translated.js';

const TOP = 'trustDomain: shop.example\n';
const BOTH = 'inbound: transparent, outbound: transparent';

interface Sent {
  readonly mesh: Mesh;
  readonly name: string;
  readonly registry?: Registry;
}

function listenerOf({ mesh, name, registry }: Sent, direction: string): JsonObject | undefined {
  const sent = translate(mesh, { name, ...(registry === undefined ? {} : { registry }) });
  return sent.listeners.find((one) => one['name'] === `${direction}:captured`);
}

/** The chain that a destination gets: Envoy's matcher, as far as we use it. */
function chainOf(listener: JsonObject | undefined, address: string, port: number): string {
  const found = decide(at(listener, 'filter_chain_matcher'), { address, port });
  return found === undefined ? 'none' : String(found);
}

function decide(
  matcher: Json | undefined,
  to: { readonly address: string; readonly port: number },
): Json | undefined {
  const tree = at(matcher, 'matcher_tree');
  const byPort = at(tree, 'exact_match_map', 'map', String(to.port));
  const ranges = at(tree, 'custom_match', 'typed_config', 'range_matchers') as JsonObject[];
  const isTo = (range: Json): boolean => at(range, 'address_prefix') === to.address;
  const byAddress = ranges?.find((one) => (one['ranges'] as Json[]).some(isTo));
  const found = byPort ?? at(byAddress, 'on_match') ?? at(matcher, 'on_no_match');
  const nested = at(found, 'matcher');
  return nested === undefined ? at(found, 'action', 'typed_config', 'value') : decide(nested, to);
}

const meshOfWeb = (capture: string): Mesh =>
  meshOf(`${TOP}services: { web: { capture: { ${capture} }, ports: { 80: http, 90: tcp } } }`);

describe('inbound', () => {
  it('whose listener is not there is closed, never passed: declared, mesh and own ports', () => {
    for (const undeclared of ['pass', 'refuse']) {
      const sent = {
        mesh: meshOfWeb(`inbound: transparent, undeclared: ${undeclared}`),
        name: 'web',
      };
      const listener = listenerOf(sent, 'inbound');
      const chains = [80, 90, 15_443, 15_001, 15_006].map((port) => chainOf(listener, '', port));
      expect(chains).toEqual(Array(5).fill('closed'));
      expect(chainOf(listener, '', 91)).toBe(undeclared === 'pass' ? 'passed' : 'none');
    }
  });

  it('is handed on to listeners without a socket, and the mesh port keeps its own', () => {
    const { listeners } = translate(meshOfWeb('inbound: transparent'), { name: 'web' });
    const shells = listeners.map((one) => [
      one['name'],
      at(one, 'address', 'socket_address', 'address'),
      one['bind_to_port'],
    ]);
    expect(shells.filter(([name]) => !String(name).startsWith('outbound:'))).toEqual([
      ['mesh', '10.1.0.1', undefined],
      ['inbound:captured:80', '::', false],
      ['inbound:captured:90', '::', false],
      ['inbound:captured', '::', undefined],
    ]);
  });
});

describe('an instance', () => {
  it('that is drained has no listener for it', () => {
    const drained = meshOfWeb('inbound: transparent');
    const own = serviceOf(drained, 'web');
    const { listeners: set } = translateNode({
      ...{ mesh: drained, service: own, address: '10.0.0.1', isClosed: true },
      outboundAddress: () => undefined,
    });
    expect([...set.resources.keys()]).toEqual([]);
  });

  it('may have its application where the sidecar would have to bind', () => {
    const text = (capture: string) => `${TOP}services: { web: { capture: { ${capture} },
      ports: { 80: { protocol: http, target: "10.0.0.1:80" } } } }`;
    const service = (capture: string) => serviceOf(meshOf(text(capture)), 'web');
    const at = { address: '10.0.0.1', listen: 'address' } as const;
    expect(() => assertNoLoop(service('inbound: bind'), at)).toThrow('call itself forever');
    expect(() => assertNoLoop(service('inbound: transparent'), at)).not.toThrow();
  });

  it('whose capture port is taken is none that is called', () => {
    const calling = meshOf(`${TOP}services:
  web: {}
  api:
    capture: { inbound: transparent }
    ports: { 80: http, 90: { protocol: tcp, mtls: disable } }`);
    const unbound = ['inbound:captured'];
    const api = [{ address: '10.0.0.1', unbound }, { address: '10.0.0.2' }];
    const registry = new Map([[serviceName('api'), api]]);
    const sets = translateService({ mesh: calling, service: serviceOf(calling, 'web'), registry });
    expect(sets.get(TYPE_URLS.endpoint)?.resources.size).toBe(2);
    const { endpoints } = translate(calling, { name: 'web', registry });
    const addresses = endpoints.map((one) =>
      (at(one, 'endpoints', 0, 'lb_endpoints') as Json[]).map((each) =>
        at(each, 'endpoint', 'address', 'socket_address', 'address'),
      ),
    );
    expect(addresses).toEqual([['10.0.0.2'], ['10.0.0.2']]);
  });
});

const mesh = meshOf(`${TOP}mtls: permissive
services:
  web: { capture: { ${BOTH} } }
  closed: { capture: { ${BOTH}, egress: registry } }
  around: { capture: { outbound: none } }
  a: { ports: { 80: http }, endpoints: [10.0.0.9, "10.0.0.8:90"] }
  b: { ports: { 80: tcp, 15001: tcp }, endpoints: [10.0.0.9, 10.0.0.1, "fd00::9"] }
  secret: { access: deny, ports: { 80: http } }`);
const registry: Registry = new Map([
  [serviceName('a'), [{ address: '10.0.0.1' }, { address: 'fd00::1' }]],
  [serviceName('b'), [{ address: '10.0.0.2' }]],
  [serviceName('secret'), [{ address: '10.0.0.3' }]],
]);
const cases: readonly [address: string, port: number, chain: string][] = [
  ['10.0.0.1', 80, 'a:80'],
  ['fd00::1', 80, 'a:80'],
  ['10.0.0.2', 80, 'b:80'],
  ['10.0.0.8', 90, 'a:80'],
  ['10.0.0.9', 80, 'a:80'],
  ['fd00::9', 80, 'b:80'],
  ['10.0.0.2', 15_001, 'b:15001'],
];
const nobodys: readonly [address: string, port: number][] = [
  ['10.0.0.1', 81],
  ['10.0.0.8', 80],
  ['10.0.0.3', 80],
  ['192.0.2.1', 443],
  ['10.0.0.2', 15_443],
];

describe('outbound', () => {
  it.each(cases)('%s, port %i, is known for %s', (address, port, chain) => {
    for (const name of ['web', 'closed']) {
      expect(chainOf(listenerOf({ mesh, name, registry }, 'outbound'), address, port)).toBe(chain);
    }
  });

  it.each(nobodys)('%s, port %i, belongs to nobody that may be called', (address, port) => {
    const chain = (name: string) =>
      chainOf(listenerOf({ mesh, name, registry }, 'outbound'), address, port);
    expect([chain('web'), chain('closed')]).toEqual(['passed', 'none']);
  });

  it("the sidecar's own ports are closed, whatever else is passed", () => {
    const listener = listenerOf({ mesh, name: 'web', registry }, 'outbound');
    const own = [15_001, 15_006].map((port) => chainOf(listener, '10.0.0.7', port));
    expect(own).toEqual(['closed', 'closed']);
  });

  it('every chain that the matcher names is there, once', () => {
    const listener = listenerOf({ mesh, name: 'web', registry }, 'outbound');
    const names = (at(listener, 'filter_chains') as JsonObject[]).map((one) => one['name']);
    expect(names).toEqual(['closed', 'passed', 'a:80', 'b:80', 'b:15001']);
  });

  it('chains are byte for byte the same whoever joins', () => {
    const chains = (of: Registry) => {
      const sent = translate(mesh, { name: 'web', registry: of });
      const found = sent.listeners.find((one) => one['name'] === 'outbound:captured');
      return JSON.stringify(found?.['filter_chains']);
    };
    expect(chains(new Map())).toBe(chains(registry));
  });

  it('a service that calls around its sidecar is told of nobody', () => {
    const { clusters, listeners, endpoints } = translate(mesh, { name: 'around', registry });
    expect([clusters, listeners, endpoints]).toEqual([[], [], []]);
  });

  it('is made anew only where somebody joins whom the service calls', () => {
    const service = serviceOf(mesh, 'web');
    const of = (next: Registry) =>
      toCapturedOutbound({ mesh, service, registry: next, revoked: NOTHING_REVOKED });
    const first = of(registry);
    const moved = (name: string): Registry =>
      new Map(
        [...registry].map(([one, list]) => [one, one === name ? [{ address: '10.0.0.4' }] : list]),
      );
    expect(of(moved('secret'))).toBe(first);
    expect(of(moved('a'))).not.toBe(first);
  });
});
