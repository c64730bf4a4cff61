// What both capture listeners have in common. The kernel hands them every connection that it
// captured, and tells where each was going (`original_dst`). One of each stands on all addresses
// of the network namespace, for IPv4 and IPv6. Which chain a connection gets is decided by a
// matcher on that destination; Envoy takes a new matcher in place, and drains no chain that stays
// the same (ListenerMessageUtil::filterChainOnlyChange).
import { CAPTURE_PORTS } from '../capture/index.js';
import { type envoy, google, xds } from '../gen/envoy.js';
import { CLOSE, toTcpProxy } from './listeners.js';
import { toAny, toEmptyAny } from './messages.js';

type FilterChain = envoy.config.listener.v3.FilterChain;
type ListenerFilter = envoy.config.listener.v3.ListenerFilter;
export type Matcher = xds.type.matcher.v3.Matcher;
export type OnMatch = xds.type.matcher.v3.Matcher.OnMatch;

export const ORIGINAL_DESTINATION: ListenerFilter = {
  name: 'envoy.filters.listener.original_dst',
  typedConfig: toEmptyAny('envoy.extensions.filters.listener.original_dst.v3.OriginalDst'),
};

/** Closes what must go nowhere: a sidecar that was passed on to would be called by itself. */
export const CLOSED_CHAIN: FilterChain = { name: 'closed', filters: [CLOSE] };

/** Hands a connection to where it was going, in plain text; counted as that cluster's. */
export function toPassedChain(cluster: string): FilterChain {
  return { name: 'passed', filters: [toTcpProxy(cluster, { connect: 'at-once' })] };
}

/** The connection gets the chain of that name. */
export function toChain(name: string): OnMatch {
  const typedConfig = toAny('google.protobuf.StringValue', google.protobuf.StringValue, {
    value: name,
  });
  return { action: { name, typedConfig } };
}

export const CLOSED = toChain(CLOSED_CHAIN.name ?? '');

/** Ports at which no connection that was captured can be meant to arrive. */
export const OWN_PORTS: readonly number[] = Object.values(CAPTURE_PORTS);

const INPUTS = 'envoy.extensions.matching.common_inputs.network.v3';

/** By the port that the connection was going to; without `otherwise` the rest is closed. */
export function byPort(
  ports: ReadonlyMap<number, OnMatch>,
  otherwise: OnMatch | undefined,
): Matcher {
  const map = Object.fromEntries([...ports].sort(([a], [b]) => a - b));
  return {
    matcherTree: {
      input: { name: 'port', typedConfig: toEmptyAny(`${INPUTS}.DestinationPortInput`) },
      exactMatchMap: { map },
    },
    onNoMatch: otherwise,
  };
}

export interface Destinations {
  readonly addresses: readonly string[];
  readonly onMatch: OnMatch;
}

/** The same by address. */
export function byAddress(
  destinations: readonly Destinations[],
  otherwise: OnMatch | undefined,
): Matcher {
  const rangeMatchers = destinations.map(({ addresses, onMatch }) => ({
    ranges: addresses.map((addressPrefix) => ({
      addressPrefix,
      prefixLen: { value: addressPrefix.includes(':') ? 128 : 32 },
    })),
    onMatch,
  }));
  return {
    matcherTree: {
      input: { name: 'address', typedConfig: toEmptyAny(`${INPUTS}.DestinationIPInput`) },
      customMatch: {
        name: 'envoy.matching.custom_matchers.trie_matcher',
        typedConfig: toAny('xds.type.matcher.v3.IPMatcher', xds.type.matcher.v3.IPMatcher, {
          rangeMatchers,
        }),
      },
    },
    onNoMatch: otherwise,
  };
}
