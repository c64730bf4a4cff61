import { beforeAll, describe, expect, test } from 'vitest';
import { decideAccess } from '../../src/policy/decide.js';
import type { PortAccess } from '../../src/policy/index.js';
import { describeEnvoy, useHarness } from '../harness/index.js';
import { rawHttp2 } from '../harness/raw-http2.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';
import { meshOf, portOf } from '../policy/helpers.js';
import { request } from './transparency/case.js';
import { rawCall } from './transparency/raw-client.js';

// What rules say of a request, decided by us and by a real Envoy: the same for every spelling that
// HTTP/2 can carry, and HTTP/1, where methods of one's own are let through.
const MESH_PORT = 15443;
const RULES: Readonly<Record<number, string>> = {
  8081: 'deny: [ { methods: [DELETE, PUT] } ]',
  8082: 'allow: [ { from: [anyone], methods: [GET, DELETE] } ]',
  8083: 'allow: [ { from: [anyone], not: { methods: [DELETE] } } ]',
  8084: 'deny: [ { not: { methods: [GET, HEAD] } } ]',
  8085: 'deny: [ { methods: [DELETE], paths: [/admin/*], not: { paths: [/admin/open] } } ]',
  8086: 'allow: [ { from: [anyone], paths: [/admin/*], not: { paths: [/admin/open] } } ]',
  8087: 'allow: [ { from: [anyone], paths: [/admin/*], not: { methods: [POST], paths: [/z] } } ]',
};
const PORTS = Object.keys(RULES).map(Number);
/** No HEAD: what its answer was can't be told without a body. */
const METHODS = ['GET', 'get', 'Head', 'DELETE', 'delete', 'Delete', 'dELETE', 'PUT', 'pUt'];
const MORE_METHODS = ['POST', 'post', 'LIST', 'DELETES', 'DELET', 'DELETE_', 'X-DELETE', 'options'];
const PATHS = ['/', '/admin/x', '/admin/open', '/ADMIN/x', '/admin;a/x%3a', '/admin/open/'];

const toMesh = (back: (port: number) => string): string => {
  const toPort = (port: number): string =>
    `      ${port}: { protocol: http2, target: "${back(port)}", ${RULES[port]} }`;
  return `
trustDomain: test.example
services:
  web: {}
  back:
    ports:
${PORTS.map(toPort).join('\n')}
`;
};

await describeEnvoy('rules, decided by Envoy', {}, ({ binary }) => {
  const harness = useHarness('rules');
  let mesh: TestMesh;
  let identity: { readonly key: string; readonly cert: string };
  const accesses = new Map<number, PortAccess>();

  beforeAll(async () => {
    const apps = PORTS.map((port) => ({ port, kind: 'http2' as const }));
    let text = '';
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], back: apps },
      mesh: (service: (name: string) => TestService) => {
        text = toMesh((port) => service('back').target(port));
        return text;
      },
    });
    for (const port of PORTS) accesses.set(port, portOf(meshOf(text), `back:${port}`).access);
    await mesh.sidecar('back');
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    identity = await mesh.certificate('web');
  }, 60_000);

  const ask = (port: number, fields: readonly (readonly [string, string])[], plain: boolean) => {
    const { address } = mesh.service('back');
    if (plain) return rawHttp2({ address, port, fields });
    const { key, cert } = identity;
    const tls = { key, cert, servername: `${port}.back.default.mesh` };
    return rawHttp2({ address, port: MESH_PORT, tls, fields });
  };
  /** The same by HTTP/1.1; what isn't taken for a request is 400 there. */
  const askHttp1 = async (port: number, line: string, plain: boolean) => {
    const { address } = mesh.service('back');
    const { key, cert } = identity;
    const names = { servername: `${port}.back.default.mesh`, rejectUnauthorized: false };
    const at = plain ? { port } : { port: MESH_PORT, tls: { key, cert, ...names } };
    const answers = await rawCall({ address, ...at, send: [request(line)], methods: ['GET'] });
    const [answer] = answers.answers;
    if (answer === undefined || answer.start.includes(' 400 ')) return 'reset';
    return answer.body.includes('RBAC: access denied') ? 'refused' : 'answered';
  };
  const toFields = (method: string, path: string): [string, string][] => [
    [':method', method],
    [':scheme', 'http'],
    [':authority', 'back'],
    [':path', path],
  ];

  describe.each([
    ['in plain text', true, undefined],
    ['at the mesh port', false, 'spiffe://test.example/ns/default/sa/web'],
  ] as const)('%s', (_name, plain, spiffeId) => {
    test.each(PORTS)(
      'a method in any case is decided as decideAccess does: %i',
      async (port) => {
        const access = accesses.get(port);
        if (access === undefined) throw new Error('no such port');
        const wrong: string[] = [];
        const seen = new Set<string>();
        for (const method of [...METHODS, ...MORE_METHODS]) {
          for (const path of PATHS) {
            const who = { spiffeId, trustDomain: 'test.example' };
            const { allowed } = decideAccess(access, { ...who, method, path });
            const expected = allowed ? 'answered' : 'refused';
            seen.add(expected);
            const outcomes = await Promise.all([
              ask(port, toFields(method, path), plain),
              askHttp1(port, `${method} ${path}`, plain),
            ]);
            for (const [index, outcome] of outcomes.entries()) {
              if (outcome === expected) continue;
              wrong.push(`HTTP/${2 - index} ${method} ${path}: ${outcome}, not ${expected}`);
            }
          }
        }
        expect(wrong).toEqual([]);
        expect([...seen].sort()).toEqual(['answered', 'refused']);
      },
      30_000,
    );

    test('what is no method, and a method twice, reaches no application', async () => {
      const at = (method: string) => toFields(method, '/');
      const odd: readonly (readonly [string, string])[][] = [
        ...[...['DELETE ', ' DELETE', 'DEL ETE', 'DELETE,', 'DELETE\t'].map(at)],
        [[':method', 'GET'], ...at('DELETE')],
        [[':method', 'DELETE'], ...at('GET')],
        [...at('GET'), [':method', 'DELETE']],
        [...at('GET'), [':METHOD', 'DELETE']],
      ];
      // All at once: Envoy closes each connection only after a second.
      const outcomes = await Promise.all(odd.map((fields) => ask(8081, fields, plain)));
      expect([...new Set(outcomes)]).toEqual(['reset']);
      // A reader of HTTP/1 may take the space after DELETE for more than one: it is refused then.
      const spellings = ['DELETE ', 'DELETE\t', 'DEL ETE', 'DELETE,', 'DEL"ETE', '(DELETE)'];
      const reached = await Promise.all(
        spellings.map(async (method) => [method, await askHttp1(8081, `${method} /`, plain)]),
      );
      expect(reached.filter(([, outcome]) => outcome === 'answered')).toEqual([]);
    });
  });
});
