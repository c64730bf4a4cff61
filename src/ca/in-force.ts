// Whether a CA can sign now, in words that say what an operator can do about it.
import { MeshError, SECOND_MS, type Times, toRfc3339 } from '../base/index.js';
import type { CaChain } from './authority-material.js';

/**
 * That a leaf of it can hold at one of the times that it may be.
 * @throws MeshError certificate-invalid
 */
export function requireInForce({ root, rootKeyPem, issuer }: CaChain, times: Times): void {
  const { earliestMs, latestMs } = times;
  const hasEnded = ({ notAfterMs }: typeof root.facts): boolean =>
    notAfterMs - earliestMs < SECOND_MS;
  const ended = (what: string, { notAfterMs }: typeof root.facts): string =>
    `the ${what} ended ${toRfc3339(notAfterMs)}`;
  if (hasEnded(root.facts)) {
    const message = ended('root', root.facts);
    throw new MeshError('certificate-invalid', message, { variant: 'ended-root' });
  }
  if (hasEnded(issuer.facts)) {
    const message = ended('issuing CA', issuer.facts);
    if (rootKeyPem === undefined) {
      throw new MeshError('certificate-invalid', message, { variant: 'ended' });
    }
    throw new MeshError('certificate-invalid', message, { variant: 'ended-issuer' });
  }
  const beginMs = Math.max(root.facts.notBeforeMs, issuer.facts.notBeforeMs);
  if (beginMs <= latestMs) return;
  const message = `the CA begins ${toRfc3339(beginMs)}, and it is ${toRfc3339(latestMs)}`;
  throw new MeshError('certificate-invalid', message, { variant: 'not-begun' });
}

/** Whether there is a time that it may be at which it is in force. */
export function mayBeInForce(
  { notBeforeMs, notAfterMs }: { readonly notBeforeMs: number; readonly notAfterMs: number },
  { earliestMs, latestMs }: Times,
): boolean {
  return notAfterMs > earliestMs && notBeforeMs <= latestMs;
}
