// Scripts of resources with a TTL: 15 seconds, so that a beat is due every five.
import type { Script } from './script.js';

const sotw = (name: string, lines: string): Script => ({ name, variant: 'sotw', lines });
const delta = (name: string, lines: string): Script => ({ name, variant: 'delta', lines });

export const TTL_SCRIPTS: readonly Script[] = [
  delta(
    'what has a TTL is said again without its body, again and again',
    `set rtds:a@1~15,b@1
     > rtds +a +b
     < rtds 1 a@1~15 b@1
     > rtds ack 1
     < nothing
     alarm
     < rtds 2 ~a
     > rtds ack 2
     < nothing
     ? synced
     alarm
     < rtds 3 ~a
     > rtds ack 3
     ? force rtds a@1~15`,
  ),
  delta(
    'a heartbeat travels with a change, which is sent whole',
    `set rtds:a@1~15,b@1~15
     > rtds +a +b
     < rtds 1 a@1~15 b@1~15
     alarm
     set rtds:a@2~15,b@1~15
     < nothing
     > rtds ack 1
     < rtds 2 a@2~15 ~b
     > rtds ack 2
     < nothing`,
  ),
  delta(
    'no heartbeat once the TTL is gone, or the resource, or the subscription',
    `set rtds:a@1~15,b@1~15,c@1~15
     > rtds +a +b +c
     < rtds 1 a@1~15 b@1~15 c@1~15
     > rtds ack 1
     set rtds:a@2,c@1~15
     < rtds 2 a@2 -b
     > rtds ack 2 -c
     alarm
     < nothing`,
  ),
  delta(
    'a client that does not answer is not sent heartbeats; then one',
    `set rtds:a@1~15
     > rtds +a
     < rtds 1 a@1~15
     alarm
     alarm
     alarm
     < nothing
     > rtds ack 1
     < rtds 2 ~a
     > rtds ack 2
     < nothing`,
  ),
  delta(
    'a shorter TTL is kept at once; the alarm that it replaces says nothing',
    `set rtds:a@1~300
     > rtds +a
     < rtds 1 a@1~300
     > rtds ack 1
     alarm
     < nothing
     set rtds:a@1~15
     < rtds 2 a@1~15
     > rtds ack 2
     alarm
     < rtds 3 ~a
     > rtds ack 3
     < nothing`,
  ),
  delta(
    'reconnect: what is held and has a TTL is renewed at once',
    `set rtds:a@1~15,b@1
     > rtds +a +b claims a@1~15 b@1
     < rtds 1 ~a
     > rtds ack 1
     < nothing
     ? synced`,
  ),
  delta(
    'a rejected version gets no heartbeat, the last good one none that names it',
    `set rtds:a@1~15,b@1~15
     > rtds +a +b
     < rtds 1 a@1~15 b@1~15
     > rtds ack 1
     set rtds:a@2~15,b@1~15
     < rtds 2 a@2~15
     > rtds nack 2 bad
     alarm
     < rtds 3 ~a ~b
     > rtds ack 3
     ? nacked rtds a`,
  ),
  delta(
    'a rejected heartbeat is not repeated before its time',
    `set rtds:a@1~15
     > rtds +a
     < rtds 1 a@1~15
     > rtds ack 1
     alarm
     < rtds 2 ~a
     > rtds nack 2 bad
     < nothing
     ? not synced
     alarm
     < rtds 3 ~a
     > rtds ack 3
     ? synced`,
  ),
  sotw(
    'what has a TTL is said again with the whole response',
    `set cds:a@1~15,b@1
     > cds
     < cds 1 a@1~15 b@1
     > cds ack 1
     < nothing
     alarm
     < cds 2 a@1~15 b@1
     > cds ack 2
     < nothing
     ? synced`,
  ),
  sotw(
    'a change is a heartbeat too',
    `set rtds:a@1~15
     > rtds a
     < rtds 1 a@1~15
     > rtds ack 1 a
     alarm
     < rtds 2 a@1~15
     set rtds:a@2~15
     alarm
     < nothing
     > rtds ack 2 a
     < rtds 3 a@2~15
     > rtds ack 3 a
     < nothing`,
  ),
  sotw(
    'reconnect: what has a TTL is answered at any version: it may have gone meanwhile',
    `set cds:a@1~15
     > cds claims a@1~15
     < cds 1 a@1~15`,
  ),
];
