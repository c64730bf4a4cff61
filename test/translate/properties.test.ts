import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Mesh, parseMesh, type ServiceName } from '../../src/policy/index.js';
import { toCallees } from '../../src/translate/callees.js';
import type { Registry, SidecarEndpoint } from '../../src/translate/index.js';
import { type ResourceSet, TYPE_URLS } from '../../src/xds/index.js';
import { meshOf } from '../policy/helpers.js';
import { registryOf, setsOf, translate } from './translated.js';

// What a change of one setting touches, and what it leaves byte for byte as it was: a changed
// listener or cluster drains connections, so each of these is a promise to open connections.

const SEED = { seed: 20_261_122, numRuns: 30 };

interface PortDoc {
  protocol: string;
  mtls: string;
  allow: { from: string[]; paths?: string[] }[];
  tls?: { minVersion: string };
}
type MeshDoc = Record<string, Record<string, PortDoc>>;

/** Rules of a DISABLE port can't name identities, and those of a tcp port no paths. */
const port = fc
  .record({
    protocol: fc.constantFrom('http', 'http2', 'grpc', 'tcp'),
    mtls: fc.constantFrom('strict', 'permissive', 'disable'),
    from: fc.subarray(['a', 'b', 'ns/c', 'ns/*', '*', 'anyone'], { minLength: 1 }),
    paths: fc.option(fc.subarray(['/x', '/x/*', '/{*}/y'], { minLength: 1 }), { nil: undefined }),
    minVersion: fc.constantFrom('TLSv1_2', 'TLSv1_3', undefined),
  })
  .map(({ protocol, mtls, from, paths, minVersion }): PortDoc => {
    const rule = {
      from: mtls === 'disable' ? ['anyone'] : from,
      ...(paths === undefined || protocol === 'tcp' ? {} : { paths }),
    };
    return { protocol, mtls, allow: [rule], ...(minVersion && { tls: { minVersion } }) };
  });

const ports = fc.dictionary(fc.constantFrom('8080', '8081', '9000'), port, { maxKeys: 3 });
const meshDoc: fc.Arbitrary<MeshDoc> = fc.record({ a: ports, b: ports, 'ns/c': ports });

function textOf(doc: MeshDoc, order: (names: string[]) => string[] = (names) => names): string {
  const services = order(Object.keys(doc)).map((name) => {
    const numbers = order(Object.keys(doc[name] ?? {}));
    return [
      name,
      { ports: new Map(numbers.map((number) => [number, doc[name]?.[number]])) },
    ] as const;
  });
  const access = { trustDomain: 'shop.example', access: 'deny' };
  return stringify(
    new Map<string, unknown>([...Object.entries(access), ['services', new Map(services)]]),
  );
}

const NAMES = ['a', 'b', 'ns/c'];
type Sets = ReadonlyMap<string, ResourceSet>;
const setsOfAll = (mesh: Mesh, registry: Registry = registryOf(mesh)): Map<string, Sets> =>
  new Map(NAMES.map((name) => [name, setsOf(mesh, { name, registry })]));

/** Versions are hashes of bytes. */
function bytesOf(sets: Sets | undefined, typeUrl: string): [string, string][] {
  const { resources } = sets?.get(typeUrl) ?? {};
  return [...(resources ?? [])].map(([name, { value }]) => [
    name,
    Buffer.from(value).toString('base64'),
  ]);
}

function allBytes(all: ReadonlyMap<string, Sets>): unknown {
  return [...all].map(([name, sets]) => [
    name,
    [...sets.keys()].map((typeUrl) => [typeUrl, bytesOf(sets, typeUrl)]),
  ]);
}

/** A mesh before and after a change of one port of service `a`. */
function changed(change: fc.Arbitrary<Partial<PortDoc>>): fc.Arbitrary<[Mesh, Mesh]> {
  return fc.tuple(meshDoc, port, change, change).map(([doc, base, before, after]): [Mesh, Mesh] => {
    const withPort = (part: Partial<PortDoc>): Mesh =>
      meshOf(textOf({ ...doc, a: { ...doc['a'], 8443: { ...base, ...part } } }));
    return [withPort(before), withPort(after)];
  });
}

it('the meshes of these properties are good ones', () => {
  const docs = fc.sample(meshDoc, { ...SEED, numRuns: 200 });
  const problems = docs.flatMap(
    (doc) => parseMesh([{ path: 'mesh.yaml', text: textOf(doc) }]).problems,
  );
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(docs.some((doc) => Object.keys(doc['a'] ?? {}).length > 1)).toBe(true);
});

it('translating twice gives identical bytes', () => {
  fc.assert(
    fc.property(meshDoc, (doc) => {
      const text = textOf(doc);
      expect(allBytes(setsOfAll(meshOf(text)))).toEqual(allBytes(setsOfAll(meshOf(text))));
    }),
    SEED,
  );
});

it('the order of the mesh file and of the registry is irrelevant', () => {
  fc.assert(
    fc.property(meshDoc, (doc) => {
      const mesh = meshOf(textOf(doc));
      const turned = meshOf(textOf(doc, (names) => names.toReversed()));
      const registry = new Map([...registryOf(turned)].toReversed());
      expect(allBytes(setsOfAll(turned, registry))).toEqual(allBytes(setsOfAll(mesh)));
    }),
    SEED,
  );
});

const ANYONE = [{ from: ['anyone'] }];
const mode = fc
  .constantFrom('strict', 'permissive', 'disable')
  .map((mtls) => ({ mtls, allow: ANYONE }));
const floor = fc.constantFrom('TLSv1_2', 'TLSv1_3').map((minVersion) => ({ tls: { minVersion } }));
const access = fc
  .subarray(['b', 'ns/*', '*', 'anyone'], { minLength: 1 })
  .map((from) => ({ mtls: 'strict', allow: [{ from: [...from, 'a', 'b', 'ns/c'] }] }));

function shells(mesh: Mesh): unknown {
  return translate(mesh, { name: 'a' })
    .listeners.filter(({ name }) => !String(name).startsWith('outbound:'))
    .map(({ filter_chains: _, ...shell }) => shell);
}

it("a listener's shell does not change with mode, TLS floor or rules", () => {
  const anyChange = fc.oneof(mode, floor, access);
  fc.assert(
    fc.property(
      changed(anyChange.map((part) => ({ ...part, allow: ANYONE }))),
      ([before, after]) => {
        expect(shells(after)).toEqual(shells(before));
      },
    ),
    SEED,
  );
});

it("a change of mode leaves every caller's clusters as they were", () => {
  fc.assert(
    fc.property(changed(mode), ([before, after]) => {
      const [old, next] = [setsOfAll(before), setsOfAll(after)];
      for (const name of NAMES) {
        const bytes = bytesOf(next.get(name), TYPE_URLS.cluster);
        expect(bytes).toEqual(bytesOf(old.get(name), TYPE_URLS.cluster));
      }
    }),
    SEED,
  );
});

it('a change of mode leaves the mesh port as it was', () => {
  fc.assert(
    fc.property(changed(mode), ([before, after]) => {
      const meshPort = (mesh: Mesh): unknown =>
        bytesOf(setsOf(mesh, { name: 'a' }), TYPE_URLS.listener).filter(
          ([name]) => name === 'mesh',
        );
      expect(meshPort(after)).toEqual(meshPort(before));
    }),
    SEED,
  );
});

it('a change of rules leaves every listener as it was', () => {
  fc.assert(
    fc.property(changed(access), ([before, after]) => {
      const [old, next] = [setsOfAll(before), setsOfAll(after)];
      for (const name of NAMES) {
        const bytes = bytesOf(next.get(name), TYPE_URLS.listener);
        expect(bytes).toEqual(bytesOf(old.get(name), TYPE_URLS.listener));
      }
    }),
    SEED,
  );
});

it('an endpoint that comes or goes touches EDS only', () => {
  fc.assert(
    fc.property(meshDoc, fc.uniqueArray(fc.nat({ max: 250 }), { maxLength: 3 }), (doc, hosts) => {
      const mesh = meshOf(textOf(doc));
      const moved: Registry = new Map<ServiceName, readonly SidecarEndpoint[]>([
        ...registryOf(mesh),
        ['a' as ServiceName, hosts.map((host) => ({ address: `10.2.0.${host}` }))],
      ]);
      const [old, next] = [setsOfAll(mesh), setsOfAll(mesh, moved)];
      for (const name of NAMES) {
        for (const typeUrl of old.get(name)?.keys() ?? []) {
          if (typeUrl === TYPE_URLS.endpoint) continue;
          expect(bytesOf(next.get(name), typeUrl)).toEqual(bytesOf(old.get(name), typeUrl));
        }
      }
    }),
    SEED,
  );
});

it('a workload gets clusters, endpoints and listeners only of services that it may call', () => {
  let refused = 0;
  fc.assert(
    fc.property(meshDoc, (doc) => {
      const mesh = meshOf(textOf(doc));
      for (const caller of mesh.services.values()) {
        const mayCall = toCallees(mesh, caller).map(
          (one) => `${one.callee.name}:${one.port.number}`,
        );
        const sets = setsOf(mesh, { name: caller.name });
        const names = (typeUrl: string): string[] => bytesOf(sets, typeUrl).map(([name]) => name);
        const clusters = names(TYPE_URLS.cluster).filter((name) => !name.startsWith('local:'));
        expect(clusters).toEqual(mayCall);
        expect(names(TYPE_URLS.endpoint)).toEqual(mayCall);
        const outbound = names(TYPE_URLS.listener).filter((name) => name.startsWith('outbound:'));
        expect(outbound).toEqual(mayCall.map((name) => `outbound:${name}`));
        const all = [...mesh.services.values()].flatMap(({ ports: list }) => list);
        refused += all.length - mayCall.length;
      }
    }),
    SEED,
  );
  expect(refused).toBeGreaterThan(0);
});
