// The delta scripts over ADS. docs/xds-rules.md names them by rule.
import type { Script } from './script.js';

const delta = (name: string, lines: string): Script => ({ name, variant: 'delta', lines });

export const DELTA_SCRIPTS: readonly Script[] = [
  delta(
    'an empty first request is a wildcard; an ACK is answered by nothing',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     < nothing
     ? synced`,
  ),
  delta(
    'a wildcard is answered even where there is nothing',
    `set cds:
     > cds
     < cds 1
     > cds ack 1
     < nothing`,
  ),
  delta(
    'only what changed is sent; what is gone is named',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     set cds:a@2,b@1
     < cds 2 a@2
     > cds ack 2
     set cds:a@2,c@1
     < cds 3 c@1 -b
     > cds ack 3
     < nothing
     ? synced`,
  ),
  delta(
    'a name that does not exist is said to be gone, once, and sent when it appears',
    `set eds:a@1
     > eds +a +b
     < eds 1 a@1 -b
     > eds ack 1
     < nothing
     set eds:a@1,b@1
     < eds 2 b@1
     > eds ack 2
     set eds:a@1
     < eds 3 -b`,
  ),
  // VHDS asks for "routes/host": nothing that has another name is that resource.
  delta(
    'a name is answered under that very name: there are no aliases',
    `set rtds:host@1
     > rtds +routes/host
     < rtds 1 -routes/host
     > rtds ack 1
     set rtds:host@2,routes/host@1
     < rtds 2 routes/host@1
     > rtds ack 2
     < nothing`,
  ),
  delta(
    'subscribing in mid-stream, also to a name that is held, is answered',
    `set eds:a@1,b@1
     > eds +a
     < eds 1 a@1
     > eds ack 1
     > eds +b
     < eds 2 b@1
     > eds ack 2
     > eds +a
     < eds 3 a@1
     > eds ack 3 +b
     < eds 4 b@1`,
  ),
  delta(
    'unsubscribing ends updates and is not answered; phantom names are ignored',
    `set eds:a@1,b@1
     > eds +a +b
     < eds 1 a@1 b@1
     > eds ack 1
     > eds -b -ghost
     < nothing
     set eds:a@1,b@2
     < nothing
     > eds +b
     < eds 2 b@2`,
  ),
  delta(
    'a change of subscription counts though its nonce is stale',
    `set eds:a@1,b@1
     > eds +a
     < eds 1 a@1
     > eds nonce 99 +b
     < nothing
     > eds ack 1
     < eds 2 b@1`,
  ),
  delta(
    'a name left while the wildcard stays is answered: with the resource, or as gone',
    `set cds:a@1
     > cds +* +a +ghost
     < cds 1 a@1 -ghost
     > cds ack 1
     > cds -a
     < cds 2 a@1
     > cds ack 2
     > cds -ghost
     < cds 3 -ghost
     > cds ack 3
     < nothing`,
  ),
  delta(
    'leaving the wildcard keeps the names',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1 +a
     < cds 2 a@1
     > cds ack 2 -*
     < nothing
     set cds:a@2,b@2
     < cds 3 a@2
     > cds ack 3 -a
     < nothing
     set cds:a@3
     < nothing`,
  ),
  delta(
    'asking for * again sends all again',
    `set cds:a@1
     > cds +*
     < cds 1 a@1
     > cds ack 1
     > cds +*
     < cds 2 a@1`,
  ),
  delta(
    'an empty first request of a named type asks for nothing',
    `set sds:a@1
     > sds
     < nothing
     > sds +a
     < sds 1 a@1`,
  ),
  delta(
    'reconnect: only what differs from the initial versions is sent',
    `set cds:a@1,b@2,c@1
     > cds claims a@1 b@1 gone@1
     < cds 1 b@2 c@1
     > cds ack 1
     < nothing
     ? not synced
     alarm
     < cds 2 -gone
     > cds ack 2
     ? synced
     ? force cds a@1`,
  ),
  delta(
    'reconnect: equal content is not sent',
    `set cds:a@1 rds:r@1
     > cds claims a@1
     < nothing
     > rds +r claims r@1
     < nothing
     ? synced`,
  ),
  delta(
    'reconnect: secrets and endpoints are answered at any version',
    `set sds:a@1,b@1 eds:e@1
     > sds +a +b claims a@1
     < sds 1 a@1 b@1
     > eds +e claims e@1
     < eds 2 e@1`,
  ),
  delta(
    'reconnect: held names that no longer exist are gone, also secrets',
    `set sds:
     > sds +a claims a@1
     < nothing
     alarm
     < sds 1 -a`,
  ),
  delta(
    'reconnect: what is gone goes only after what may use it has come and changed',
    `set cds:new@1 lds:l@2 rds:r@1
     > cds claims old@1
     < cds 1 new@1
     > lds claims l@1
     > cds ack 1
     < lds 2 l@2
     > lds ack 2
     < nothing
     > rds +r claims r@1
     < cds 3 -old`,
  ),
  delta(
    'a rejected response parks its resources, and no others',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     set cds:a@2,b@1
     < cds 2 a@2
     > cds nack 2 bad
     < nothing
     ? nacked cds a
     set cds:a@2,b@2
     < cds 3 b@2
     > cds ack 3
     < nothing
     ? nacked cds a
     ? not synced
     set cds:a@3,b@2
     < cds 4 a@3
     > cds ack 4
     ? synced`,
  ),
  delta(
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
  delta(
    'a new resource that was rejected and goes is named as gone: it may have been taken in part',
    `set cds:a@1
     > cds
     < cds 1 a@1
     > cds nack 1 bad
     set cds:
     < cds 2 -a
     > cds ack 2
     ? synced`,
  ),
  delta(
    'a name owed while its newer content is parked gets the last good one',
    `set sds:a@1
     > sds +a
     < sds 1 a@1
     > sds ack 1
     set sds:a@2
     < sds 2 a@2
     > sds nack 2 bad
     > sds +a
     < sds 3 a@1
     > sds ack 3
     < nothing
     ? nacked sds a`,
  ),
  delta(
    'a rejected removal is not repeated alone, but with the next change',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     set cds:a@1
     < cds 2 -b
     > cds nack 2 bad
     < nothing
     set cds:a@2
     < cds 3 a@2 -b
     > cds ack 3
     ? synced`,
  ),
  delta(
    'order: clusters and endpoints, then listeners, then routes, each on the ACK of those before',
    `set cds:a@1 eds:a@1 lds:l@1 rds:r@1
     > cds
     < cds 1 a@1
     > eds +a
     < eds 2 a@1
     > lds
     > rds +r
     < nothing
     > eds ack 2
     < nothing
     > cds ack 1
     < lds 3 l@1
     > lds ack 3
     < rds 4 r@1`,
  ),
  delta(
    'make before break: a cluster and its endpoints and secrets go only after their last user',
    `set cds:old@1 eds:old@1 sds:s@1 lds:l@1
     > cds
     < cds 1 old@1
     > eds +old
     < eds 2 old@1
     > eds ack 2
     > sds +s
     < sds 3 s@1
     > sds ack 3
     > cds ack 1
     > lds
     < lds 4 l@1
     > lds ack 4
     set cds:new@1 lds:l@2
     < cds 5 new@1
     > cds ack 5
     < lds 6 l@2
     > lds ack 6
     < cds 7 -old
     > cds ack 7
     < sds 8 -s
     < eds 9 -old`,
  ),
  delta(
    'a changed cluster gets its endpoints again, and only its own',
    `set cds:a@1,b@1 eds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > eds +a +b
     < eds 2 a@1 b@1
     > eds ack 2
     > cds ack 1
     set cds:a@2,b@1 eds:a@1,b@1
     < cds 3 a@2
     < eds 4 a@1
     > eds ack 4
     > cds ack 3
     < nothing`,
  ),
  delta(
    'a cluster and the endpoints of another change at once: both get theirs',
    `set cds:a@1,b@1 eds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > eds +a +b
     < eds 2 a@1 b@1
     > eds ack 2
     > cds ack 1
     set cds:a@2,b@1 eds:a@1,b@2
     < cds 3 a@2
     < eds 4 a@1 b@2
     > eds ack 4
     > cds ack 3
     < nothing
     ? synced`,
  ),
  delta(
    'endpoints under way when their cluster changes are sent once more',
    `set cds:a@1 eds:a@1
     > cds
     < cds 1 a@1
     > eds +a
     < eds 2 a@1
     > cds ack 1
     set cds:a@2 eds:a@1
     < cds 3 a@2
     < nothing
     > eds ack 2
     < eds 4 a@1
     > eds ack 4
     > cds ack 3
     ? synced`,
  ),
  delta(
    'a resource dropped during its own response is not held after the ACK',
    `set eds:a@1,b@1
     > eds +a +b
     < eds 1 a@1 b@1
     > eds -b
     > eds ack 1
     ? not force eds b@1
     > eds +b
     < eds 2 b@1`,
  ),
  delta(
    'an extension configuration is served like any other',
    `set ecds:rules@1
     > ecds +rules
     < ecds 1 rules@1
     > ecds ack 1
     set ecds:rules@2
     < ecds 2 rules@2`,
  ),
  delta(
    'too many names over several requests end the stream',
    `set eds:a@1
     > eds +a +b +c
     < eds 1 a@1 -b -c
     > eds ack 1 +d +e +f
     < fail resource-limit`,
  ),
];
