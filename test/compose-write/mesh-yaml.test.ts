import { describe, expect, test } from 'vitest';
import { toMeshYaml, type Wiring, wire } from '../../src/compose/write/index.js';
import { parseMesh } from '../../src/policy/index.js';
import { plan, port, service, shop } from './plans.js';

const WIRING = wire(shop());

function problemsOf(text: string): readonly string[] {
  const { problems } = parseMesh([{ path: 'mesh.yaml', text }]);
  const serious = problems.filter(({ severity }) => severity === 'error' || severity === 'warning');
  return serious.map(({ message }) => message);
}

function of(...services: Parameters<typeof service>[]): Wiring {
  return wire(plan({ services: services.map((args) => service(...args)) }));
}

describe('a new mesh.yaml', () => {
  const { text, added } = toMeshYaml(WIRING);

  test('is a mesh without problems, in which strict is one word away', () => {
    expect(problemsOf(text)).toEqual([]);
    const strict = text.replace('mtls: permissive', 'mtls: strict');
    expect(parseMesh([{ path: 'mesh.yaml', text: strict }]).mesh).toBeDefined();
  });

  test('has every service, and what is called in plain text', () => {
    expect(added).toEqual(['web', 'api', 'db', 'cache', 'migrate', 'audit']);
    const { mesh } = parseMesh([{ path: 'mesh.yaml', text }]);
    expect([...(mesh?.services.keys() ?? [])].toSorted()).toEqual([...added].toSorted());
  });

  test('says on what each guess rests, and who calls', () => {
    expect(text).toContain('      # expose 5432\n      5432: { protocol: tcp');
    expect(text).toContain(
      '  # Called by api, migrate; to close it to others: allow: [{ from: [api, migrate] }]\n  db:',
    );
    expect(text).toContain('published at 127.0.0.1:8080');
  });

  test('stays inside its comments whatever an evidence says', () => {
    const evil = { ...port(80), evidence: 'x\nmtls: disable\n' };
    const { text: written } = toMeshYaml(of(['web', { ports: [evil] }]));
    expect(written).toContain('# x mtls: disable\n');
    expect(parseMesh([{ path: 'mesh.yaml', text: written }]).mesh?.services.size).toBe(1);
  });
});

describe('a mesh.yaml that is there', () => {
  test('stays as it is, byte for byte, when nothing is missing', () => {
    const { text } = toMeshYaml(WIRING);
    const again = toMeshYaml(WIRING, text);
    expect(again).toEqual({ text, added: [], others: [], differences: [] });
    const edited = text
      .replace('mtls: permissive', 'mtls:   strict  # at last')
      .replace('  db:\n', '  db:\n    allow: [{ from: [api] }]\n')
      .replace('protocol: grpc', "protocol: 'http2'");
    expect(toMeshYaml(WIRING, edited).text).toBe(edited);
  });

  test('gets the services and ports that it lacks, and nothing else', () => {
    const before = toMeshYaml(of(['web', { ports: [port(80)] }])).text;
    const after = toMeshYaml(of(['web', { ports: [port(80), port(443, 'tcp')] }], ['api']), before);
    expect(after.added).toEqual(['web:443', 'api']);
    expect(problemsOf(after.text)).toEqual([]);
    const lines = after.text.split('\n');
    for (const line of before.split('\n')) expect(lines).toContain(line);
    expect(after.text).toContain('443: { protocol: tcp, target: "web.application.internal:443" }');
  });

  test('keeps what is no longer in the compose file, which is named', () => {
    const before = toMeshYaml(of(['web'], ['old'])).text;
    const after = toMeshYaml(of(['web']), before);
    expect(after.text).toBe(before);
    expect(after.others).toEqual(['old']);
  });

  test('is said to differ where the application is somewhere else', () => {
    const before = [
      'trustDomain: a.example',
      'services:',
      '  web: { ports: { 8080: http } }',
      '  api: { sidecar: false, endpoints: [10.0.0.1], ports: { 8080: http } }\n',
    ].join('\n');
    const { text, differences } = toMeshYaml(of(['web'], ['api']), before);
    expect(text).toBe(before);
    expect(differences).toEqual([
      'mesh.yaml has no target for web:8080, ' +
        'but the application is at web.application.internal:8080: change it there',
      'mesh.yaml says that api has none (sidecar: false), ' +
        'but here it gets one: change or delete it there',
    ]);
  });
});

test.each([
  ['no services', 'trustDomain: a.example\n'],
  ['services of nothing', 'services:\ntrustDomain: a.example\n'],
  ['services in flow style', 'services: {}\ntrustDomain: a.example\n'],
  ['a service of nothing', 'trustDomain: a.example\nservices:\n  web:\n'],
  ['a service in flow style', 'trustDomain: a.example\nservices:\n  web: {}\n'],
  [
    'services in the namespace default',
    'trustDomain: a.example\nservices:\n  default/web: { mtls: strict }\n',
  ],
])('a mesh.yaml with %s is added to', (_, before) => {
  const wiring = of(['web'], ['api']);
  const { text } = toMeshYaml(wiring, before);
  expect(problemsOf(text)).toEqual([]);
  const again = toMeshYaml(wiring, text);
  expect(again).toEqual({ text, added: [], others: [], differences: [] });
});

test('a mesh.yaml with an alias where something is missing is refused, with what to add', () => {
  const before =
    'trustDomain: a.example\nservices:\n  api: &a { ports: { 80: http } }\n  web: *a\n';
  expect(() => toMeshYaml(of(['web']), before)).toThrow(
    'expected a map at services.web.ports that can be added to',
  );
});
