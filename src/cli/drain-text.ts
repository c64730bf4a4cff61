// `drain` for people: how far it is, whom it waits for, and whether Envoy can be stopped.
import type { DrainReport } from '../drains/index.js';
import type { StillOpen } from './envoy-open.js';
import { count } from './problems.js';

const NAMED = 10;

export function toStageLine({ stage, waitingFor }: DrainReport): string {
  switch (stage) {
    case 'callers':
      return `its callers are sent endpoints without it; not yet: ${toNames(waitingFor)}`;
    case 'settling':
      return 'nobody begins a call there any more; what was on its way arrives';
    case 'inbound':
      return 'its listeners are withdrawn';
    case 'done':
      return 'it takes no new connections';
  }
}

export function toDrainedLine(node: string, others: readonly string[]): string {
  const instead = others.length === 0 ? 'nobody' : count(others.length, 'other instance');
  return `${node} gets no new calls and takes no new connections; called instead: ${instead}`;
}

/** Where the drain is done: nothing is open, or nobody was asked. */
export function toStopLines(
  { service, instance }: { readonly service: string; readonly instance: string },
  open: StillOpen | undefined,
): readonly string[] {
  if (open === undefined) {
    return [
      'what is open there ends by itself, or is cut after the drain time of its Envoy',
      'before you stop it, see that nothing is: ' +
        `countersign drain ${service} --instance ${instance} --envoy-admin <host:port>`,
    ];
  }
  const { idle } = open;
  const left = idle === 0 ? '' : ` (${count(idle, 'idle connection')} will be closed)`;
  return [`nothing is open there: its Envoy can be stopped${left}`];
}

/** Undefined: nothing is open, or nobody was asked. */
export function toOpenProblem(open: StillOpen | undefined): readonly string[] | undefined {
  if (open === undefined || open.ports.length === 0) return undefined;
  const what = open.ports
    .map((one) => `${count(one.open, one.what)} on port ${one.port}`)
    .join(', ');
  return [
    `error: expected nothing to be open there any more but got ${what}`,
    '  hint: to stop Envoy now would cut them; wait longer by --timeout, or end them at their ends',
  ];
}

export function toWaitingProblem({ stage, waitingFor }: DrainReport): readonly string[] {
  const wanted =
    stage === 'inbound'
      ? 'expected its listeners to be withdrawn'
      : 'expected its callers to have gone over';
  return [
    `error: ${wanted} but still waiting for ${toNames(waitingFor)}`,
    '  hint: it stays drained: give the same command again to wait on, --undo takes it back',
  ];
}

function toNames(nodes: readonly string[]): string {
  if (nodes.length === 0) return 'nobody';
  const shown = nodes.slice(0, NAMED).join(', ');
  const more = nodes.length - NAMED;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
