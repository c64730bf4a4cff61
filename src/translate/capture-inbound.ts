// What the kernel captured on its way in. The listener hands a connection on to the listener of the
// port that it was going to: the mesh port's, which is bound as ever (calls within the host are not
// captured), or a declared port's, which has no socket, so that the application may hold that port
// at every address. Whatever comes back to this listener's own chains has nobody: a port that
// nobody declared is passed on to the application or closed, as mesh.yaml says. A declared port
// whose listener isn't there (it waits for its secrets, or was rejected) is closed: passed on, it
// would be reached in plain text.
import { CAPTURE_PORTS } from '../capture/index.js';
import { MESH_PORT, type Service } from '../policy/index.js';
import type { Resource } from '../xds/index.js';
import {
  byPort,
  CLOSED,
  CLOSED_CHAIN,
  ORIGINAL_DESTINATION,
  OWN_PORTS,
  toChain,
  toPassedChain,
} from './capture-listener.js';
import { toWildcard } from './listen.js';
import { toListener } from './listeners.js';
import { CAPTURED_INBOUND, PASSED_INBOUND } from './names.js';

export function toCapturedInbound({ ports, capture, source }: Service): Resource {
  const known = [...ports.map(({ number }) => number), MESH_PORT, ...OWN_PORTS];
  const passed = capture.undeclared === 'pass' ? toPassedChain(PASSED_INBOUND) : undefined;
  const otherwise = passed === undefined ? undefined : toChain(passed.name ?? '');
  return toListener({
    name: CAPTURED_INBOUND,
    address: toWildcard(CAPTURE_PORTS.inbound),
    direction: 'inbound',
    listenerFilters: [ORIGINAL_DESTINATION],
    filterChains: [CLOSED_CHAIN, ...(passed === undefined ? [] : [passed])],
    filterChainMatcher: byPort(new Map(known.map((port) => [port, CLOSED])), otherwise),
    useOriginalDst: true,
    source,
  });
}
