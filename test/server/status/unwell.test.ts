// Applications that are unwell, in the metrics.
import { expect, it } from 'vitest';
import { toUnwellFamily } from '../../../src/server/status/unwell.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { SILENT } from '../../fakes/no-statistics.js';
import { meshOf } from '../../policy/helpers.js';

it('each port with health has a sample: how many sidecars find its application unwell', () => {
  const mesh = meshOf(`trustDomain: shop.example
services:
  web: { ports: { 80: http } }
  app: { ports: { 8080: { protocol: http, health: { path: /a } }, 8081: http } }
  other: { ports: { 8080: { protocol: http, health: { path: /a } } } }`);
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  const members = addresses.map((address) => {
    const { stream } = new FakeStream(fakeSidecar('app', address));
    const nothing = { leaf: undefined, snapshot: undefined, hold: undefined, reports: [] };
    const state = 'synced' as const;
    return {
      stream,
      statistics: SILENT,
      state,
      ownState: state,
      ...{ followsMesh: true, hasSecrets: true, mayHold: [] },
      ...nothing,
      troubles: [],
      unbound: [],
    };
  });
  const unwellOf = ({ address }: { readonly address: string }) =>
    address === '10.0.0.3' ? [] : [{ port: 8080, sinceMs: 0 }];
  expect(toUnwellFamily({ mesh, members, unwellOf })).toMatchObject({
    name: 'applications_unwell',
    samples: [
      { labels: { service: 'app', port: '8080' }, value: 2 },
      { labels: { service: 'other', port: '8080' }, value: 0 },
    ],
  });
});
