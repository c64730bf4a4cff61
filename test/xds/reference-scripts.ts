// Scripts of resources that say what they refer to: `l@1>a` is a listener that needs the cluster a.
import type { Script } from './script.js';

const sotw = (name: string, lines: string): Script => ({ name, variant: 'sotw', lines });
const delta = (name: string, lines: string): Script => ({ name, variant: 'delta', lines });

export const REFERENCE_SCRIPTS: readonly Script[] = [
  sotw(
    'a listener waits for the clusters that it refers to, others do not',
    `set cds:a@1 lds:l@1>a,m@1
     > cds
     < cds 1 a@1
     > lds
     < nothing
     > cds nack 1 bad
     < lds 2 m@1
     > lds ack 2
     < nothing
     ? not synced
     set cds:a@2 lds:l@1>a,m@1
     < cds 3 a@2
     > cds ack 3
     < lds 4 l@1>a m@1
     > lds ack 4
     ? synced`,
  ),
  delta(
    'the last good listener stays, and its clusters, while the next one waits',
    `set cds:old@1 lds:l@1>old rds:r@1
     > cds
     < cds 1 old@1
     > cds ack 1
     > lds
     < lds 2 l@1>old
     > lds ack 2
     > rds +r
     < rds 3 r@1
     > rds ack 3
     set cds:new@1 lds:l@2>new rds:r@2
     < cds 4 new@1
     > cds nack 4 bad
     < rds 5 r@2
     > rds ack 5
     < nothing
     ? force lds l@1>old
     ? force cds old@1
     ? not synced
     set cds:new@2 lds:l@2>new rds:r@2
     < cds 6 new@2
     > cds ack 6
     < lds 7 l@2>new
     > lds ack 7
     < cds 8 -old
     > cds ack 8
     ? synced`,
  ),
  delta(
    'a name that is asked for and waits gets the last good one',
    `set cds:a@1 rds:r@1>a
     > cds
     < cds 1 a@1
     > cds ack 1
     > rds +r
     < rds 2 r@1>a
     > rds ack 2
     set cds:a@1,b@1 rds:r@2>a+b
     < cds 3 b@1
     > cds nack 3 bad
     > rds +r
     < rds 4 r@1>a
     > rds ack 4
     < nothing`,
  ),
  sotw(
    'a mute type is trusted once its time is over',
    `set cds:a@1 lds:l@1>a
     > cds
     < cds 1 a@1
     > lds
     < nothing
     alarm
     < lds 2 l@1>a
     > lds ack 2
     > cds ack 1
     ? synced`,
  ),
  delta(
    'only types that the client takes as a whole are waited for',
    `set lds:l@1>eds.e+sds.s rds:r@1>gone
     > sds +s
     < sds 1 -s
     > sds ack 1
     > lds
     < lds 2 l@1>eds.e+sds.s
     > lds ack 2
     > rds +r
     < rds 3 r@1>gone
     > rds ack 3
     ? synced`,
  ),
  delta(
    'a changed cluster gets the endpoints of its service name again',
    `set cds:a@1>eds.svc,b@1 eds:svc@1,a@1,b@1
     > cds
     < cds 1 a@1>eds.svc b@1
     > eds +svc +a +b
     < eds 2 svc@1 a@1 b@1
     > eds ack 2
     > cds ack 1
     set cds:a@2>eds.svc,b@1 eds:svc@1,a@1,b@1
     < cds 3 a@2>eds.svc
     < eds 4 svc@1
     > eds ack 4
     > cds ack 3
     < nothing
     ? synced`,
  ),
];
