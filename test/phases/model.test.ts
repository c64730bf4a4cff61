import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Mesh } from '../../src/policy/index.js';
import { ledgerWith, MODES, PAIRS, portDoc, SEED, WEB } from './arbitraries.js';
import { faultsOf } from './change.js';
import { type LedgerDoc, type RuleDoc, tryMesh } from './meshes.js';
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

const ledger = ledgerWith(fc.record({ 8080: portDoc }));

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
