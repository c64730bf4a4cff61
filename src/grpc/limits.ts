// What one peer may take of the transport, and the channel options that go with it.
import type { ServerOptions } from '@grpc/grpc-js';
import { DEFAULT_SESSION_LIMITS, type SessionLimits } from '../xds/index.js';

export interface DiscoveryLimits extends SessionLimits {
  /** Of one request. Envoy's first is about 62 kB; delta's first names every resource held. */
  readonly maxRequestBytes: number;
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
  maxRequestBytes: 4 * 1024 * 1024,
  maxRequestsPerSecond: 200,
  maxRequestBurst: 5_000,
  maxUnreadBytes: 256 * 1024,
  firstRequestTimeoutMs: 10_000,
  maxStreams: 20_000,
  maxStreamsPerPeer: 5_000,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 10_000,
};

/** Options for the grpc-js Server that discovery is attached to. */
export function serverOptions(limits: DiscoveryLimits = DEFAULT_DISCOVERY_LIMITS): ServerOptions {
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
