// Scripts of streams that carry one type. Every ADS script that asks for one type only runs on such
// a stream too; written here is what differs. `-` stands for no type URL.
import type { Script } from './script.js';
import { DELTA_SCRIPTS, SOTW_SCRIPTS } from './scripts.js';

const OWN: readonly Script[] = [
  {
    name: 'the type URL may be left out',
    variant: 'sotw',
    only: 'cds',
    lines: `set cds:a@1
      > -
      < cds 1 a@1
      > - ack 1
      < nothing
      > cds ack 1 a
      < cds 2 a@1`,
  },
  {
    name: 'the type URL may be left out',
    variant: 'delta',
    only: 'eds',
    lines: `set eds:a@1
      > - +a
      < eds 1 a@1
      > - ack 1
      ? synced`,
  },
  {
    name: 'a type URL that changes ends the stream',
    variant: 'sotw',
    only: 'cds',
    lines: `set cds:a@1 eds:a@1
      > cds
      < cds 1 a@1
      > eds a
      < fail request-invalid`,
  },
  {
    name: 'a type URL that changes ends the stream',
    variant: 'delta',
    only: 'rds',
    lines: `set rds:r@1 eds:a@1
      > rds +r
      < rds 1 r@1
      > eds +a
      < fail request-invalid`,
  },
  {
    name: 'a first request for another type ends the stream',
    variant: 'sotw',
    only: 'sds',
    lines: `set cds:a@1
      > cds
      < fail request-invalid`,
  },
  {
    name: 'types of other streams hold nothing back and are not waited for',
    variant: 'delta',
    only: 'cds',
    lines: `set cds:a@1,b@1 lds:l@1 rds:r@1
      > cds
      < cds 1 a@1 b@1
      > cds ack 1
      set cds:a@1 lds:l@2 rds:r@2
      < cds 2 -b
      > cds ack 2
      ? synced`,
  },
  {
    name: 'reconnect: what is gone goes at once',
    variant: 'delta',
    only: 'cds',
    lines: `set cds:a@1
      > cds claims a@1 gone@1
      < cds 1 -gone
      > cds ack 1
      ? synced`,
  },
];

function toOneType(script: Script): readonly Script[] {
  // What an ADS stream does by a deadline, it does for its other types.
  if (script.lines.includes('alarm')) return [];
  const asked = script.lines.matchAll(/^\s*> (\S+)/gm);
  const types = new Set([...asked].map((match) => match[1] ?? ''));
  const [only] = types;
  return types.size === 1 && only !== undefined ? [{ ...script, only }] : [];
}

export const ONE_TYPE_SCRIPTS: readonly Script[] = [
  ...OWN,
  ...[...SOTW_SCRIPTS, ...DELTA_SCRIPTS].flatMap(toOneType),
];
