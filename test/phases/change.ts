import { strict as assert } from 'node:assert';
import type { Mesh } from '../../src/policy/index.js';
import { ORDER } from '../../src/xds/index.js';
import { isArrived } from './call-oracle.js';
import type { NodeConfig } from './node-config.js';
import { call, configOf, type Ending, type Ends, type Flow, formatFlow, works } from './world.js';

// A change of the mesh as sidecars may see it: each has, or has not yet, what was published last,
// and that is on its way into a sidecar type by type. Whatever they have, what every mesh of the
// change lets in works, and what none lets in doesn't.

/** What the callers' and the callee's sidecars have at one time. */
export interface Moment {
  readonly what: string;
  readonly caller: (name: string) => NodeConfig;
  readonly callee: NodeConfig;
  /** By which a connection was taken that is still open. */
  readonly accepted?: NodeConfig;
}

const configs = new WeakMap<Mesh, Map<string, NodeConfig>>();

export function configIn(mesh: Mesh, name: string): NodeConfig {
  const known = configs.get(mesh) ?? new Map<string, NodeConfig>();
  configs.set(mesh, known);
  const config = known.get(name) ?? configOf(mesh, name);
  known.set(name, config);
  return config;
}

/** Which of the meshes, that were published in this order, sidecars may have. */
export interface Had {
  readonly published: readonly Mesh[];
  /** The first that the sidecar of a service may still have; it may have any later one. */
  readonly first: (service: string) => number;
}

/** Every moment while the last of these is published. */
export function* momentsOf({ published, first }: Had): Generator<Moment> {
  const last = published.length - 1;
  const newest = configIn(at(published, last), 'ledger');
  const oldest = Math.min(first('web'), first('batch'));
  for (let callers = oldest; callers <= last; callers++) {
    const caller = (name: string): NodeConfig =>
      configIn(at(published, Math.max(callers, first(name))), name);
    for (let callees = first('ledger'); callees <= last; callees++) {
      const callee = configIn(at(published, callees), 'ledger');
      const what = `mesh ${last}: callers have ${callers}, ledger ${callees}`;
      yield { what, caller, callee };
      if (callees === last) continue;
      yield { what: `${what}, open`, caller, callee: newest, accepted: callee };
      let before = callee;
      for (let taken = 1; taken < ORDER.length; taken++) {
        const partly = callee.towards(newest, taken);
        if (partly.fingerprint === before.fingerprint) continue;
        before = partly;
        yield { what: `${what}, ${taken} types`, caller, callee: partly };
        yield { what: `${what}, ${taken} types, open`, caller, callee: partly, accepted: callee };
      }
    }
  }
}

function at(published: readonly Mesh[], index: number): Mesh {
  const mesh = published[index];
  assert(mesh !== undefined, 'a mesh that was published');
  return mesh;
}

/** Equal for calls that end alike. */
function keyOf(flow: Flow, { caller, callee, accepted = callee }: Ends): string {
  const end = flow.by === 'sidecar' ? caller.fingerprint : 0;
  return `${formatFlow(flow)} ${end} ${callee.fingerprint} ${accepted.fingerprint}`;
}

const ended = new Map<string, readonly Ending[]>();

function endingsOf(key: string, flow: Flow, ends: Ends): readonly Ending[] {
  const endings = ended.get(key) ?? call(flow, ends);
  ended.set(key, endings);
  return endings;
}

interface Verdict {
  readonly works: boolean;
  readonly at: readonly string[];
}

const toVerdict = (endings: readonly Ending[]): Verdict => ({
  works: works(endings),
  at: endings.flatMap(({ outcome }) => (isArrived(outcome) ? [outcome.at] : [])),
});

/** Whatever it is spoken to in. */
function isSameApplication(a: string, b: string): boolean {
  return a.split(' ')[0] === b.split(' ')[0];
}

interface Changes {
  readonly flows: readonly Flow[];
  readonly moments: Iterable<Moment>;
}

/** What is wrong at some moment of the change; none of the meshes stands in between. */
export function faultsOf(meshes: readonly Mesh[], { flows, moments }: Changes): readonly string[] {
  const faults: string[] = [];
  const pure = pureVerdicts(meshes);
  const seen = new Set<string>();
  for (const { what, caller, callee, accepted } of moments) {
    for (const flow of flows) {
      const ends = {
        ...{ caller: caller(flow.caller), callee },
        ...(accepted === undefined ? {} : { accepted }),
      };
      const key = keyOf(flow, ends);
      if (seen.has(key)) continue;
      seen.add(key);
      const endings = endingsOf(key, flow, ends);
      const fault = toFault(flow, { endings, pure, isOpen: accepted !== undefined });
      if (fault !== undefined) faults.push(`${fault} at ${what}`);
    }
  }
  return faults;
}

type Pure = (flow: Flow) => readonly Verdict[];

/** What each mesh says of a flow where it is wholly in force. */
function pureVerdicts(meshes: readonly Mesh[]): Pure {
  const known = new Map<string, readonly Verdict[]>();
  return (flow) => {
    const name = formatFlow(flow);
    const verdicts =
      known.get(name) ??
      meshes.map((mesh) => {
        const ends = { caller: configIn(mesh, flow.caller), callee: configIn(mesh, 'ledger') };
        return toVerdict(endingsOf(keyOf(flow, ends), flow, ends));
      });
    known.set(name, verdicts);
    return verdicts;
  };
}

interface Found {
  readonly endings: readonly Ending[];
  readonly pure: Pure;
  /** On a connection of before, which is drained: it is a new one that has to work. */
  readonly isOpen: boolean;
}

function toFault(flow: Flow, { endings, pure, isOpen }: Found): string | undefined {
  const verdicts = pure(flow);
  const isAsBefore = endings.every(
    ({ outcome }) => isArrived(outcome) && verdicts.some(({ at }) => at.includes(outcome.at)),
  );
  if (verdicts.every((verdict) => verdict.works) && !isOpen && !isAsBefore) {
    const why = endings.map(({ outcome }) => JSON.stringify(outcome)).join();
    return `refused though all allow it: ${formatFlow(flow)}: ${why}`;
  }
  for (const { outcome, way } of endings) {
    if (!isArrived(outcome)) continue;
    const may = [flow, { ...flow, by: way }].flatMap((one) => pure(one).flatMap(({ at }) => at));
    if (may.some((at) => isSameApplication(at, outcome.at))) continue;
    return `served though all forbid it: ${formatFlow(flow)}: ${outcome.at}`;
  }
  return undefined;
}
