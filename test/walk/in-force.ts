// Whether a mesh is in force on all but the faulty, as `status` tells it.
import type { ServerStatus } from '../../src/server/status/index.js';

/** The phases before the last one begin with these words. */
const BEFORE_THE_LAST = /(^|, )(both old and new settings|callers of )/;

/** A change of root is a phase too, which meshes don't wait for. */
const ROOT = /^new root: /;

/** Undefined: it is; else what is missing. */
export function whyNotInForce(
  { mesh, phase, proxies }: ServerStatus,
  { version, faulty }: { readonly version: string; readonly faulty: readonly string[] },
): string | undefined {
  const isFaulty = (node: string): boolean => faulty.some((one) => node.startsWith(`${one}~`));
  const problem = mesh.problems.find(({ severity }) => severity === 'error');
  if (problem !== undefined) return `refused: ${problem.message}`;
  if (mesh.version !== version) return 'the file is not taken';
  const late = proxies.filter(({ node, state }) => state !== 'synced' && !isFaulty(node));
  if (late.length > 0) return `not synced: ${late.map(({ node, state }) => `${node} ${state}`)}`;
  if (phase === null || ROOT.test(phase.name)) return undefined;
  const isLast = !BEFORE_THE_LAST.test(phase.name) && phase.waitingFor.every(isFaulty);
  return isLast ? undefined : `phase "${phase.name}" waits for ${phase.waitingFor}`;
}
