// Which callee gets which place at a sidecar.
import { describe, expect, it } from 'vitest';
import type { Listen } from '../../src/translate/index.js';
import { placeCallees } from '../../src/translate/index.js';
import { meshOf, serviceOf } from '../policy/helpers.js';

const MESH = meshOf(`trustDomain: shop.example
services:
  web: { ports: { 8080: { protocol: http, target: "web-application:8080" } } }
  db: { ports: { 5432: tcp, 8080: http } }
  ledger: { ports: { 8080: http, 8081: http } }
  safe: { access: deny, ports: { 8081: http } }`);

function placesOf(
  addresses: Record<string, string>,
  { address = '10.0.0.7', listen = 'address' as Listen } = {},
) {
  const { placed, clashes } = placeCallees({
    ...{ mesh: MESH, service: serviceOf(MESH, 'web'), address, listen },
    outboundAddress: (callee) => addresses[callee.name],
  });
  return {
    placed: placed.map(({ callee, port, address: at }) => `${callee.name} ${at}:${port.number}`),
    clashes: clashes.map(({ callee, place, holder }) => `${callee} ${place} ${holder}`),
  };
}

describe('callees of a list', () => {
  it('have their places, and who is not listed has none', () => {
    expect(placesOf({ db: '198.18.0.2', nobody: '198.18.0.3' })).toEqual({
      placed: ['db 198.18.0.2:5432', 'db 198.18.0.2:8080'],
      clashes: [],
    });
  });

  it('share an address, but for a port that both have', () => {
    expect(placesOf({ ledger: '198.18.0.2', db: '198.18.0.2' })).toEqual({
      placed: ['db 198.18.0.2:5432', 'db 198.18.0.2:8080', 'ledger 198.18.0.2:8081'],
      clashes: ['ledger:8080 198.18.0.2:8080 db:8080'],
    });
  });

  it('take no place from whom they may not call', () => {
    expect(placesOf({ ledger: '198.18.0.2', safe: '198.18.0.2' }).clashes).toEqual([]);
  });

  it('take no place at which the sidecar is called itself', () => {
    expect(placesOf({ ledger: '10.0.0.7' })).toEqual({
      placed: ['ledger 10.0.0.7:8081'],
      clashes: ['ledger:8080 10.0.0.7:8080 inbound:8080'],
    });
  });

  it('stand beside a sidecar that listens everywhere', () => {
    expect(placesOf({ ledger: '10.0.0.7' }, { listen: 'any' })).toEqual({
      placed: ['ledger 10.0.0.7:8080', 'ledger 10.0.0.7:8081'],
      clashes: [],
    });
  });
});
