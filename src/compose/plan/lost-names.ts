// Names in a service's settings that lead nowhere: said, since the mesh changes nothing about them.
import type { ComposeProject, ComposeService } from '../project/index.js';
import type { LostName } from './mentions.js';
import type { Shape } from './mesh-plan.js';
import { externalNetwork } from './reach.js';
import { shortName } from './texts.js';

/** Of one service. */
const MAX_REMARKS = 4;

export function lostRemarks(service: string, lost: readonly LostName[]): string[] {
  const remarks = lost
    .filter(({ caller }) => caller === service)
    .map(({ callee, evidence }) => {
      if (callee === undefined) {
        return `${evidence} names a host that is no service here: it is called outside the mesh.`;
      }
      const name = shortName(callee);
      return `${evidence} names ${name}, with which it shares no network: none is bridged for it.`;
    });
  return [...new Set(remarks)].slice(0, MAX_REMARKS);
}

/** Other projects' containers aren't in the file: what it calls of them can't be known. */
export function externalRemarks(
  service: ComposeService,
  { project, shape }: { project: ComposeProject; shape: Shape },
): string[] {
  const network = externalNetwork(service, project);
  if (network === undefined || shape === 'holder') return [];
  const name = shortName(network);
  return [
    `It no longer reaches what it calls of other projects on the network ${name}, if anything: ` +
      'x-countersign: { capture: transparent } leaves it there.',
  ];
}
