// Where a sidecar's listeners are, as an Envoy reads them.
import { describe, expect, it } from 'vitest';
import { envoy } from '../../src/gen/api.js';
import { type Listen, translateNode } from '../../src/translate/index.js';
import { meshOf, serviceOf } from '../policy/helpers.js';

const MESH = meshOf(`trustDomain: shop.example
services:
  web: { ports: { 8080: { protocol: http, target: "web-application:8080" } } }
  ledger: { ports: { 8080: http } }`);

function listenersOf(address: string, listen: Listen, isClosed = false): readonly string[] {
  const { listeners } = translateNode({
    ...{ mesh: MESH, service: serviceOf(MESH, 'web'), address, listen, isClosed },
    outboundAddress: (callee) => (callee.name === 'ledger' ? '198.18.0.2' : undefined),
  });
  return [...listeners.resources.values()].map(({ name, value }) => {
    const { address: at, enableReusePort } = envoy.config.listener.v3.Listener.decode(value);
    const { address: host, portValue, ipv4Compat } = at?.socketAddress ?? {};
    const shared = enableReusePort?.value === true ? ' shared' : '';
    return `${name} ${host}:${portValue}${ipv4Compat === true ? ' and IPv4' : ''}${shared}`;
  });
}

describe('the listeners of a sidecar', () => {
  it('are at its address, which they share with nobody', () => {
    expect(listenersOf('10.0.0.7', 'address')).toEqual([
      'mesh 10.0.0.7:15443',
      'inbound:8080 10.0.0.7:8080',
      'outbound:ledger:8080 198.18.0.2:8080',
    ]);
  });

  it('are at all addresses, beside outbound ones of the same port', () => {
    expect(listenersOf('10.0.0.7', 'any')).toEqual([
      'mesh 0.0.0.0:15443 shared',
      'inbound:8080 0.0.0.0:8080 shared',
      'outbound:ledger:8080 198.18.0.2:8080 shared',
    ]);
  });

  it('are those by which it calls, where it is drained', () => {
    expect(listenersOf('10.0.0.7', 'any', true)).toEqual([
      'outbound:ledger:8080 198.18.0.2:8080 shared',
    ]);
  });

  it('are at those of both families where it came by IPv6', () => {
    expect(listenersOf('fd00::7', 'any')).toEqual([
      'mesh :::15443 and IPv4 shared',
      'inbound:8080 :::8080 and IPv4 shared',
      'outbound:ledger:8080 198.18.0.2:8080 shared',
    ]);
  });
});
