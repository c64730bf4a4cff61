// The track of one port: from the forms that it may have on some sidecar to another, in the steps
// that `port-change.ts` finds necessary (decision 041), forth to what is wanted or back again:
//   the sidecars that serve it widen → its callers' sidecars move → the former narrow
import {
  haveSameMeaning,
  type Mesh,
  mayCall,
  type Port,
  type Service,
  type ServiceName,
} from '../../policy/index.js';
import { toForms } from '../../translate/index.js';
import { withForm } from './forms-in-force.js';
import { toPortChange } from './port-change.js';
import { NO_PROGRESS, type PortStep, type PortTrack, type Reason } from './track.js';

/** A port and what may be in force of it. */
export type PortAt = Pick<
  PortTrack,
  'service' | 'number' | 'base' | 'serving' | 'calling' | 'callers'
>;

export interface Moment {
  readonly nowMs: number;
  /** Published, and wanted: whoever may call by either is waited for. */
  readonly meshes: readonly Mesh[];
}

export function idToText({ service, number }: Pick<PortTrack, 'service' | 'number'>): string {
  return `${service}:${number}`;
}

/** A port that is wholly in force in that form. */
export function atRest(service: ServiceName, port: Port): PortAt {
  const forms = { base: port, serving: [port], calling: [port] };
  return { service, number: port.number, ...forms, callers: [] };
}

/** Where a track leads, going back or not. */
export function toGoal({ steps, base }: Pick<PortTrack, 'steps' | 'base'>): Port {
  return steps.at(-1)?.form ?? base;
}

/** How it is published. */
export function toCurrent({ steps, base }: Pick<PortTrack, 'steps' | 'base'>): Port {
  return steps[0]?.form ?? base;
}

/** Begins a track to that form; its first step is in force from now on. */
export function beginPort(at: PortAt, goal: Port, moment: Moment): PortTrack {
  const current = at.serving.at(-1) ?? at.base;
  const change = toPortChange({ ...at, current }, goal);
  const forms = change?.callersForms ?? at.calling.map((form) => toForms(form).callers);
  const callers = toCallers(at, forms, moment);
  const all = [...new Set([at.service, ...toCallers({ ...at, callers }, [goal], moment)])];
  const narrow: PortStep = { name: 'narrow', form: goal, awaits: all };
  const { widens, widened, moved } = change ?? {};
  const widen: readonly PortStep[] =
    widens === true && widened !== undefined
      ? [{ name: 'widen', form: widened, awaits: [at.service] }]
      : [];
  const move: readonly PortStep[] =
    moved === undefined ? [] : [{ name: 'move', form: moved, awaits: callers }];
  const { service, number, base, serving, calling } = at;
  return enter(
    {
      ...{ kind: 'port', service, number, base, serving, calling, callers: all },
      ...{ retries: 0, ...NO_PROGRESS, sinceMs: moment.nowMs },
      steps: [...widen, ...move, narrow],
    },
    moment,
  );
}

/** The same way to a form that means the same and stands elsewhere in the file. */
export function refreshPort(track: PortTrack, port: Port): PortTrack {
  if (track.held !== undefined) return { ...track, held: { ...track.held, refused: port } };
  const goal = toGoal(track);
  const steps = track.steps.map((step) => (step.form === goal ? { ...step, form: port } : step));
  return { ...track, steps };
}

/** Back to what was, as any other change. */
export function turnBack(track: PortTrack, reason: Reason, moment: Moment): PortTrack {
  const held = { ...reason, refused: track.held?.refused ?? toGoal(track) };
  return { ...beginPort(track, track.base, moment), held, retries: track.retries };
}

/** What was refused is tried again. */
export function tryAgain(track: PortTrack, moment: Moment): PortTrack {
  const { held, retries } = track;
  if (held === undefined) return track;
  const isMute = held.why === 'mute';
  return { ...beginPort(track, held.refused, moment), retries: retries + (isMute ? 1 : 0) };
}

/** Where the next edit begins. Sidecars that took its last step have what it wanted. */
export function toPortAt(track: PortTrack): PortAt {
  const [step] = track.steps;
  const isThere = track.held === undefined && step?.name === 'narrow';
  return isThere ? { ...track, base: step.form } : track;
}

/**
 * Everybody whom the first step waits for has it, or counts no longer: the next is in force from
 * now on. Undefined: there is nothing left of it. @param isOnAll Nobody was passed over.
 */
export function nextPortStep(
  track: PortTrack,
  isOnAll: boolean,
  moment: Moment,
): PortTrack | undefined {
  const [done, ...steps] = track.steps;
  if (done === undefined) return track;
  const known = done.name === 'widen' && !isOnAll ? track : afterStep(track, done);
  if (steps.length > 0) return enter({ ...known, steps }, moment);
  if (track.held === undefined) return undefined;
  return { ...known, ...NO_PROGRESS, steps: [], serving: [track.base], calling: [track.base] };
}

/**
 * Callers aren't waited for while the sidecars that they call widen: they may still come as before.
 * Those who then don't move in time have lost their way: it isn't opened again for them.
 */
function afterStep(track: PortTrack, { name, form }: PortStep): PortTrack {
  switch (name) {
    case 'widen':
      return { ...track, serving: [form] };
    case 'move':
      return { ...track, calling: [form] };
    case 'narrow':
      return track;
  }
}

function enter(track: PortTrack, { nowMs }: Moment): PortTrack {
  const form = toCurrent(track);
  return {
    ...{ ...track, ...NO_PROGRESS, sinceMs: nowMs },
    serving: withForm(track.serving, form),
    calling: withForm(track.calling, form),
  };
}

/** Services that may come by one of these forms. */
function toCallers(
  { service: name, number, callers }: PortAt,
  forms: readonly Port[],
  { meshes }: Moment,
): readonly ServiceName[] {
  const found = meshes.flatMap((mesh) => {
    const callee = mesh.services.get(name);
    if (callee === undefined) return [];
    const may = (caller: Service): boolean =>
      forms.some((port) => mayCall(mesh, { caller, callee, port: { ...port, number } }));
    return [...mesh.services.values()].filter(may).map((caller) => caller.name);
  });
  return [...new Set([...callers, ...found])].sort();
}

export function isSameForm(a: Port, b: Port): boolean {
  return a === b || haveSameMeaning(a, b);
}
