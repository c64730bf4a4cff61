// An edit of one port costs what it changes, however many services there are.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Leaf } from '../../../src/ca/index.js';
import { type Mesh, type ServiceName, serviceName } from '../../../src/policy/index.js';
import {
  createOutboundIndexes,
  DEFAULT_OUTBOUND,
  parseOutbound,
} from '../../../src/server/addresses/index.js';
import { toAffected } from '../../../src/server/fleet/affected.js';
import { Publisher } from '../../../src/server/fleet/index.js';
import { OLD_TARGET_MS } from '../../../src/server/fleet/old-targets.js';
import type { Sidecar } from '../../../src/server/join/index.js';
import { type ProxyState, Rollout, toStoredRollout } from '../../../src/server/mesh/index.js';
import { NOTHING_REVOKED } from '../../../src/translate/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { ledgerWith, portDoc } from '../../phases/arbitraries.js';
import { tryMesh } from '../../phases/meshes.js';
import { meshOf } from '../../policy/helpers.js';

const TOOLS = {
  anchorsPem: () => 'anchors',
  clock: new ManualClock(),
  onChange: () => undefined,
};

/** A ledger that web alone may call, among so many services that nobody may. */
function meshWith({
  others,
  mode,
  more = '',
}: {
  others: number;
  mode: string;
  more?: string;
}): Mesh {
  const rest = Array.from(
    { length: others },
    (_, i) => `  s${i}: { access: deny, ports: { 7000: http } }`,
  );
  return meshOf(`trustDomain: shop.example
${more}
services:
  web: {}
${rest.join('\n')}
  ledger:
    ports: { 8080: { protocol: http, mtls: ${mode}, access: deny, allow: [ { from: [web] } ] } }`);
}

const toSidecar = (service: ServiceName, index: number): Sidecar => ({
  ...{ node: `${service}~1`, service, address: `10.0.${index >> 8}.${index & 255}` },
  ...{ addressProof: 'claimed', listen: 'address', outbound: parseOutbound(DEFAULT_OUTBOUND) },
  credential: { kind: 'token', id: 'id', keyId: 'key', expiresAtMs: 0 },
});
const LEAF = { keyPem: 'key', chainPem: 'chain' } as Leaf;

/** Of a change of mode among so many services: what was translated, and stored but the mesh. */
async function costOf(others: number): Promise<{ translations: number; records: number[] }> {
  const [before, after] = [
    meshWith({ others, mode: 'strict' }),
    meshWith({ others, mode: 'permissive' }),
  ];
  const indexes = await createOutboundIndexes(new MemoryStore());
  await indexes.ensure(before.services.values());
  const endpoints = new Map();
  const publisher = new Publisher({ mesh: before, endpoints }, { ...TOOLS, indexes });
  const sidecars = [...before.services.keys()].map(toSidecar);
  const publish = (): void => {
    for (const one of sidecars) publisher.toPublication(one, LEAF);
  };
  publish();
  const first = publisher.translations;
  const records: number[] = [];
  const states = new Map<string, ProxyState>();
  const rollout = new Rollout(before, {
    clock: new ManualClock(),
    proxies: () =>
      sidecars.map(({ node, service }) => ({ node, service, state: states.get(node) ?? 'synced' })),
    store: async (record) => {
      const { wanted: _, ...rest } = toStoredRollout(record) as { wanted: unknown };
      records.push(JSON.stringify(rest).length);
    },
  });
  rollout.inForce.onChange((mesh) => {
    publisher.update({ mesh, endpoints });
    publish();
  });
  rollout.start(after);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  expect([rollout.phase, rollout.inForce.value === after]).toEqual([undefined, true]);
  return { translations: publisher.translations - first, records };
}

it('a change of one port translates and stores as much among 40 services as among 20', async () => {
  const [some, many] = [await costOf(20), await costOf(40)];
  expect(many).toEqual(some);
  expect(some.translations).toBeGreaterThan(0);
});

it('what is translated anew is all that an edit changes, whatever it changes', async () => {
  const ledger = ledgerWith(fc.record({ 8080: portDoc, 8081: portDoc }));
  const indexes = await createOutboundIndexes(new MemoryStore());
  await indexes.ensure(['web', 'batch', 'ledger'].map((name) => ({ name: serviceName(name) })));
  const versionsOf = (publisher: Publisher, mesh: Mesh): readonly string[] =>
    [...mesh.services.keys()].map(toSidecar).flatMap((one) => {
      const { snapshot } = publisher.toPublication(one, LEAF);
      return [...snapshot].map(([url, { version }]) => `${one.node} ${url} ${version}`);
    });
  const create = (mesh: Mesh): Publisher =>
    new Publisher({ mesh, endpoints: new Map() }, { ...TOOLS, indexes });
  fc.assert(
    fc.property(ledger, ledger, (...docs) => {
      const [before, after] = docs.map((doc) => tryMesh(doc));
      if (before === undefined || after === undefined) throw new Error('a good mesh');
      const publisher = create(before);
      versionsOf(publisher, before);
      publisher.update({ mesh: after, endpoints: new Map() });
      versionsOf(publisher, after);
      // What it keeps of old targets for open connections goes by itself.
      TOOLS.clock.advance(OLD_TARGET_MS);
      expect(versionsOf(publisher, after)).toEqual(versionsOf(create(after), after));
    }),
    { numRuns: 60 },
  );
}, 60_000);

describe('whom a change concerns', () => {
  const input = (mesh: Mesh) => ({ mesh, endpoints: new Map() });
  const before = input(meshWith({ others: 3, mode: 'strict' }));
  const affected = (next: ReturnType<typeof input>) => {
    const found = toAffected(before, next);
    return found && [...found].sort();
  };

  it('a port: who serves it, and who may call it', () => {
    const next = input(meshWith({ others: 3, mode: 'permissive' }));
    expect(affected(next)).toEqual(['ledger', 'web']);
  });

  it('a remark that moves everything in the file: nobody', () => {
    const next = input(meshWith({ others: 3, mode: 'strict', more: '# a remark' }));
    expect(affected(next)).toEqual([]);
  });

  it('a service that comes, or a setting of the mesh: anybody', () => {
    expect(affected(input(meshWith({ others: 4, mode: 'strict' })))).toBeUndefined();
    const { mesh } = before;
    expect(toAffected(before, input({ ...mesh, trustDomain: 'other.example' }))).toBeUndefined();
  });

  it('an endpoint: who may call it', () => {
    const endpoints = new Map([[serviceName('ledger'), [{ address: '10.0.0.1' }]]]);
    const found = toAffected(before, { ...before, endpoints });
    expect([...(found ?? [])].sort()).toEqual(['ledger', 'web']);
  });

  it('connections that are to end: who serves them; a revocation: anybody', () => {
    const plainMarks = new Map([['ledger:8080', 'a mark']]);
    const revoked = { ...NOTHING_REVOKED, plainMarks };
    expect([...(toAffected(before, { ...before, revoked }) ?? [])]).toContain('ledger');
    const denied = { ...NOTHING_REVOKED, deniedIds: ['spiffe://shop.example/ns/default/sa/web'] };
    expect(toAffected(before, { ...before, revoked: denied })).toBeUndefined();
  });
});
