// What changes in steps, and what an operator or a sidecar holds back, for people.
import type { HeldStatus, ServerStatus, StepStatus } from '../server/status/index.js';
import { toAge } from './time-text.js';

/** So many are named; `--json` has them all. */
const SHOWN = 20;
const NODES_SHOWN = 5;

/** A server of an earlier version knows of none but the phase. */
export function toStepLines(
  { steps = [], held = [], phase, paused = false, mesh }: Partial<ServerStatus>,
  nowMs: number,
): string[] {
  const lines = paused
    ? ['paused: no step is taken and no edit of the mesh file; see `resume`']
    : [];
  if (mesh?.heldEdit !== undefined) lines.push(toHeldEditLine(mesh.heldEdit));
  lines.push(...steps.slice(0, SHOWN).map((step) => toStepLine(step, nowMs)));
  if (steps.length > SHOWN) lines.push(`and ${steps.length - SHOWN} more: see --json`);
  if (steps.length === 0 && phase !== undefined && phase !== null) {
    const who = phase.waitingFor.length === 0 ? '' : `, waits for ${toNames(phase.waitingFor)}`;
    lines.push(`phase ${phase.name}${who}`);
  }
  return [...lines, ...held.slice(0, SHOWN).map(toHeldLine)];
}

function toStepLine({ of, step, since, waitingFor }: StepStatus, nowMs: number): string {
  const who = waitingFor.length === 0 ? '' : `, waits for ${toNames(waitingFor)}`;
  return `step ${step} of ${of}, since ${toAge(since, nowMs)}: ${STEPS[step]}${who}`;
}

const STEPS: Readonly<Record<StepStatus['step'], string>> = {
  widen: 'its sidecars take the old way and the new',
  move: 'its callers take the new way',
  narrow: 'the new settings',
  accept: 'its old identity and its new one are taken',
  issue: 'certificates of the new identity',
  connect: 'its connections are made anew',
  drop: 'its old identity is taken no longer',
  leave: 'its callers leave',
  drain: 'what is open goes on',
  forget: 'nothing is left of it',
};

function toNames(nodes: readonly string[]): string {
  const more = nodes.length - NODES_SHOWN;
  return nodes.slice(0, NODES_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

export function toHeldLine({ of, why, node, error, source }: HeldStatus): string {
  const said = error === undefined ? '' : `: ${error}`;
  switch (why) {
    case 'rejected':
      return `${source} held ${of} as it was: ${node} rejects the change${said}`;
    case 'mute':
      return `${source} held ${of} as it was: ${node} did not take the change in time`;
    case 'aborted':
      return `${source} held ${of} as it was: aborted`;
  }
}

function toHeldEditLine({ version, why }: NonNullable<ServerStatus['mesh']['heldEdit']>): string {
  const edit = `the mesh file has an edit, ${version}, that is held back`;
  switch (why) {
    case 'paused':
      return `${edit} until \`countersign resume\``;
    case 'manual':
      return `${edit} until \`countersign apply\``;
    case 'aborted':
      return `${edit}: it was aborted`;
  }
}
