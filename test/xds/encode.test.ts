import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { countersign } from '../../src/gen/wire.js';
import {
  createResource,
  createResourceSet,
  DEFAULT_SESSION_LIMITS,
  decodeRequest,
  EMPTY_SET,
  encodeResponse,
  TYPE_URLS,
} from '../../src/xds/index.js';

const { wire } = countersign;
const LENGTHS = [0, 1, 127, 128, 16_383, 16_384, 3_000_000];
const toResources = () =>
  LENGTHS.map((length) =>
    createResource({ name: `ä-${length}`, value: Buffer.alloc(length, length % 251) }),
  );

test('SotW responses decode to what they were made of, twice from the same pieces', () => {
  const resources = toResources();
  for (const nonce of ['1', '2']) {
    const bytes = encodeResponse('sotw', {
      typeUrl: TYPE_URLS.cluster,
      version: 'v',
      nonce,
      resources,
      removed: [],
      heartbeats: [],
    });
    const message = wire.DiscoveryResponse.decode(bytes);
    expect(message.versionInfo).toBe('v');
    expect(message.typeUrl).toBe(TYPE_URLS.cluster);
    expect(message.nonce).toBe(nonce);
    expect(message.resources?.map(({ typeUrl }) => typeUrl)).toEqual(
      LENGTHS.map(() => TYPE_URLS.cluster),
    );
    const values = message.resources?.map(({ value }) => Buffer.from(value ?? []));
    expect(values?.every((value, i) => value.equals(resources[i]?.value ?? value))).toBe(true);
    expect(values?.map(({ length }) => length)).toEqual(LENGTHS);
  }
});

test('delta responses carry names, versions and what is gone', () => {
  const resources = toResources();
  const bytes = encodeResponse('delta', {
    typeUrl: TYPE_URLS.secret,
    version: 'v',
    nonce: '7',
    resources,
    removed: ['x', 'y'],
    heartbeats: [],
  });
  const message = wire.DeltaDiscoveryResponse.decode(bytes);
  expect(message.systemVersionInfo).toBe('v');
  expect(message.nonce).toBe('7');
  expect(message.removedResources).toEqual(['x', 'y']);
  expect(
    message.resources?.map(({ name, version, resource }) => [
      name,
      version,
      resource?.typeUrl,
      resource?.value?.length,
    ]),
  ).toEqual(
    resources.map(({ name, version, value }) => [name, version, TYPE_URLS.secret, value.length]),
  );
});

test('as Envoy reads it, a resource has its name and no aliases', () => {
  const file = new URL('../../src/gen/descriptor.json', import.meta.url);
  const root = protobuf.Root.fromJSON(JSON.parse(readFileSync(file, 'utf8')));
  const package_ = 'envoy.service.discovery.v3';
  expect(Object.keys(root.lookupType(`${package_}.Resource`).fields)).toContain('aliases');
  const type = root.lookupType(`${package_}.DeltaDiscoveryResponse`);
  const bytes = encodeResponse('delta', {
    typeUrl: 'type.googleapis.com/envoy.config.route.v3.VirtualHost',
    version: 'v',
    nonce: '1',
    resources: [createResource({ name: 'routes/host', value: Buffer.from(''), version: '1' })],
    removed: ['routes/other'],
    heartbeats: [],
  });
  expect(type.toObject(type.decode(bytes), { arrays: true })).toMatchObject({
    resources: [{ name: 'routes/host', version: '1', aliases: [] }],
    removedResources: ['routes/other'],
  });
});

test('one resource under two types is sent as each', () => {
  const resource = createResource({ name: 'a', value: Buffer.from('x') });
  const urls = [TYPE_URLS.cluster, TYPE_URLS.secret, TYPE_URLS.cluster].map((typeUrl) => {
    const response = {
      typeUrl,
      version: '',
      nonce: '',
      resources: [resource],
      removed: [],
      heartbeats: [],
    };
    return wire.DiscoveryResponse.decode(encodeResponse('sotw', response)).resources?.[0]?.typeUrl;
  });
  expect(urls).toEqual([TYPE_URLS.cluster, TYPE_URLS.secret, TYPE_URLS.cluster]);
});

const TTLS = [
  [1, 0, 1_000_000],
  [1_000, 1, 0],
  [2 ** 31 + 17, 2_147_483, 665_000_000],
  [2 ** 52, 4_503_599_627_370, 496_000_000],
] as const;
test.each(TTLS)('a TTL of %i ms', (ttlMs, seconds, nanos) => {
  const value = Buffer.alloc(200, 1);
  const resource = createResource({ name: 'a', version: 'v1', value, ttlMs });
  const typeUrl = TYPE_URLS.cluster;
  const response = { typeUrl, version: 'v', nonce: '1', removed: [] };

  const sotw = wire.DiscoveryResponse.decode(
    encodeResponse('sotw', { ...response, resources: [resource], heartbeats: [] }),
  );
  const any = sotw.resources?.[0];
  expect(any?.typeUrl).toBe('type.googleapis.com/envoy.service.discovery.v3.Resource');
  const head = { name: 'a', version: 'v1', seconds, nanos };
  const whole = { ...head, typeUrl, length: 200 };
  expect(toPlain(wire.Resource.decode(any?.value ?? Buffer.alloc(0)))).toEqual(whole);

  const delta = wire.DeltaDiscoveryResponse.decode(
    encodeResponse('delta', { ...response, resources: [resource], heartbeats: [resource] }),
  );
  expect(delta.resources?.map(toPlain)).toEqual([whole, head]);
});

function toPlain({ name, version, ttl, resource }: countersign.wire.Resource): object {
  const length = resource?.value?.length;
  return {
    ...{ name, version, nanos: ttl?.nanos, seconds: Number(String(ttl?.seconds)) },
    ...(resource && { typeUrl: resource.typeUrl, length }),
  };
}

test('a TTL is part of the version by content; one that is none is refused', () => {
  const value = Buffer.from('x');
  const versions = [undefined, 1_000, 2_000].map(
    (ttlMs) => createResource({ name: 'a', value, ttlMs }).version,
  );
  expect(new Set(versions).size).toBe(3);
  for (const ttlMs of [0, -1, 0.5, Number.NaN]) {
    expect(() => createResource({ name: 'a', value, ttlMs })).toThrow('a whole number above 0');
  }
});

test('versions are a function of content, not of order', () => {
  const [a, b] = ['a', 'b'].map((name) => createResource({ name, value: Buffer.from(name) }));
  if (a === undefined || b === undefined) throw new Error('unreachable');
  expect(createResourceSet([a, b]).version).toBe(createResourceSet([b, a]).version);
  expect(createResourceSet([a]).version).not.toBe(createResourceSet([a, b]).version);
  expect(createResourceSet([]).version).toBe(EMPTY_SET.version);
  expect(createResource({ name: 'z', value: Buffer.from('a') }).version).toBe(a.version);
  expect(a.version).toMatch(/^[0-9a-f]{16}$/);
  expect(() => createResourceSet([a, a])).toThrow('two resources are named "a"');
});

test('a node is read without its extensions; metadata as plain JSON', () => {
  const bytes = wire.DiscoveryRequest.encode({
    typeUrl: TYPE_URLS.cluster,
    node: {
      id: 'n',
      cluster: 'c',
      userAgentName: 'envoy',
      clientFeatures: ['xds.config.resource-in-sotw'],
      userAgentBuildVersion: { version: { majorNumber: 1, minorNumber: 40, patch: 0 } },
      metadata: {
        fields: {
          text: { stringValue: 's' },
          zero: { numberValue: 0 },
          no: { boolValue: false },
          inner: { structValue: { fields: { x: { numberValue: 1.5 } } } },
          list: { listValue: { values: [{ stringValue: 'a' }, {}, { numberValue: 2 }] } },
          empty: {},
        },
      },
    },
  }).finish();
  const options = { variant: 'sotw', limits: DEFAULT_SESSION_LIMITS, withNode: true } as const;
  expect(decodeRequest(bytes, options).node).toEqual({
    id: 'n',
    cluster: 'c',
    metadata: { text: 's', zero: 0, no: false, inner: { x: 1.5 }, list: ['a', null, 2] },
    userAgentName: 'envoy',
    userAgentVersion: '1.40.0',
    clientFeatures: ['xds.config.resource-in-sotw'],
  });
  expect(decodeRequest(bytes, { ...options, withNode: false }).node).toBeUndefined();
});

const long = 'x'.repeat(DEFAULT_SESSION_LIMITS.maxNameLength + 1);
const many = Array.from({ length: DEFAULT_SESSION_LIMITS.maxNames + 1 }, (_, i) => `${i}`);
const rows = [
  ['names at the limit', { resourceNamesSubscribe: many.slice(1) }, undefined],
  ['too many names', { resourceNamesSubscribe: many }, 'expected at most 20000 names a type'],
  ['too many given up', { resourceNamesUnsubscribe: many }, 'expected at most 20000 names a type'],
  // What a client has is what it was sent: a limit here would lock it out when it comes back.
  [
    'more held than may be asked for',
    { initialResourceVersions: Object.fromEntries(many.map((name) => [name, '1'])) },
    undefined,
  ],
  [
    'a long name',
    { resourceNamesSubscribe: [long] },
    'expected names of at most 4096 characters but got 4097',
  ],
  ['a long version of what is held', { initialResourceVersions: { a: long } }, undefined],
  ['no type', { typeUrl: '' }, 'expected a type_url but got an empty one'],
] as const;
test.each(rows)('limits of a request: %s', (_name, fields, message) => {
  const bytes = wire.DeltaDiscoveryRequest.encode({ typeUrl: 't', ...fields }).finish();
  const decode = () =>
    decodeRequest(bytes, { variant: 'delta', limits: DEFAULT_SESSION_LIMITS, withNode: false });
  if (message === undefined) expect(decode).not.toThrow();
  else expect(decode).toThrow(message);
});
