import { MeshError, systemErrorCode } from '../base/index.js';

/** Debian's nobody and nogroup; the numbers mean the same on every Linux. */
const NOBODY = 65_534;

type Process = Pick<NodeJS.Process, 'setgroups' | 'setgid' | 'setuid'>;

/**
 * Gives up root, and with it every right that this process has, for good.
 * @throws MeshError capture-failed where it may not
 */
export function becomeNobody(process: Process): void {
  try {
    process.setgroups?.([]);
    process.setgid?.(NOBODY);
    process.setuid?.(NOBODY);
  } catch (error) {
    const message = `expected the right to become nobody but got ${systemErrorCode(error)}`;
    throw new MeshError('capture-failed', message, { cause: error, variant: 'no-drop' });
  }
}
