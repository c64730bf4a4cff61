// Scripts of what is made when somebody asks for it (ODCDS, VHDS), of scoped routes, and of glob
// collections.
import type { Script } from './script.js';

const sotw = (name: string, lines: string): Script => ({ name, variant: 'sotw', lines });
const delta = (name: string, lines: string): Script => ({ name, variant: 'delta', lines });

export const ON_DEMAND_SCRIPTS: readonly Script[] = [
  delta(
    'a name that is being made is not said to be gone; once it is there it is sent',
    `set cds:base@1
     > cds +*
     < cds 1 base@1
     > cds ack 1
     await cds late
     > cds +late
     < nothing
     ? not synced
     set cds:base@1,late@1
     < cds 2 late@1
     answer cds late
     > cds ack 2
     < nothing
     ? synced`,
  ),
  delta(
    'a name that was not made is said to be gone when that is known, once',
    `set eds:
     await eds late
     > eds +late +never
     < eds 1 -never
     > eds ack 1
     < nothing
     answer eds late
     < eds 2 -late
     > eds ack 2
     answer eds late
     < nothing`,
  ),
  delta(
    'what a client holds from before and is being made again stays meanwhile',
    `set eds:
     await eds e
     > eds +e claims e@1
     < nothing
     alarm
     < nothing
     ? force eds e@1
     set eds:e@2
     < eds 1 e@2
     > eds ack 1
     answer eds e
     < nothing`,
  ),
  delta(
    'a name that is given up while it is being made is forgotten',
    `set eds:
     await eds e
     > eds +e
     < nothing
     > eds -e
     answer eds e
     < nothing`,
  ),
  // Envoy holds the request up until an answer has the name or alias.
  delta(
    'VHDS: a host that does not exist is answered by its alias without a body',
    `set vhds:r/a@1
     > vhds +r/a +r/x
     < vhds 1 r/a@1 ?r/x
     > vhds ack 1
     < nothing
     set vhds:r/a@1,r/x@1
     < vhds 2 r/x@1
     > vhds ack 2
     set vhds:r/a@1
     < vhds 3 -r/x
     > vhds ack 3
     > vhds +r/x
     < vhds 4 ?r/x
     > vhds ack 4
     < nothing`,
  ),
  delta(
    'VHDS: a host that goes just when it is asked for is taken away, and answered by its alias',
    `set vhds:r/a@1
     > vhds +r/a
     < vhds 1 r/a@1
     set vhds:
     > vhds +r/a
     > vhds ack 1
     < vhds 2 -r/a
     > vhds ack 2
     < vhds 3 ?r/a
     > vhds ack 3
     < nothing`,
  ),
  delta(
    'VHDS: the first request, without names, is a wildcard',
    `set vhds:r/a@1
     > vhds
     < vhds 1 r/a@1
     > vhds ack 1 +r/x
     < vhds 2 ?r/x`,
  ),
  sotw(
    'SRDS: a scope that is gone is gone in the client too',
    `set srds:a@1,b@1
     > srds
     < srds 1 a@1 b@1
     > srds ack 1
     set srds:b@1
     < srds 2 b@1
     > srds ack 2
     set srds:
     < srds 3
     > srds ack 3
     ? synced`,
  ),
  delta(
    'SRDS: a scope that is gone is named',
    `set srds:a@1,b@1
     > srds
     < srds 1 a@1 b@1
     > srds ack 1
     set srds:b@1
     < srds 2 -a`,
  ),
  sotw(
    'make before break: scopes come before routes, and after listeners',
    `set cds:c@1 lds:l@1 srds:s@1 rds:r@1
     > cds
     < cds 1 c@1
     > lds
     > srds
     > rds r
     < nothing
     > cds ack 1
     < lds 2 l@1
     > lds ack 2
     < srds 3 s@1
     > srds ack 3
     < rds 4 r@1`,
  ),
  delta(
    'a glob collection is all of its direct members, as they come and go',
    `set cds:xdstp://n/t/web/a@1,xdstp://n/t/web/b@1,xdstp://n/t/db/c@1,xdstp://n/t/web/x/y@1
     > cds +xdstp://n/t/web/*
     < cds 1 xdstp://n/t/web/a@1 xdstp://n/t/web/b@1
     > cds ack 1
     set cds:xdstp://n/t/web/a@2,xdstp://n/t/web/new@1,xdstp://n/t/db/c@2
     < cds 2 xdstp://n/t/web/a@2 xdstp://n/t/web/new@1 -xdstp://n/t/web/b
     > cds ack 2
     ? synced
     > cds +xdstp://n/t/web/*
     < cds 3 xdstp://n/t/web/a@2 xdstp://n/t/web/new@1
     > cds ack 3 -xdstp://n/t/web/*
     < nothing
     set cds:
     < nothing`,
  ),
  delta(
    'a glob collection without members is said to be gone, once',
    `set cds:
     > cds +xdstp://n/t/web/*
     < cds 1 -xdstp://n/t/web/*
     > cds ack 1
     < nothing
     set cds:xdstp://n/t/web/a@1
     < cds 2 xdstp://n/t/web/a@1
     > cds ack 2
     set cds:
     < cds 3 -xdstp://n/t/web/a`,
  ),
  delta(
    'context parameters are part of a collection, in any order',
    `set cds:xdstp://n/t/a?x=1&y=2@1,xdstp://n/t/b@1
     > cds +xdstp://n/t/*?y=2&x=1
     < cds 1 xdstp://n/t/a?x=1&y=2@1
     > cds ack 1
     > cds +xdstp://n/t/*
     < cds 2 xdstp://n/t/b@1`,
  ),
  delta(
    'reconnect: members of a glob collection that are held are not sent again',
    `set cds:xdstp://n/t/web/a@1,xdstp://n/t/web/b@2
     > cds +xdstp://n/t/web/* claims xdstp://n/t/web/a@1 xdstp://n/t/web/b@1
     < cds 1 xdstp://n/t/web/b@2
     > cds ack 1
     < nothing
     ? synced`,
  ),
];
