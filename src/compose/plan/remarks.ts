// What whoever reads the result should know of a service, in whole sentences.
import type { ComposePort, ComposeService } from '../project/index.js';
import { isDatabase } from './callee-ports.js';
import type { PlannedPort, Shape } from './mesh-plan.js';

interface RemarkContext {
  readonly ports: readonly PlannedPort[];
  readonly shape: Shape;
  /** Why it is a job; undefined: it isn't. */
  readonly job: string | undefined;
  /** `capture: transparent` was asked for, and can't be. */
  readonly isHolderRefused: boolean;
}

export function remarksOf(service: ComposeService, context: RemarkContext): string[] {
  const { ports, shape, job, isHolderRefused } = context;
  const remarks = publishedRemarks(service);
  if (isDatabase(service) && ports.length > 0) {
    remarks.push(
      'Grants that name an address of a client no longer match: each call comes from the sidecar.',
    );
  }
  if (isHolderRefused) {
    remarks.push(
      `It has ${service.replicas} replicas, which can't share a holder: it is fronted instead.`,
    );
  }
  if (job !== undefined && job !== 'x-countersign') {
    remarks.push(
      `It is taken for a job that ends (${job}); x-countersign: { job: false } undoes that.`,
    );
  }
  if (shape === 'holder' && service.ports.some(({ protocol }) => protocol === 'udp')) {
    remarks.push('Its UDP ports go around the mesh, in plain text.');
  }
  return remarks;
}

/** Ports of each kind by themselves: one at a loopback address is open to nobody outside. */
function publishedRemarks({ ports }: ComposeService): string[] {
  const tcp = ports.filter(({ protocol }) => protocol === 'tcp');
  const local = tcp.filter(({ hostIp }) => isLoopback(hostIp));
  const outside = tcp.filter(({ hostIp }) => !isLoopback(hostIp));
  return [...toPublished(outside, 'to the outside'), ...toPublished(local, 'on the host alone')];
}

function toPublished(ports: readonly ComposePort[], where: string): string[] {
  const numbers = [...new Set(ports.map(({ target }) => target))];
  if (numbers.length === 0) return [];
  const what = numbers.length === 1 ? `Port ${numbers[0]} is` : `Ports ${listAnd(numbers)} are`;
  return [`${what} published ${where}: who calls there does so in plain text.`];
}

function isLoopback(hostIp: string | undefined): boolean {
  return hostIp !== undefined && /^(127\.|::1$|localhost$)/.test(hostIp);
}

function listAnd(numbers: readonly number[]): string {
  if (numbers.length > 8) return `${numbers.slice(0, 8).join(', ')} and ${numbers.length - 8} more`;
  return `${numbers.slice(0, -1).join(', ')} and ${numbers.at(-1)}`;
}
