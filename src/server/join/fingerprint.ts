import { createHash } from 'node:crypto';
import type { Caller } from '../../grpc/index.js';

/**
 * Tells what a caller shows from what others do, whether or not it is good. The two parts apart:
 * neither may be taken for a piece of the other.
 */
export function toFingerprint({
  authorization = '',
  certificate = new Uint8Array(),
}: Caller): string {
  const hash = createHash('sha256').update(`${Buffer.byteLength(authorization)}\n`);
  return hash.update(authorization).update(certificate).digest('base64');
}
