// What the kernel captured on its way out: one listener, with a chain for each port of each service
// that this workload may call. A call is known for one of a service by the address and port that it
// was going to: those of the service's sidecars and endpoints. So the matcher changes as sidecars
// come and go, and the chains don't, nor does anything that is open. Which instance is called is
// decided as ever, by the cluster. What is known for nobody's is passed on as it is, or closed.
import { CAPTURE_PORTS } from '../capture/index.js';
import type { envoy } from '../gen/envoy.js';
import type { Mesh, Port, Service } from '../policy/index.js';
import type { Resource } from '../xds/index.js';
import { type Callee, type Registry, type SidecarEndpoint, toCallees } from './callees.js';
import {
  byAddress,
  byPort,
  CLOSED,
  CLOSED_CHAIN,
  type Destinations,
  type Matcher,
  type OnMatch,
  ORIGINAL_DESTINATION,
  OWN_PORTS,
  toChain,
  toPassedChain,
} from './capture-listener.js';
import { BUFFER_LIMIT } from './http-protocol.js';
import { toWildcard } from './listen.js';
import { toListener } from './listeners.js';
import { CAPTURED_OUTBOUND, PASSED_OUTBOUND, toClusterName } from './names.js';
import { toOutboundChain } from './outbound.js';
import type { Revoked } from './revoked.js';

type FilterChain = envoy.config.listener.v3.FilterChain;

export interface CapturedOutbound {
  readonly mesh: Mesh;
  readonly service: Service;
  readonly registry: Registry;
  readonly revoked: Revoked;
}

interface Known {
  readonly revoked: Revoked;
  readonly callees: readonly Callee[];
  readonly resource: Resource;
}

/** Of each service, its latest: most joins are of sidecars that it doesn't call. */
const known = new WeakMap<Service, Known>();

const NO_SIDECARS: readonly SidecarEndpoint[] = [];

/** The same for every node of the service. */
export function toCapturedOutbound(input: CapturedOutbound): Resource {
  const { mesh, service, registry, revoked } = input;
  const callees = toCallees(mesh, service, revoked).map(({ callee, port }) => ({
    callee,
    port,
    sidecars: registry.get(callee.name) ?? NO_SIDECARS,
  }));
  const old = known.get(service);
  if (old?.revoked === revoked && isSame(old.callees, callees)) return old.resource;
  const resource = translate({ service, revoked, callees });
  known.set(service, { revoked, callees, resource });
  return resource;
}

function isSame(old: readonly Callee[], next: readonly Callee[]): boolean {
  const isOld = ({ callee, port, sidecars }: Callee, i: number): boolean =>
    old[i]?.port === port && old[i].callee === callee && old[i].sidecars === sidecars;
  return old.length === next.length && next.every(isOld);
}

interface Translation {
  readonly service: Service;
  readonly revoked: Revoked;
  readonly callees: readonly Callee[];
}

function translate({ service, revoked, callees }: Translation): Resource {
  const isOpen = service.capture.egress === 'any';
  const passed = isOpen ? toPassedChain(PASSED_OUTBOUND) : undefined;
  return toListener({
    name: CAPTURED_OUTBOUND,
    address: toWildcard(CAPTURE_PORTS.outbound),
    direction: 'outbound',
    listenerFilters: [ORIGINAL_DESTINATION],
    bufferLimit: BUFFER_LIMIT,
    filterChains: [
      CLOSED_CHAIN,
      ...(passed === undefined ? [] : [passed]),
      ...callees.map((callee) => toCalleeChain(callee, revoked)),
    ],
    filterChainMatcher: toMatcher(callees, passed && toChain(passed.name ?? '')),
    source: service.source,
  });
}

/** Of each port, its latest: the dearest part of the listener, and the same for all callers. */
const chains = new WeakMap<
  Port,
  { readonly callee: Service; readonly mark: string | undefined; readonly chain: FilterChain }
>();

function toCalleeChain({ callee, port }: Callee, { outboundMarks }: Revoked): FilterChain {
  const name = toClusterName(callee, port);
  const mark = outboundMarks.get(name);
  const old = chains.get(port);
  if (old?.callee === callee && old.mark === mark) return old.chain;
  const chain = toOutboundChain({ callee, port, name, mark });
  chains.set(port, { callee, mark, chain });
  return chain;
}

function toMatcher(callees: readonly Callee[], otherwise: OnMatch | undefined): Matcher {
  const ports = new Map<number, OnMatch>(OWN_PORTS.map((port) => [port, CLOSED]));
  for (const [port, destinations] of toDestinations(callees)) {
    const rest = ports.get(port) ?? otherwise;
    ports.set(port, { matcher: byAddress(destinations, rest) });
  }
  return byPort(ports, otherwise);
}

/** By port. An address and port that two services have is the first one's, sidecars before all. */
function toDestinations(callees: readonly Callee[]): Map<number, Destinations[]> {
  const taken = new Set<string>();
  const destinations = new Map<number, Map<string, string[]>>();
  const add = ({ callee, port }: Callee, host: string, number: number): void => {
    const key = `${host} ${number}`;
    if (taken.has(key)) return;
    taken.add(key);
    const name = toClusterName(callee, port);
    const ofPort = destinations.get(number) ?? new Map<string, string[]>();
    ofPort.set(name, [...(ofPort.get(name) ?? []), host]);
    destinations.set(number, ofPort);
  };
  for (const one of callees) {
    if (!one.callee.sidecar) continue;
    for (const { address } of one.sidecars) add(one, address, one.port.number);
  }
  for (const one of callees) {
    for (const { host, isIp, port } of one.callee.endpoints) {
      if (isIp) add(one, host, port ?? one.port.number);
    }
  }
  return new Map(
    [...destinations].map(([port, names]) => [
      port,
      [...names].map(([name, addresses]) => ({ addresses, onMatch: toChain(name) })),
    ]),
  );
}
