// The HTTP/2 stream below a call, which grpc-js keeps to itself. A server can end a call but not
// its stream: a client that neither reads nor ends its half keeps that open, and all that waits for
// it. Undefined where grpc-js keeps it elsewhere (test/grpc/stream-below.test.ts then fails).
import { constants, type ServerHttp2Stream } from 'node:http2';

/** A call of a handler or of an interceptor → … → grpc-js' own call → its stream. */
export function tryHttp2Stream(call: object): ServerHttp2Stream | undefined {
  let at: unknown = call;
  while (typeof at === 'object' && at !== null) {
    const stream: unknown = Reflect.get(at, 'stream');
    if (isHttp2Stream(stream)) return stream;
    at = Reflect.get(at, 'nextCall') ?? Reflect.get(at, 'call');
  }
  return undefined;
}

function isHttp2Stream(value: unknown): value is ServerHttp2Stream {
  return typeof value === 'object' && value !== null && 'session' in value && 'rstCode' in value;
}

/**
 * Lets go of a stream whose call ends because it cost too much: at once where the client still has
 * something to read (gRPC reads RESOURCE_EXHAUSTED from the code), else after its status, before
 * which this is to be called.
 */
export function letGo(stream: ServerHttp2Stream, { isMute }: { readonly isMute: boolean }): void {
  if (stream.closed) return;
  if (isMute) {
    stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    return;
  }
  // The status is in the trailers, which Node sends a moment later; where nothing was sent before,
  // in the headers.
  stream.once(stream.headersSent ? 'wantTrailers' : 'finish', () => {
    process.nextTick(() => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
  });
}
