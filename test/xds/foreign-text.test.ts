import { expect, it } from 'vitest';
import { countersign } from '../../src/gen/wire.js';
import { DEFAULT_SESSION_LIMITS, decodeRequest, TYPE_URLS } from '../../src/xds/index.js';

const { wire } = countersign;

function decode(request: Parameters<typeof wire.DiscoveryRequest.encode>[0]) {
  const bytes = wire.DiscoveryRequest.encode({ typeUrl: TYPE_URLS.cluster, ...request }).finish();
  return decodeRequest(bytes, {
    variant: 'sotw',
    limits: DEFAULT_SESSION_LIMITS,
    withNode: true,
  });
}

const MEGABYTES = String.fromCharCode(1).repeat(3_900_000);

it('a rejection of 3.9 MB of control characters is kept as a short line', () => {
  const { request } = decode({ errorDetail: { code: 3, message: MEGABYTES } });
  expect(request.error?.message.length).toBeLessThan(30_000);
  expect(request.error?.message).toMatch(/^(\\u0001)+… \(3900000 characters\)$/);
});

it.each([
  ['id', { id: MEGABYTES }],
  ['cluster', { cluster: MEGABYTES }],
  ['userAgentName', { userAgentName: MEGABYTES }],
  ['userAgentVersion', { userAgentVersion: MEGABYTES }],
])("a node's %s of 3.9 MB is refused, and the refusal doesn't repeat it", (name, node) => {
  expect(() => decode({ node })).toThrow(
    `expected a node's ${name} to have at most 1024 characters but got 3900000`,
  );
});

it.each([
  ['texts', { fields: { a: { stringValue: MEGABYTES } } }],
  ['keys', { fields: { [MEGABYTES]: { boolValue: true } } }],
  ['a list', { fields: { a: { listValue: { values: Array(70_000).fill({ numberValue: 1 }) } } } }],
])("a node's metadata of too much (%s) is refused", (_, metadata) => {
  expect(() => decode({ node: { id: 'web~1', metadata } })).toThrow(
    /expected a node's metadata to have at most 65536 characters but got \d+$/,
  );
});
