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
  sotw(
    'routes that refer to no changed endpoint do not wait for an EDS that is unanswered',
    `set cds:a@1,b@1 eds:a@1,b@1 rds:r@1>b
     > cds
     < cds 1 a@1 b@1
     > eds a b
     < eds 2 a@1 b@1
     > eds ack 2 a b
     > cds ack 1
     > rds r
     < rds 3 r@1>b
     > rds ack 3 r
     set cds:a@1,b@1 eds:a@2,b@1 rds:r@2>b
     < eds 4 a@2 b@1
     < rds 5 r@2>b
     > rds ack 5 r
     # What they do refer to is waited for.
     > eds ack 4 a b
     set cds:a@1,b@1 eds:a@2,b@2 rds:r@3>b
     < eds 6 a@2 b@2
     < nothing
     > eds ack 6 a b
     < rds 7 r@3>b`,
  ),
  sotw(
    'a response whose nonce comes back under another type was read and holds nothing back',
    `set eds:b@1 rds:b@1
     > rds b
     < rds 1 b@1
     > rds ack 1 b
     > eds b
     < eds 2 b@1
     > rds ack 2 b
     ? not synced
     set eds:b@1 rds:b@2
     < rds 3 b@2
     > rds ack 3 b`,
  ),
  delta(
    'routes whose cluster names its endpoints wait for just those',
    `set cds:a@1>eds.svc,b@1>eds.other eds:svc@1,other@1 rds:r@1>a
     > cds
     < cds 1 a@1>eds.svc b@1>eds.other
     > eds +svc +other
     < eds 2 svc@1 other@1
     > eds ack 2
     > cds ack 1
     > rds +r
     < rds 3 r@1>a
     > rds ack 3
     set cds:a@1>eds.svc,b@1>eds.other eds:svc@1,other@2 rds:r@2>a
     < eds 4 other@2
     < rds 5 r@2>a
     > rds ack 5
     > eds ack 4
     set cds:a@1>eds.svc,b@1>eds.other eds:svc@2,other@2 rds:r@3>a
     < eds 6 svc@2
     < nothing
     alarm
     < rds 7 r@3>a
     > eds ack 6`,
  ),
  delta(
    'a listener that refers to no changed cluster or secret does not wait for them',
    `set cds:a@1,b@1>sds.t sds:s@1,t@1 lds:l@1>b+sds.t
     > cds
     < cds 1 a@1 b@1>sds.t
     > cds ack 1
     > sds +s +t
     < sds 2 s@1 t@1
     > sds ack 2
     > lds
     < lds 3 l@1>b+sds.t
     > lds ack 3
     set cds:a@2,b@1>sds.t sds:s@2,t@1 lds:l@2>b+sds.t
     < cds 4 a@2
     < sds 5 s@2
     < lds 6 l@2>b+sds.t
     > lds ack 6
     > cds ack 4
     > sds ack 5`,
  ),
  delta(
    'routes wait for a listener that refers to them, and for no other',
    `set cds:a@1 lds:l@1>rds.r,m@1>rds.other rds:r@1>a,other@1>a
     > cds
     < cds 1 a@1
     > cds ack 1
     > lds
     < lds 2 l@1>rds.r m@1>rds.other
     > lds ack 2
     > rds +r +other
     < rds 3 r@1>a other@1>a
     > rds ack 3
     set cds:a@1 lds:l@1>rds.r,m@2>rds.other rds:r@2>a,other@1>a
     < lds 4 m@2>rds.other
     < rds 5 r@2>a
     > rds ack 5
     > lds ack 4
     set cds:a@1 lds:l@2>rds.r,m@2>rds.other rds:r@3>a,other@1>a
     < lds 6 l@2>rds.r
     < nothing
     > lds ack 6
     < rds 7 r@3>a`,
  ),
  delta(
    'what says nothing of its references waits for all that it might refer to',
    `set cds:a@1 eds:a@1 rds:r@1
     > cds
     < cds 1 a@1
     > eds +a
     < eds 2 a@1
     > eds ack 2
     > cds ack 1
     > rds +r
     < rds 3 r@1
     > rds ack 3
     set cds:a@1 eds:a@2 rds:r@2
     < eds 4 a@2
     < nothing
     > eds ack 4
     < rds 5 r@2`,
  ),
];
