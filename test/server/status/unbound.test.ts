import { expect, test } from 'vitest';
import type { Unbound } from '../../../src/server/fleet/index.js';
import { toUnboundStatuses } from '../../../src/server/status/unbound.js';

const hintOf = (listener: string, address: string): string | undefined => {
  const unbound: Unbound = {
    ...{ listener, address, version: 'v', reason: 'in-use', words: 'Address already in use' },
    ...{ source: undefined, holder: undefined, sinceMs: 0, tries: 1, nextTryAtMs: undefined },
  };
  return toUnboundStatuses({ unbound: [unbound] })[0]?.hint;
};

const LOOK = "see who has it on its host: ss -ltnp 'sport = :8080'";
const AGAIN = '; it is tried again by itself';
const OWN = ' (a sidecar with --listen any needs a network namespace of its own)';
const SHARED = ' (sidecars of one host need prefixes of their own: bootstrap --outbound)';

test.each([
  ['inbound:8080', '10.0.0.7:8080', ''],
  ['inbound:8080', '0.0.0.0:8080', OWN],
  ['inbound:8080', '[::]:8080', OWN],
  ['outbound:ledger:8080', '198.18.0.2:8080', SHARED],
])('what to do where %s cannot bind %s', (listener, address, more) => {
  expect(hintOf(listener, address)).toBe(`${LOOK}${more}${AGAIN}`);
});
