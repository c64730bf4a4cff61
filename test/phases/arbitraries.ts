import fc from 'fast-check';
import { type LedgerDoc, type PortDoc, type RuleDoc, tryMesh } from './meshes.js';

// Meshes of all that an edit of `ledger` may change at once.

export const MODES = ['strict', 'permissive', 'disable'];
export const WEB: RuleDoc = { from: ['web'] };
/** `npm run soak` asks for more. */
export const PAIRS = Number(process.env['PHASE_PAIRS'] ?? 150);
export const SEED = Number(process.env['PHASE_SEED'] ?? 20_261_128);

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

export const portDoc = fc
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

export function ledgerWith(
  ports: fc.Arbitrary<{ readonly [port: string]: PortDoc }>,
): fc.Arbitrary<LedgerDoc> {
  return fc
    .record({
      ports,
      allow: some(rules),
      meshDeny: some(rules),
      namespaceDeny: some(rules),
      namespaceAllow: some(rules),
    })
    .map((doc) => compact(doc) as LedgerDoc)
    .filter((doc) => tryMesh(doc) !== undefined);
}
