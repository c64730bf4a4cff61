import type { Mesh } from '../../src/policy/index.js';
import type { Phase } from '../../src/server/mesh/phases.js';
import { ORDER } from '../../src/xds/index.js';
import { isArrived } from './call-oracle.js';
import type { NodeConfig } from './node-config.js';
import { call, configOf, type Ending, type Ends, type Flow, formatFlow, works } from './world.js';

// A change of the mesh as sidecars may see it: each has, or has not yet, what each phase brings,
// and a phase is on its way into a sidecar type by type. Whatever they have, what every mesh of the
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

/** What sidecars may have. */
export interface Had {
  readonly callers: readonly Mesh[];
  readonly callees: readonly Mesh[];
}

/** What sidecars may have while that phase is in force. */
export function hadIn(starts: Had, phases: readonly Phase[], running: number): Had {
  const had = (name: string, before: readonly Mesh[]): Mesh[] => {
    const first = firstOf(phases, running, name);
    const own = phases.slice(Math.max(first, 0), running + 1).map(({ mesh }) => mesh);
    return first < 0 ? [...before, ...own] : own;
  };
  return { callers: had('web', starts.callers), callees: had('ledger', starts.callees) };
}

/** The first phase that a sidecar may still be in: it has those for which it was waited. */
function firstOf(phases: readonly Phase[], running: number, name: string): number {
  for (let index = running - 1; index >= 0; index--) {
    const awaits = phases[index]?.awaits;
    if (awaits === undefined || awaits.services.some((one) => one === name)) return index;
  }
  return -1;
}

/** Every moment on the way through these phases. */
export function* momentsOf(starts: Had, phases: readonly Phase[]): Generator<Moment> {
  for (let running = 0; running < phases.length; running++) {
    const { callers, callees } = hadIn(starts, phases, running);
    for (const callerMesh of callers) {
      const caller = (name: string): NodeConfig => configIn(callerMesh, name);
      for (const [index, calleeMesh] of callees.entries()) {
        const callee = configIn(calleeMesh, 'ledger');
        const ends = `callers ${callerMesh.version}, ledger ${calleeMesh.version}`;
        const what = `phase ${running}: ${ends}`;
        yield { what, caller, callee };
        const before = callees[index - 1];
        if (before === undefined) continue;
        const old = configIn(before, 'ledger');
        yield { what: `${what}, open`, caller, callee, accepted: old };
        let last = old;
        for (let taken = 1; taken < ORDER.length; taken++) {
          const partly = old.towards(callee, taken);
          if (partly.fingerprint === last.fingerprint) continue;
          last = partly;
          yield { what: `${what}, ${taken} types`, caller, callee: partly };
          yield { what: `${what}, ${taken} types, open`, caller, callee: partly, accepted: old };
        }
      }
    }
  }
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

/** What is wrong at some moment of the change; none of the meshes is one of its phases. */
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
