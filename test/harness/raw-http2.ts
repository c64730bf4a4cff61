import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { withDeadline } from '../../src/demo/wait.js';

// HTTP/2 (RFC 9113) as no client library would send it: header fields as they are given, in that
// order, once or twice. Fields are literals without indexing (RFC 7541 6.2.2), so nothing of HPACK
// but its simplest form is needed; of the answer only what kind it is.

export interface RawHttp2 {
  readonly address: string;
  readonly port: number;
  /** Absent: plain text, by prior knowledge. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly servername?: string };
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** `refused` by rules, `reset` as no request, or `answered`. */
export type RawHttp2Outcome = 'refused' | 'reset' | 'answered';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const TYPES = { data: 0, headers: 1, reset: 3, settings: 4, goAway: 7 } as const;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const FRAME_HEADER = 9;

function toFrame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

function toField([name, value]: readonly [string, string]): Buffer {
  const text = (of: string): Buffer => Buffer.concat([Buffer.from([of.length]), Buffer.from(of)]);
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

function* toFrames(bytes: Buffer): Generator<Frame> {
  for (let at = 0; at + FRAME_HEADER <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    if (at + FRAME_HEADER + length > bytes.length) return;
    const payload = bytes.subarray(at + FRAME_HEADER, at + FRAME_HEADER + length);
    const stream = bytes.readUInt32BE(at + 5);
    yield { type: bytes.readUInt8(at + 3), flags: bytes.readUInt8(at + 4), stream, payload };
    at += FRAME_HEADER + length;
  }
}

/** The outcome as far as these bytes tell; undefined: not yet. */
function tryOutcome(bytes: Buffer): RawHttp2Outcome | undefined {
  let body = '';
  for (const { type, flags, stream, payload } of toFrames(bytes)) {
    if (type === TYPES.goAway || (type === TYPES.reset && stream === 1)) return 'reset';
    if (stream !== 1) continue;
    if (type === TYPES.data) body += payload.toString('latin1');
    const ends = type === TYPES.data || type === TYPES.headers;
    if (!ends || (flags & END_STREAM) === 0) continue;
    return body.includes('RBAC: access denied') ? 'refused' : 'answered';
  }
  return undefined;
}

/** One request without a body. */
export function rawHttp2({ address, port, tls, fields }: RawHttp2): Promise<RawHttp2Outcome> {
  const what = `an answer from ${address}:${port}`;
  return withDeadline({ what, timeoutMs: 5_000 }, (signal) => {
    const to = { host: address, port };
    const options = { ...to, ...tls, ALPNProtocols: ['h2'], rejectUnauthorized: false };
    const socket = tls === undefined ? connectTcp(to) : connectTls(options);
    signal.addEventListener('abort', () => socket.destroy());
    socket.on('error', () => undefined);
    const headers = Buffer.concat(fields.map(toField));
    socket.write(
      Buffer.concat([
        Buffer.from(PREFACE),
        toFrame(TYPES.settings, 0, 0),
        toFrame(TYPES.headers, END_HEADERS | END_STREAM, 1, headers),
      ]),
    );
    let bytes = Buffer.alloc(0);
    return new Promise<RawHttp2Outcome>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        const outcome = tryOutcome(bytes);
        if (outcome === undefined) return;
        resolve(outcome);
        socket.destroy();
      });
      socket.on('close', () => resolve('reset'));
    });
  });
}
