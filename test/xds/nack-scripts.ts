// Scripts of rejected responses: what is at fault is found, and the rest goes on. `_` in an error
// is a space.
import type { Script } from './script.js';

const sotw = (name: string, lines: string): Script => ({ name, variant: 'sotw', lines });
const delta = (name: string, lines: string): Script => ({ name, variant: 'delta', lines });

export const NACK_SCRIPTS: readonly Script[] = [
  sotw(
    'what the error names is held back, and only that',
    `set cds:a@1,b@1,c@1
     > cds
     < cds 1 a@1 b@1 c@1
     > cds nack 1 Error_adding/updating_cluster(s)_b:_bad
     < cds 2 a@1 c@1
     ? nacked cds b
     > cds ack 2
     < nothing
     ? nacked cds b
     ? force cds a@1
     ? not synced
     set cds:a@1,b@2,c@1
     < cds 3 a@1 b@2 c@1
     > cds ack 3
     ? synced`,
  ),
  delta(
    'what the error names is held back, and only that',
    `set lds:a@1,b@1,c@1
     > lds
     < lds 1 a@1 b@1 c@1
     > lds nack 1 Error_adding/updating_listener(s)_a:_bad,_c:_worse
     < lds 2 b@1
     > lds ack 2
     < nothing
     ? nacked lds a c`,
  ),
  sotw(
    'what is at fault is found by trial where the error does not name it',
    `set eds:a@1,b@1,c@1,d@1
     > eds a b c d
     < eds 1 a@1 b@1 c@1 d@1
     > eds nack 1 bad a b c d
     ? nacked eds a b c d
     < eds 2 a@1 b@1
     > eds ack 2 a b c d
     < eds 3 a@1 b@1 c@1 d@1
     ? nacked eds c d
     > eds nack 3 bad a b c d
     < eds 4 a@1 b@1 c@1
     > eds nack 4 bad a b c d
     < eds 5 a@1 b@1 d@1
     > eds ack 5 a b c d
     < nothing
     ? nacked eds c
     ? not synced
     set eds:a@1,b@1,c@2,d@1
     < eds 6 a@1 b@1 c@2 d@1
     > eds ack 6 a b c d
     ? synced`,
  ),
  delta(
    'what is at fault is found by trial where the error does not name it',
    `set cds:a@1,b@1,c@1
     > cds
     < cds 1 a@1 b@1 c@1
     > cds ack 1
     set cds:a@2,b@2,c@2
     < cds 2 a@2 b@2 c@2
     > cds nack 2 bad
     < cds 3 a@2 b@2
     > cds nack 3 bad
     < cds 4 a@2
     > cds ack 4
     < cds 5 b@2
     > cds nack 5 bad
     < cds 6 c@2
     > cds ack 6
     < nothing
     ? nacked cds b
     ? force cds b@1
     ? force cds c@2`,
  ),
  sotw(
    'two at fault, in a set that was there before: the last good ones stand in',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     set cds:a@2,b@1,new@1
     < cds 2 a@2 b@1 new@1
     > cds nack 2 bad
     < cds 3 a@2 b@1
     > cds nack 3 bad
     < cds 4 a@1 b@1 new@1
     > cds nack 4 bad
     < nothing
     ? nacked cds a new
     set cds:a@2,b@2,new@1
     < cds 5 a@1 b@2
     > cds ack 5
     < nothing
     ? nacked cds a new
     ? not synced`,
  ),
  delta(
    'what was rejected together and is taken in parts is in force',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds nack 1 transient
     < cds 2 a@1
     > cds ack 2
     < cds 3 b@1
     > cds ack 3
     < nothing
     ? nacked cds
     ? synced`,
  ),
  delta(
    'what changes or goes meanwhile is not tried',
    `set cds:a@1,b@1,c@1
     > cds
     < cds 1 a@1 b@1 c@1
     > cds nack 1 bad
     < cds 2 a@1 b@1
     set cds:a@1,c@2
     > cds ack 2
     < cds 3 c@2 -b
     > cds ack 3
     < nothing
     ? synced`,
  ),
  delta(
    'a trial that waits for another type starts once',
    `set cds:a@1 lds:l@1,m@1
     > lds
     < lds 1 l@1 m@1
     > cds
     < cds 2 a@1
     > lds nack 1 bad
     < nothing
     set cds:a@1 lds:l@1,m@1
     > cds ack 2
     < lds 3 l@1
     > lds ack 3
     < lds 4 m@1
     > lds nack 4 bad
     < nothing
     ? nacked lds m`,
  ),
  sotw(
    'rejected secrets are not tried again in parts',
    `set sds:a@1,b@1
     > sds a b
     < sds 1 a@1 b@1
     > sds nack 1 bad a b
     < nothing
     ? nacked sds a b`,
  ),
  sotw(
    'a removal that came with what is at fault goes on without it',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     set cds:a@2
     < cds 2 a@2
     > cds nack 2 bad
     < cds 3 a@1
     > cds ack 3
     < nothing
     ? nacked cds a`,
  ),
  delta(
    'a removal that came with what is at fault goes on without it',
    `set cds:a@1,b@1
     > cds
     < cds 1 a@1 b@1
     > cds ack 1
     set cds:a@2
     < cds 2 a@2 -b
     > cds nack 2 bad
     < cds 3 -b
     > cds ack 3
     < nothing
     ? nacked cds a`,
  ),
];
