import { expect, it } from 'vitest';
import type { Json } from '../../src/cli/proto-json.js';
import { goldenCases, meshOfCase } from './golden-cases.js';
import { at, type JsonObject, objectsIn, translate } from './translated.js';

const workloads = goldenCases.flatMap((name) => {
  const mesh = meshOfCase(name);
  return [...mesh.services.values()].map((service) => ({
    service,
    sent: translate(mesh, { name: service.name }),
  }));
});

const withPrincipals = workloads
  .flatMap(({ sent }) => [...objectsIn(Object.values(sent).flat())])
  .filter((object) => 'principals' in object);

it('where one way in is given, no rule permits whoever comes by the other', () => {
  const seen = new Set<string>();
  const permits = (rules: Json | undefined, mode: string): void => {
    for (const policy of Object.values((at(rules, 'policies') ?? {}) as JsonObject)) {
      const principals = at(policy, 'principals');
      const ids = (at(principals, 0, 'and_ids', 'ids') ?? [at(principals, 0)]) as JsonObject[];
      const says = JSON.stringify(ids);
      if (mode === 'disable') expect(says).toContain('{"not_id":{"authenticated":{}}}');
      if (mode === 'strict' && says.includes('"any":true'))
        expect(says).toContain('{"prefix":"spiffe://shop.example/"}');
      if (mode === 'strict') expect(says).toContain('principal_name');
      seen.add(mode);
    }
  };
  for (const { service, sent } of workloads) {
    for (const { number, mode } of service.ports) {
      const route = sent.routes.find(({ name }) => name === `inbound:${number}`);
      const allow = ['typed_per_filter_config', 'countersign.allow', 'rbac', 'rules'];
      permits(at(route, ...allow), mode);
      for (const way of ['', 'plain:']) {
        const name = `countersign.allow:${way}${number}`;
        const filter = sent.extensions.find((one) => one.name === name);
        permits(at(filter, 'typed_config', 'rules'), mode);
      }
    }
  }
  expect([...seen].sort()).toEqual(['disable', 'permissive', 'strict']);
});

it('rules of tcp ports are those that a chain refers to: nobody asks for others', () => {
  let asked = 0;
  for (const { sent } of workloads) {
    const referred = [...objectsIn([...sent.listeners])]
      .filter((object) => 'config_discovery' in object)
      .map(({ name }) => String(name));
    const rules = sent.extensions.map(({ name }) => String(name));
    expect(rules.sort()).toEqual([...new Set(referred)].sort());
    asked += rules.length;
  }
  expect(asked).toBeGreaterThan(0);
});

it('every rule names its caller by the verified URI, or says any, or plain text', () => {
  let inPlain = 0;
  for (const { principals } of withPrincipals) {
    // By TLS, with a certificate or without: only ever negated.
    const plain = new Set(
      [...objectsIn(principals ?? null)]
        .map(({ not_id: not }) => not)
        .filter((not) => JSON.stringify(not) === '{"authenticated":{}}'),
    );
    inPlain += plain.size;
    for (const one of objectsIn(principals ?? null)) {
      const known = ['and_ids', 'or_ids', 'not_id', 'ids', 'any', 'authenticated'];
      const inner = ['principal_name', 'exact', 'prefix'];
      for (const key of Object.keys(one)) expect([...known, ...inner]).toContain(key);
      if ('authenticated' in one && !plain.has(one))
        expect(at(one, 'authenticated', 'principal_name')).toBeDefined();
    }
  }
  expect(inPlain).toBeGreaterThan(0);
});
