// The outage horizon and the server's warnings, for people.
import { toSpan } from '../base/index.js';
import type { HorizonStatus, ServerStatus } from '../server/status/index.js';

const WORDS: Readonly<Record<HorizonStatus['what'], string>> = {
  root: 'the root',
  issuer: 'the issuing certificate',
  crl: 'the revocation list',
  leaf: 'leaf',
  token: 'token',
  'xds-certificate': 'the certificate of the xDS port',
  'xds-anchor': 'the anchor of the xDS port',
};
/** Ends that only matter to a sidecar that connects again. */
const JOINING: readonly string[] = ['token', 'xds-certificate', 'xds-anchor'];

export function toHorizonLines(
  { horizon, warnings }: Pick<ServerStatus, 'horizon' | 'warnings'>,
  nowMs: number,
): string[] {
  const texts = warnings.map(({ text }) => `warning: ${text}`);
  if (horizon === null) return texts;
  const { at, what, node } = horizon;
  const whose = node === null ? '' : ` of ${node}`;
  const only = !JOINING.includes(what) ? '' : ' (it could not join again)';
  const end = `${WORDS[what]}${whose} at ${at}${only}`;
  const leftMs = Date.parse(at) - nowMs;
  const left = leftMs <= 0 ? `ENDED ${toSpan(-leftMs)} ago` : `in ${toSpan(leftMs)}`;
  return [`if the server stopped now, the first thing to fail: ${end}, ${left}`, ...texts];
}
