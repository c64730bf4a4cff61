// What one peer may take of the transport, and the channel options that go with it.
import type { ServerOptions } from '@grpc/grpc-js';
import { DEFAULT_SESSION_LIMITS, type SessionLimits } from '../xds/index.js';

export interface DiscoveryLimits extends SessionLimits {
  /** Requests that one stream may make each second, on average; ACKs count. */
  readonly maxRequestsPerSecond: number;
  /** Requests that one stream may make at once, as a proxy does that subscribes to many names. */
  readonly maxRequestBurst: number;
  /**
   * Responses that may wait for a slow reader; one that is larger by itself is sent, and then no
   * more.
   */
  readonly maxUnreadBytes: number;
  /** A stream whose first request isn't there after this is ended. */
  readonly firstRequestTimeoutMs: number;
  /** Open streams in all, those not authenticated yet among them. */
  readonly maxStreams: number;
  /** Open streams from one IP address. */
  readonly maxStreamsPerPeer: number;
  /** How often an idle connection is asked whether its peer lives. */
  readonly keepaliveTimeMs: number;
  /** How long the peer has to answer that. */
  readonly keepaliveTimeoutMs: number;
}

export const DEFAULT_DISCOVERY_LIMITS: DiscoveryLimits = {
  ...DEFAULT_SESSION_LIMITS,
  maxRequestsPerSecond: 200,
  maxRequestBurst: 5_000,
  maxUnreadBytes: 256 * 1024,
  firstRequestTimeoutMs: 10_000,
  maxStreams: 20_000,
  maxStreamsPerPeer: 5_000,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 20_000,
};

/** Limits without a default. */
const OPTIONAL: ReadonlySet<string> = new Set<keyof SessionLimits>(['orderTimeoutMsByType']);

/** Limits that a caller gave, over those that hold by default. A nonsense one: throws an Error. */
export function toLimits(given: Partial<DiscoveryLimits> = {}): DiscoveryLimits {
  const limits = { ...DEFAULT_DISCOVERY_LIMITS };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!(name in limits || OPTIONAL.has(name))) throw new Error(`no limit is called "${name}"`);
    if (typeof value === 'number' && !(value >= 0)) {
      throw new Error(`expected limits.${name} to be 0 or more but got ${value}`);
    }
    Object.assign(limits, { [name]: value });
  }
  return limits;
}

/**
 * Options for the grpc-js Server that discovery is attached to: for the same limits as those of
 * `attachDiscovery`, by the same rule. What isn't limited is by default.
 */
export function serverOptions(given?: Partial<DiscoveryLimits>): ServerOptions {
  const limits = toLimits(given);
  return {
    'grpc.max_receive_message_length': limits.maxRequestBytes,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.max_concurrent_streams': limits.maxStreamsPerPeer,
    // Channelz keeps a record of every connection that nothing here reads.
    'grpc.enable_channelz': 0,
  };
}
