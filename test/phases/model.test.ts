import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Mesh } from '../../src/policy/index.js';
import { faultsOf } from './change.js';
import { type LedgerDoc, type PortDoc, type RuleDoc, tryMesh } from './meshes.js';
import { momentsToTheEnd, Walk } from './walk.js';
import { type Flow, flowsTo } from './world.js';

// Every pair of small meshes, at every moment of the way between them, for every way in (DESIGN.md,
// "Phases"): what both let in works, and what both forbid doesn't. What is judged are the resources
// that sidecars have, by an oracle of its own.

const METHODS = ['GET', 'POST'].map((method) => ({ method, path: '/' }));

function faultsBetween(before: Mesh, after: Mesh, flows: readonly Flow[]): readonly string[] {
  const walk = new Walk(before);
  walk.edit(after);
  return faultsOf([before, after], { flows, moments: momentsToTheEnd(walk) });
}

const MODES = ['strict', 'permissive', 'disable'];
const WEB: RuleDoc = { from: ['web'] };
const POST: RuleDoc = { methods: ['POST'] };
const ANYONE: RuleDoc = { from: ['anyone'] };

it.each([false, true])(
  'two services, captured %s: every pair of modes, rules of the service and of the mesh',
  (isCaptured) => {
    const allows = [undefined, [WEB], [ANYONE]];
    const denies = [undefined, [{ ...WEB, ...POST }]];
    const meshes = MODES.flatMap((mtls) =>
      allows.flatMap((allow) =>
        denies.flatMap((meshDeny) => {
          const ports = { 8080: { protocol: 'http', mtls } };
          const doc = { isCaptured, ports, ...(allow && { allow }), ...(meshDeny && { meshDeny }) };
          return tryMesh(doc) ?? [];
        }),
      ),
    );
    expect(meshes.length).toBeGreaterThan(15);
    const flows = flowsTo(8080, ['web'], METHODS);
    const faults = meshes.flatMap((before) =>
      meshes.flatMap((after) => faultsBetween(before, after, flows)),
    );
    expect(faults.slice(0, 5)).toEqual([]);
  },
  120_000,
);

const from = fc.constantFrom(['web'], ['batch'], ['*'], ['anyone']);
const methods = fc.constantFrom(['GET'], ['POST']);
const paths = fc.constantFrom(['/a'], ['/a/*']);
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 1 });

/** Absent keys are absent. */
const compact = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;

const rule = fc
  .record({ from, methods: some(methods), paths: some(paths), not: some(fc.constant({ ...WEB })) })
  .map((one) => compact(one) as RuleDoc);
const rules = fc.array(rule, { minLength: 1, maxLength: 2 });

const port = fc
  .record({
    protocol: fc.constantFrom('http', 'http', 'http', 'http2', 'tcp', 'tcp'),
    mtls: fc.constantFrom(...MODES),
    target: fc.constantFrom('127.0.0.1:9001', '127.0.0.1:9002', 'app.example:9001'),
    tls: fc.constantFrom(
      { minVersion: 'TLSv1_3' },
      { minVersion: 'TLSv1_2' },
      { minVersion: 'TLSv1_2', maxVersion: 'TLSv1_2' },
    ),
    allow: some(rules),
    deny: some(rules),
  })
  .map((one) => withoutRequests(compact(one) as PortDoc));

/** Rules of a tcp port's own know no requests. */
function withoutRequests(doc: PortDoc): PortDoc {
  if (doc.protocol !== 'tcp') return doc;
  const strip = (list: readonly RuleDoc[] | undefined): RuleDoc[] | undefined =>
    list?.map(({ methods: _, paths: __, ...one }) => one);
  return compact({ ...doc, allow: strip(doc.allow), deny: strip(doc.deny) }) as PortDoc;
}

const ledger: fc.Arbitrary<LedgerDoc> = fc
  .record({
    ports: fc.record({ 8080: port }),
    allow: some(rules),
    meshDeny: some(rules),
    namespaceDeny: some(rules),
    namespaceAllow: some(rules),
  })
  .map((doc) => compact(doc) as LedgerDoc)
  .filter((doc) => tryMesh(doc) !== undefined);

function toMesh(doc: LedgerDoc): Mesh {
  const mesh = tryMesh(doc);
  assert(mesh !== undefined, 'a good mesh');
  return mesh;
}

const REQUESTS = [
  ...METHODS.map(({ method }) => ({ method, path: '/a' })),
  { method: 'GET', path: '/b' },
];
const FLOWS = flowsTo(8080, ['web', 'batch'], REQUESTS);
/** `npm run soak` asks for more. */
const PAIRS = Number(process.env['PHASE_PAIRS'] ?? 150);
const SEED = Number(process.env['PHASE_SEED'] ?? 20_261_128);

it('pairs of all that one edit of a port may change at once', () => {
  fc.assert(
    fc.property(ledger, ledger, fc.boolean(), (before, after, isCaptured) => {
      const [from, to] = [before, after].map((doc) => toMesh({ ...doc, isCaptured }));
      assert(from !== undefined && to !== undefined);
      const faults = faultsBetween(from, to, FLOWS);
      expect(faults.slice(0, 3)).toEqual([]);
    }),
    { seed: SEED, numRuns: PAIRS },
  );
}, 600_000);

it('an edit that overtakes another at any of its steps', () => {
  const triple = fc.tuple(ledger, ledger, ledger, fc.nat({ max: 2 }));
  fc.assert(
    fc.property(triple, ([one, two, three, at]) => {
      const [before, middle, after] = [toMesh(one), toMesh(two), toMesh(three)];
      const walk = new Walk(before);
      walk.edit(middle);
      let steps = 0;
      for (const _ of walk.toTheEnd()) if (steps++ === at) break;
      walk.edit(after);
      const meshes = [before, middle, after];
      const moments = momentsToTheEnd(walk);
      expect(faultsOf(meshes, { flows: FLOWS, moments }).slice(0, 3)).toEqual([]);
    }),
    { seed: SEED, numRuns: Math.ceil(PAIRS / 3) },
  );
}, 600_000);
