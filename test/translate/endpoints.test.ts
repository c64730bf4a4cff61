import { expect, it } from 'vitest';
import { toEndpoints } from '../../src/translate/endpoints.js';
import { meshOf, portOf } from '../policy/helpers.js';

const mesh = meshOf(`trustDomain: test.example
services:
  ledger:
    ports:
      8080: { protocol: http, mtls: strict }
      8081: { protocol: http, mtls: disable }`);

/** Where these ports of two sidecars are called, the first without some of its listeners. */
function calledAt(port: string, ...unbound: string[]): readonly string[] {
  const callee = mesh.services.get('ledger' as never);
  if (callee === undefined) throw new Error('expected the service');
  const sidecars = [{ address: '10.0.0.1', unbound }, { address: '10.0.0.2' }];
  const { endpoints } = toEndpoints({ callee, port: portOf(mesh, `ledger:${port}`), sidecars });
  return (endpoints?.[0]?.lbEndpoints ?? []).map(({ endpoint }) => {
    const { address, portValue } = endpoint?.address?.socketAddress ?? {};
    return `${address}:${portValue}`;
  });
}

it('a sidecar is called where the listener that is called can bind, and only there', () => {
  const [one, two] = ['10.0.0.1:15443', '10.0.0.2:15443'];
  expect(calledAt('8080')).toEqual([one, two]);
  expect(calledAt('8080', 'inbound:8080', 'inbound:8081')).toEqual([one, two]);
  expect(calledAt('8080', 'mesh')).toEqual([two]);
  expect(calledAt('8081', 'mesh')).toEqual(['10.0.0.1:8081', '10.0.0.2:8081']);
  expect(calledAt('8081', 'inbound:8081')).toEqual(['10.0.0.2:8081']);
});
