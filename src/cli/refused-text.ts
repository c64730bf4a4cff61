// Callers of the xDS port that were refused, for people.
import type { RefusalStatus } from '../server/status/index.js';
import { count } from './problems.js';
import { toAge } from './time-text.js';

/** The newest; `--json` has them all. */
const SHOWN = 10;

export function toRefusedLines(refused: readonly RefusalStatus[], nowMs: number): string[] {
  if (refused.length === 0) return [];
  const shown = refused.slice(0, SHOWN).flatMap((refusal) => {
    const { code, reason, hint, count: times, lastAt, address, holder } = refusal;
    const often = `${count(times, 'time')}, last ${toAge(lastAt, nowMs)} ago`;
    const both = holder === undefined ? '' : ` (${address} is the address of ${holder})`;
    const line = `${toName(refusal)} ${code}, ${often}: ${reason}${both}`;
    return hint === undefined ? [line] : [line, `  hint: ${hint}`];
  });
  const more = refused.length - SHOWN;
  const rest = more > 0 ? [`and ${more} more: see --json`] : [];
  return ['', 'refused:', ...shown, ...rest];
}

/** What is proved of it, then what it says, then where it came from. */
function toName(refusal: RefusalStatus): string {
  const { peer, service, instance, tokenId, certificateSerial, claim } = refusal;
  const by =
    tokenId === undefined
      ? certificateSerial === undefined
        ? ''
        : ` (certificate ${certificateSerial})`
      : ` (token ${tokenId})`;
  const says = claim === undefined ? '' : `, which calls itself ${claim},`;
  if (service === undefined) return by === '' ? `${peer}${says}` : `${peer}${by}${says}`;
  const bound = instance === undefined ? '' : ` instance ${instance}`;
  const isSame = claim === service || claim?.startsWith(`${service}~`) === true;
  return `${isSame ? claim : `${service}${bound}`}${by} at ${peer}${isSame ? '' : says}`;
}
