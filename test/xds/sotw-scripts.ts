// The SotW scripts over ADS. docs/xds-rules.md names them by rule.
import type { Script } from './script.js';

const sotw = (name: string, lines: string): Script => ({ name, variant: 'sotw', lines });

export const SOTW_SCRIPTS: readonly Script[] = [
  sotw(
    'an empty first request is a wildcard; an ACK is answered by nothing',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     < nothing
     ? synced`,
  ),
  sotw(
    'a wildcard is answered even where there is nothing',
    `set cds: lds:
     > cds
     < cds 1
     > lds
     < nothing
     > cds ack 1
     < lds 2
     > lds ack 2
     < nothing
     ? synced`,
  ),
  sotw(
    'requests before the first snapshot wait for it',
    `> cds
     < nothing
     ? not synced
     set cds:a@1
     < cds 1 a@1`,
  ),
  sotw(
    'an explicit * is a wildcard, also beside names',
    `set cds:a@1,b@1
     > cds *
     < cds 1 a@1 b@1
     > cds ack 1 * a
     < cds 2 a@1 b@1
     > cds ack 2 * a
     < nothing`,
  ),
  sotw(
    'leaving the wildcard keeps the names; clearing them asks for nothing',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1 * a
     < cds 2 a@1 b@1
     > cds ack 2 a
     < nothing
     set cds:a@2,b@2
     < cds 3 a@2
     > cds ack 3
     < nothing
     set cds:a@3
     < nothing`,
  ),
  sotw(
    'LDS and CDS responses hold the full state; what is absent is gone',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     set cds:a@1,b@2
     < cds 2 a@1 b@2
     > cds ack 2
     set cds:b@2
     < cds 3 b@2
     > cds ack 3
     set cds:
     < cds 4`,
  ),
  sotw(
    'equal content in a new snapshot is not sent',
    `set cds:a@1 eds:a@1
     > cds
     < cds 1 a@1
     > cds ack 1
     set cds:a@1 eds:a@1
     < nothing
     ? synced`,
  ),
  sotw(
    'EDS answers only what is asked for, and names that do not exist once they do',
    `set eds:a@1,b@1
     > eds a c
     < eds 1 a@1
     > eds ack 1 a c
     < nothing
     set eds:a@1,b@2
     < nothing
     set eds:a@1,b@2,c@1
     < eds 2 a@1 c@1`,
  ),
  sotw(
    'a removed name of EDS says nothing; it comes back with its content',
    `set eds:a@1,b@1
     > eds a b
     < eds 1 a@1 b@1
     > eds ack 1 a b
     set eds:a@1
     < nothing
     ? synced
     set eds:a@1,b@1
     < eds 2 a@1 b@1`,
  ),
  sotw(
    'a named type has no legacy wildcard',
    `set sds:a@1
     > sds
     < nothing`,
  ),
  sotw(
    'an unknown type is data',
    `set rtds:layer@1
     > rtds layer
     < rtds 1 layer@1
     > rtds ack 1 layer
     set rtds:layer@2
     < rtds 2 layer@2
     > rtds ack 2 layer
     ? force rtds layer@2`,
  ),
  sotw(
    'names added in mid-stream are answered, with an ACK or without',
    `set sds:a@1,b@1,c@1
     > sds a
     < sds 1 a@1
     > sds ack 1 a b
     < sds 2 a@1 b@1
     > sds ack 2 a b
     < nothing
     > sds ack 2 a b c
     < sds 3 a@1 b@1 c@1
     > sds ack 3 a b c
     < nothing`,
  ),
  sotw(
    'a name given up and taken again is answered again',
    `set sds:a@1,b@1
     > sds a b
     < sds 1 a@1 b@1
     > sds ack 1 a b
     > sds ack 1 a
     < nothing
     > sds ack 1 a b
     < sds 2 a@1 b@1`,
  ),
  sotw(
    'a repeated request for secrets is a resubscription',
    `set sds:a@1
     > sds a
     < sds 1 a@1
     > sds ack 1 a
     > sds ack 1 a
     < sds 2 a@1
     > sds ack 2 a
     < nothing`,
  ),
  sotw(
    'a stale nonce is ignored, with its change of names',
    `set eds:a@1,b@1
     > eds a
     < eds 1 a@1
     > eds ack 1 a
     set eds:a@2,b@1
     < eds 2 a@2
     > eds ack 1 a b
     < nothing
     > eds nonce 77 a b
     < nothing
     > eds ack 2 a b
     < eds 3 a@2 b@1`,
  ),
  sotw(
    'one response a type is unanswered; then the newest value',
    `set cds:a@1
     > cds
     < cds 1 a@1
     set cds:a@2
     set cds:a@3
     < nothing
     > cds ack 1
     < cds 2 a@3
     > cds ack 2
     < nothing`,
  ),
  sotw(
    'a value that changed back meanwhile is sent all the same',
    `set cds:a@1
     > cds
     < cds 1 a@1
     > cds ack 1
     set cds:a@2
     < cds 2 a@2
     set cds:a@1
     < nothing
     > cds ack 2
     < cds 3 a@1`,
  ),
  sotw(
    'reconnect: a wildcard at our version is not answered until it changes',
    `set cds:a@1,b@1
     > cds claims a@1 b@1
     < nothing
     ? synced
     ? force cds a@1
     set cds:a@2,b@1
     < cds 1 a@2 b@1`,
  ),
  sotw(
    'reconnect: another version is answered',
    `set cds:a@2
     > cds claims a@1
     < cds 1 a@2`,
  ),
  sotw(
    'reconnect: routes at our version are not answered, further names are',
    `set rds:a@1,b@1
     > rds a claims a@1
     < nothing
     > rds a b
     < rds 1 a@1 b@1`,
  ),
  sotw(
    'reconnect: secrets and endpoints are answered at any version',
    `set sds:a@1 eds:a@1
     > sds a claims a@1
     < sds 1 a@1
     > eds a claims a@1
     < eds 2 a@1`,
  ),
  sotw(
    'go-control-plane#46, #962: a rejected value is not sent again until it changes',
    `set cds:a@1
     > cds
     < cds 1 a@1
     > cds ack 1
     set cds:a@2
     < cds 2 a@2
     > cds nack 2 bad
     < nothing
     ? nacked cds a
     ? not synced
     ? force cds a@1
     set cds:a@2 eds:x@1
     < nothing
     set cds:a@3
     < cds 3 a@3
     > cds ack 3
     ? nacked cds
     ? synced`,
  ),
  sotw(
    'taking back a rejected change restores what was, in words',
    `set cds:a@1
     > cds
     < cds 1 a@1
     > cds ack 1
     set cds:a@2
     < cds 2 a@2
     > cds nack 2 bad
     set cds:a@1
     < cds 3 a@1
     > cds ack 3
     ? synced`,
  ),
  sotw(
    'a rejected first value: nothing until it changes or goes',
    `set cds:a@1
     > cds
     < cds 1 a@1
     > cds nack 1 bad
     < nothing
     set cds:
     < cds 2
     > cds ack 2
     ? synced`,
  ),
  sotw(
    'a rejected secret does not keep another from being answered',
    `set sds:a@1,b@1
     > sds a
     < sds 1 a@1
     > sds nack 1 bad a
     < nothing
     > sds ack 1 a b
     < sds 2 b@1
     > sds ack 2 a b
     ? nacked sds a
     set sds:b@1
     ? nacked sds
     < nothing`,
  ),
  sotw(
    'order: clusters and endpoints, then listeners, then routes, each on the ACK of those before',
    `set cds:a@1 eds:a@1 lds:l@1 rds:r@1
     > cds
     < cds 1 a@1
     > eds a
     < eds 2 a@1
     > lds
     > rds r
     < nothing
     > eds ack 2 a
     < nothing
     > cds ack 1
     < lds 3 l@1
     > lds ack 3
     < rds 4 r@1
     > rds ack 4 r
     ? synced`,
  ),
  sotw(
    'a secret is answered at once, whatever is under way',
    `set cds:a@1 sds:s@1
     > cds
     < cds 1 a@1
     > sds s
     < sds 2 s@1`,
  ),
  sotw(
    'make before break: a cluster goes only after its last user',
    `set cds:old@1 lds:l@1 rds:r@1
     > cds
     < cds 1 old@1
     > cds ack 1
     > lds
     < lds 2 l@1
     > lds ack 2
     > rds r
     < rds 3 r@1
     > rds ack 3 r
     set cds:new@1 lds:l@2 rds:r@2
     < cds 4 new@1 old@1
     > cds ack 4
     < lds 5 l@2
     > lds ack 5
     < rds 6 r@2
     ? not synced
     > rds ack 6 r
     < cds 7 new@1
     > cds ack 7
     < nothing
     ? synced`,
  ),
  sotw(
    'a removal alone goes at once where nothing else changes',
    `set cds:a@1,b@1 lds:l@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     > lds
     < lds 2 l@1
     > lds ack 2
     set cds:a@1 lds:l@1
     < cds 3 a@1`,
  ),
  sotw(
    'a rejected listener keeps the clusters that its last good version uses',
    `set cds:old@1 lds:l@1
     > cds
     < cds 1 old@1
     > cds ack 1
     > lds
     < lds 2 l@1
     > lds ack 2
     set cds:new@1 lds:l@2
     < cds 3 new@1 old@1
     > cds ack 3
     < lds 4 l@2
     > lds nack 4 bad
     < nothing
     set cds:new@1 lds:l@3
     < lds 5 l@3
     > lds ack 5
     < cds 6 new@1`,
  ),
  sotw(
    'a mute type holds the next ones back until its time is over, and removals for good',
    `set cds:a@1,old@1 lds:l@1
     > cds
     < cds 1 a@1 old@1
     > cds ack 1
     > lds
     < lds 2 l@1
     > lds ack 2
     set cds:a@2 lds:l@2
     < cds 3 a@2 old@1
     < nothing
     alarm
     < lds 4 l@2
     > lds ack 4
     < nothing
     > cds ack 3
     < cds 5 a@2`,
  ),
  sotw(
    'a changed cluster gets its endpoints again, right after it',
    `set cds:a@1,b@1 eds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > eds a b
     < eds 2 a@1 b@1
     > eds ack 2 a b
     > cds ack 1
     < nothing
     set cds:a@2,b@1 eds:a@1,b@1
     < cds 3 a@2 b@1
     < eds 4 a@1 b@1
     # Envoy asks again while it takes the cluster; what it asks for is under way.
     > eds ack 2 a b
     < nothing
     > eds ack 4 a b
     > cds ack 3
     < nothing
     ? synced`,
  ),
  sotw(
    'too many names end the stream',
    `set eds:a@1
     > eds a b c d e f
     < fail resource-limit`,
  ),
];
