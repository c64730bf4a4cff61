import { describe, expect, it } from 'vitest';
import type { Leaf } from '../../../src/ca/index.js';
import { type Mesh, type ServiceName, serviceName } from '../../../src/policy/index.js';
import {
  createOutboundIndexes,
  DEFAULT_OUTBOUND,
  parseOutbound,
} from '../../../src/server/addresses/index.js';
import { Publisher } from '../../../src/server/fleet/index.js';
import type { Sidecar } from '../../../src/server/join/index.js';
import { NOTHING_REVOKED, type SidecarEndpoint } from '../../../src/translate/index.js';
import { type Snapshot, TYPE_URLS } from '../../../src/xds/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { meshOf } from '../../policy/helpers.js';

const meshIn = (mode: string): Mesh =>
  meshOf(`trustDomain: shop.example
services:
  web: {}
  ledger:
    allow: [ { from: [web, anyone] } ]
    ports: { 8080: { protocol: http, mtls: ${mode} } }`);
const MESH = meshIn('permissive');
const LEDGER = serviceName('ledger');
const WEB = serviceName('web');

const sidecar = (service: typeof WEB, address: string): Sidecar => ({
  node: `${service}~1`,
  service,
  address,
  addressProof: 'claimed',
  listen: 'address',
  outbound: parseOutbound(DEFAULT_OUTBOUND),
  credential: { kind: 'token', id: 'id', keyId: 'key', expiresAtMs: 0 },
});
const leaf = (keyPem: string): Leaf => ({ keyPem, chainPem: 'chain' }) as Leaf;
const LEAF = leaf('key');

async function create(mesh = MESH): Promise<Publisher> {
  const indexes = await createOutboundIndexes(new MemoryStore());
  await indexes.ensure(mesh.services.values());
  const endpoints = new Map([[LEDGER, [{ address: '10.0.0.1' }]]]);
  const clock = new ManualClock();
  const options = { indexes, anchorsPem: () => 'anchors', clock, onChange: () => undefined };
  return new Publisher({ mesh, endpoints }, options);
}

/** Types of which two snapshots hold different sets. */
function differing(a: Snapshot | undefined, b: Snapshot | undefined): string[] {
  const names = Object.entries(TYPE_URLS);
  return names.filter(([, url]) => a?.get(url) !== b?.get(url)).map(([name]) => name);
}

describe('sets that did not change keep their identity', () => {
  const web = sidecar(WEB, '10.0.0.2');

  it('with the same input', async () => {
    const publisher = await create();
    expect(
      differing(
        publisher.toPublication(web, LEAF).snapshot,
        publisher.toPublication(web, LEAF).snapshot,
      ),
    ).toEqual([]);
  });

  it('when an endpoint comes, all but the endpoints', async () => {
    const publisher = await create();
    const before = publisher.toPublication(web, LEAF).snapshot;
    const list = [{ address: '10.0.0.1' }, { address: '10.0.0.9' }];
    publisher.update({ mesh: MESH, endpoints: new Map([[LEDGER, list]]) });
    expect(differing(before, publisher.toPublication(web, LEAF).snapshot)).toEqual(['endpoint']);
  });

  it('when a leaf is renewed, all but the secrets', async () => {
    const publisher = await create();
    const before = publisher.toPublication(web, LEAF).snapshot;
    expect(differing(before, publisher.toPublication(web, leaf('new')).snapshot)).toEqual([
      'secret',
    ]);
  });

  it("when a port's mode changes, all of a caller", async () => {
    const publisher = await create();
    const before = publisher.toPublication(web, LEAF).snapshot;
    publisher.update({
      mesh: meshIn('strict'),
      endpoints: new Map([[LEDGER, [{ address: '10.0.0.1' }]]]),
    });
    expect(differing(before, publisher.toPublication(web, LEAF).snapshot)).toEqual([]);
  });

  it('between the nodes of one service, what does not name an address', async () => {
    const publisher = await create();
    const one = publisher.toPublication(sidecar(LEDGER, '10.0.0.1'), LEAF).snapshot;
    const other = { ...sidecar(LEDGER, '10.0.0.3'), node: 'ledger~2' } as const;
    expect(differing(one, publisher.toPublication(other, LEAF).snapshot)).toEqual([
      'listener',
      'secret',
    ]);
  });
});

it('a static Envoy takes neither listeners nor clusters, whatever the mesh says', async () => {
  const mesh = meshOf(`trustDomain: shop.example
services: { web: {}, ledger: { ports: { 8080: http, 6000: tcp } } }`);
  const publisher = await create(mesh);
  const own = { ...sidecar(LEDGER, '127.0.0.1'), isStatic: true } as const;
  const { snapshot, unplaced, clashes } = publisher.toPublication(own, LEAF);
  expect([...snapshot.keys()]).toEqual([TYPE_URLS.secret]);
  expect([...(snapshot.get(TYPE_URLS.secret)?.resources.keys() ?? [])]).toEqual([
    ...['default', 'ROOTCA', 'callers:6000'],
  ]);
  expect([unplaced, clashes]).toEqual([[], []]);
  // A sidecar there would call itself.
  expect(() => publisher.toPublication(sidecar(LEDGER, '127.0.0.1'), LEAF)).toThrow('127.0.0.1');
});

describe('whom a tcp port takes', () => {
  const meshFor = (from: string): Mesh =>
    meshOf(`trustDomain: shop.example
services:
  web: {}
  batch: {}
  ledger:
    mtls: strict
    ports: { 6000: { protocol: tcp, allow: [ { from: [${from}] } ] }, 6001: { protocol: tcp } }`);
  const secretsOf = ({ snapshot }: { snapshot: Snapshot }): Map<string, string> =>
    new Map(
      [...(snapshot.get(TYPE_URLS.secret)?.resources.values() ?? [])].map((one) => [
        one.name,
        one.version,
      ]),
    );

  it('is in the secret of that port alone, and no listener changes with it', async () => {
    const ledger = sidecar(LEDGER, '10.0.0.1');
    const publisher = await create(meshFor('web'));
    const before = publisher.toPublication(ledger, LEAF);
    const endpoints = new Map([[LEDGER, [{ address: '10.0.0.1' }]]]);
    publisher.update({ mesh: meshFor('batch'), endpoints });
    const after = publisher.toPublication(ledger, LEAF);
    expect(differing(before.snapshot, after.snapshot)).toEqual(['secret', 'extension']);
    const [old, next] = [secretsOf(before), secretsOf(after)];
    expect([...old.keys()].sort()).toEqual(['ROOTCA', 'callers:6000', 'callers:6001', 'default']);
    const changed = [...old.keys()].filter((name) => old.get(name) !== next.get(name));
    expect(changed).toEqual(['callers:6000']);
  });

  it('changes when a service is shut out', async () => {
    const ledger = sidecar(LEDGER, '10.0.0.1');
    const mesh = meshFor('web');
    const publisher = await create(mesh);
    const old = secretsOf(publisher.toPublication(ledger, LEAF));
    const deniedIds = ['spiffe://shop.example/ns/default/sa/web'];
    publisher.update({ mesh, endpoints: new Map(), revoked: { ...NOTHING_REVOKED, deniedIds } });
    const next = secretsOf(publisher.toPublication(ledger, LEAF));
    const changed = [...old.keys()].filter((name) => old.get(name) !== next.get(name));
    expect(changed.sort()).toEqual(['callers:6000', 'callers:6001']);
  });
});

it('a node that joins again with another address gets listeners there', async () => {
  const publisher = await create();
  const before = publisher.toPublication(sidecar(LEDGER, '10.0.0.1'), LEAF).snapshot;
  const after = publisher.toPublication(sidecar(LEDGER, '10.0.0.7'), LEAF).snapshot;
  expect(differing(before, after)).toEqual(['listener', 'secret']);
});

it('a service that is no longer declared has nothing', async () => {
  const publisher = await create();
  const gone = sidecar(serviceName('gone'), '10.0.0.4');
  const { snapshot } = publisher.toPublication(gone, LEAF);
  expect([...snapshot.values()].map(({ resources }) => resources.size)).toEqual(
    Object.keys(TYPE_URLS).map(() => 0),
  );
});

describe('a sidecar with a list of callees', () => {
  const TWO = meshOf(`trustDomain: shop.example
services:
  web: {}
  db: { ports: { 8080: http } }
  ledger: { ports: { 8080: http } }`);
  const publish = async (outbound: string) => {
    const publisher = await create(TWO);
    const web = { ...sidecar(WEB, '10.0.0.2'), outbound: parseOutbound(outbound) };
    const { snapshot, unplaced, clashes } = publisher.toPublication(web, LEAF);
    const names = [...(snapshot.get(TYPE_URLS.listener)?.resources.keys() ?? [])];
    expect(publisher.toPublication(web, LEAF)).toMatchObject({ unplaced, clashes });
    return { names, unplaced, clashes: clashes.map(({ callee }) => callee) };
  };

  it('has listeners for these alone, and lacks none', async () => {
    expect(await publish('ledger=198.18.0.2,nobody=198.18.0.3')).toEqual({
      names: ['outbound:ledger:8080'],
      unplaced: [],
      clashes: [],
    });
  });

  it('is sent no two listeners for one place, which Envoy would reject for ever', async () => {
    expect(await publish('ledger=198.18.0.2,db=198.18.0.2')).toEqual({
      names: ['outbound:db:8080'],
      unplaced: [],
      clashes: ['ledger:8080'],
    });
  });

  it('loses no connection to it but by a revocation that says so', async () => {
    const publisher = await create(TWO);
    const web = { ...sidecar(WEB, '10.0.0.2'), outbound: parseOutbound('ledger=198.18.0.2') };
    const versionOf = (): string | undefined =>
      publisher
        .toPublication(web, LEAF)
        .snapshot.get(TYPE_URLS.listener)
        ?.resources.get('outbound:ledger:8080')?.version;
    const before = versionOf();
    const outboundMarks = (port: string) => new Map([[port, 'mark']]);
    const update = (port: string): void =>
      publisher.update({
        mesh: TWO,
        endpoints: new Map(),
        revoked: { ...NOTHING_REVOKED, outboundMarks: outboundMarks(port) },
      });
    update('db:8080');
    expect(versionOf()).toBe(before);
    update('ledger:8080');
    expect(versionOf()).not.toBe(before);
  });
});

it('an edit that puts the application where its sidecar listens is not sent', async () => {
  const publisher = await create();
  const ledger = sidecar(LEDGER, '127.1.0.1');
  publisher.toPublication(ledger, LEAF);
  const edited = meshOf(`trustDomain: shop.example
services:
  ledger: { ports: { 8080: { protocol: http, target: "127.1.0.1:8080" } } }`);
  publisher.update({ mesh: edited, endpoints: new Map() });
  expect(() => publisher.toPublication(ledger, LEAF)).toThrow(
    'but got 127.1.0.1:8080 for both: it would call itself forever',
  );
});

const CAPTURED = 'outbound:captured';
const callees = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `callee-${n}`);
const meshWith = (count: number): Mesh =>
  meshOf(`trustDomain: shop.example
services:
  web: { capture: { outbound: transparent } }
  other: {}
${callees(count)
  .map((name) => `  ${name}: { ports: { 8080: http }, allow: [ { from: [web] } ] }`)
  .join('\n')}`);
const endpointsOf = (count: number, more: readonly string[] = []) =>
  new Map<ServiceName, readonly SidecarEndpoint[]>([
    ...callees(count).map((name, n): [ServiceName, SidecarEndpoint[]] => [
      serviceName(name),
      [{ address: `10.0.1.${n}` }],
    ]),
    [serviceName('other'), more.map((address) => ({ address }))],
  ]);
const web = sidecar(WEB, '10.0.0.2');
const again = { ...sidecar(WEB, '10.0.0.3'), node: 'web~2' } as const;
const capturedOf = (publisher: Publisher, of = web) =>
  publisher.toPublication(of, LEAF).snapshot.get(TYPE_URLS.listener)?.resources.get(CAPTURED);

async function join(count: number) {
  const mesh = meshWith(count);
  const publisher = await create(mesh);
  const endpoints = endpointsOf(count);
  publisher.update({ mesh, endpoints });
  const before = publisher.toPublication(web, LEAF).snapshot;
  const callee = serviceName('callee-0');
  const list = [...(endpoints.get(callee) ?? []), { address: '10.0.2.1' }];
  publisher.update({ mesh, endpoints: new Map([...endpoints, [callee, list]]) });
  return { mesh, publisher, endpoints, before, after: publisher.toPublication(web, LEAF) };
}

describe('what the kernel captured on its way out', () => {
  it('names who joins: endpoints and listener change, and nothing else', async () => {
    const { before, after } = await join(3);
    expect(differing(before, after.snapshot).sort()).toEqual(['endpoint', 'listener']);
  });

  it('is one resource for all nodes of the service, made once', async () => {
    const { publisher } = await join(3);
    expect(capturedOf(publisher, again)).toBe(capturedOf(publisher));
  });

  it('stays when somebody joins whom the service does not call', async () => {
    const { mesh, publisher, endpoints } = await join(3);
    publisher.update({ mesh, endpoints });
    const before = publisher.toPublication(web, LEAF).snapshot;
    publisher.update({ mesh, endpoints: new Map([...endpoints, ...endpointsOf(0, ['10.0.3.1'])]) });
    expect(differing(before, publisher.toPublication(web, LEAF).snapshot)).toEqual([]);
  });

  it('costs by the callees: twice as many are twice the bytes, a join one address', async () => {
    const size = async (count: number) => {
      const { publisher, mesh, endpoints } = await join(count);
      const joined = capturedOf(publisher)?.value.length ?? 0;
      publisher.update({ mesh, endpoints });
      return { joined, one: joined - (capturedOf(publisher)?.value.length ?? 0) };
    };
    const [n, twice] = [await size(20), await size(40)];
    expect(twice.joined / n.joined).toBeLessThan(2.05);
    expect(n.joined / 20).toBeLessThan(2_400);
    expect([n.one, twice.one].every((bytes) => bytes > 0 && bytes < 40)).toBe(true);
  });
});
