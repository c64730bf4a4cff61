// How HTTP is spoken on every hop: what a message may be, and how much of a body that nobody reads
// is kept. The same on both sides of every hop, since a message that one hop takes and the next
// refuses fails in the mesh and nowhere else.
import { envoy } from '../gen/envoy.js';
import type { Port } from '../policy/index.js';
import { toAny, toDuration } from './messages.js';

type Http1Options = envoy.config.core.v3.Http1ProtocolOptions;
type Http2Options = envoy.config.core.v3.Http2ProtocolOptions;
type CommonOptions = envoy.config.core.v3.HttpProtocolOptions;

/** Go's default; nginx takes 32 kB, Node 16 kB, Tomcat 8 kB. Envoy's own is 60 kB. */
export const MAX_HEADERS_KB = 1_024;
/** Node takes 2,000, Go any number; Envoy's own is 100. */
export const MAX_HEADERS: CommonOptions = { maxHeadersCount: { value: 4_000 } };
/** What a cluster takes of an answer. */
export const MAX_ANSWER_HEADERS: CommonOptions = {
  ...MAX_HEADERS,
  maxResponseHeadersKb: { value: MAX_HEADERS_KB },
};

/**
 * A stream that nobody reads must never use up its connection's window, or it stalls every other
 * stream: the connection's is as large as all of its streams' together (docs/decisions/023).
 */
const STREAM_WINDOW = 256 * 1_024;
const MAX_STREAMS = 4_096;

/** Of each connection, so that what waits in a sidecar is little more than its windows. */
export const BUFFER_LIMIT = { value: 64 * 1_024 };
/** Of a request that may be tried again; without it BUFFER_LIMIT would be what it gets. */
export const RETRY_BUFFER_LIMIT = { value: 1_024 * 1_024 };

/** A message that breaks a rule ends its own stream, not the others of its connection. */
export const HTTP2: Http2Options = {
  allowConnect: true,
  maxConcurrentStreams: { value: MAX_STREAMS },
  initialStreamWindowSize: { value: STREAM_WINDOW },
  initialConnectionWindowSize: { value: MAX_STREAMS * STREAM_WINDOW },
  overrideStreamErrorOnInvalidHttpMessage: { value: true },
};

/**
 * To a peer over the network. One that vanished, or whose sidecar has stopped, is noticed within 15
 * s, and calls in flight get an error. Not to an application: a gRPC server ends a connection whose
 * client asks so often. The answer may have to wait behind bodies, hence its time.
 */
export const HTTP2_KEPT_ALIVE: Http2Options = {
  ...HTTP2,
  connectionKeepalive: { interval: toDuration(5_000), timeout: toDuration(10_000) },
};

const PRESERVE_CASE: Http1Options = {
  headerKeyFormat: {
    statefulFormatter: {
      name: 'envoy.http.stateful_header_formatters.preserve_case',
      typedConfig: toAny(
        'envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig',
        envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig,
        { forwardReasonPhrase: true },
      ),
    },
  },
};

export function toHttp1({ headerCase }: Port): Http1Options {
  return {
    enableTrailers: true,
    allowCustomMethods: true,
    ...(headerCase === 'preserve' ? PRESERVE_CASE : {}),
  };
}
