import { isIP } from 'node:net';
import type { Port } from '../policy/index.js';

/** Whether a DNS name stands for the application, which may then have any number of addresses. */
export function hasNamedTarget({ target }: Pick<Port, 'target'>): boolean {
  return isIP(target.address) === 0;
}
