// Every call of the xDS port, before anybody knows whose it is: how many a connection begins, and
// what a request takes that isn't whole yet. grpc-js collects up to 4 MiB for each before a handler
// hears of it, whatever is asked for.
import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import type { MeshError } from '../../base/index.js';
import type { StreamAccount } from '../host.js';
import { toStatus } from '../status.js';
import { letGo, tryHttp2Stream } from './stream-below.js';
import { Turns } from './turns.js';

/** The other end of a call's connection. */
export interface Origin {
  readonly address: string;
  readonly port?: number | undefined;
}

export interface CallGuardOptions {
  /** A call has begun; the result is called at its end. */
  readonly beginCall: (origin: Origin) => () => void;
  /** A request is larger than what comes at once. `end` refuses its call. */
  readonly openRequest: (origin: Origin, end: (error: MeshError) => void) => StreamAccount;
}

/** Length and flag of a message (gRPC's framing). */
const MESSAGE_HEAD_BYTES = 5;
/** Less isn't counted: nearly every request is whole at once. */
const STEP_BYTES = 16_384;
/** Of a request that is one part of a turn: a list of that length takes a millisecond. */
const WEIGHT_BYTES = 16_384;
/** Envoy's first request has 62 kB, with the names that it asks for somewhat more. */
const FIRST_WEIGHT = 8;

export function createCallGuard(options: CallGuardOptions): ServerInterceptor {
  const turns = new Turns();
  return (_method, call) => {
    const { remoteAddress, remotePort: port } = call.getConnectionInfo();
    const origin = { address: toAddress(remoteAddress), port };
    const stream = tryHttp2Stream(call);
    const endCall = options.beginCall(origin);
    if (stream === undefined) return new ServerInterceptingCall(call);
    const refuse = (status: Parameters<typeof call.sendStatus>[0]): void => {
      letGo(stream, { isMute: false });
      call.sendStatus(status);
    };
    const meter = new RequestMeter(() =>
      options.openRequest(origin, (error) => refuse(toStatus(error))),
    );
    stream.on('data', (chunk: Buffer) => meter.came(chunk.length));
    stream.once('close', () => {
      meter.close();
      endCall();
    });
    return new ServerInterceptingCall(call, {
      start: (next) => {
        // A few kB of it would be 4 MiB each; Envoy never compresses requests.
        if (isCompressed(call)) {
          refuse({ code: status.UNIMPLEMENTED, details: 'expected a request without compression' });
          return;
        }
        next({
          onReceiveMessage: (message: Buffer, pass) => {
            const take = (): void => {
              if (stream.closed) return;
              meter.took(MESSAGE_HEAD_BYTES + message.length);
              pass(message);
            };
            const turn = takeTurn(turns, { origin, stream, bytes: message.length });
            if (turn === undefined) take();
            else void turn.then(take);
          },
        });
      },
    });
  };
}

/** What one call has sent and nobody has looked at yet. */
class RequestMeter {
  readonly #open: () => StreamAccount;
  #bytes = 0;
  #told = 0;
  #account: StreamAccount | undefined;

  constructor(open: () => StreamAccount) {
    this.#open = open;
  }

  came(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes - this.#told < STEP_BYTES) return;
    this.#account ??= this.#open();
    this.#told = this.#bytes;
    this.#account.set(this.#bytes);
  }

  took(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#told > 0) this.close();
  }

  close(): void {
    this.#told = 0;
    this.#account?.close();
    this.#account = undefined;
  }
}

/** What is short is nobody's trouble; what is shorter than others comes before them. */
function takeTurn(turns: Turns, { origin, stream, bytes }: Whole): Promise<void> | undefined {
  const weight = Math.floor(bytes / WEIGHT_BYTES);
  if (weight === 0) return undefined;
  const isFirst = weight <= FIRST_WEIGHT;
  const isGone = (): boolean => stream.closed;
  return turns.take(`${origin.address} ${origin.port}`, { isFirst, weight, isGone });
}

/** A request that is whole. */
interface Whole {
  readonly origin: Origin;
  readonly stream: { readonly closed: boolean };
  readonly bytes: number;
}

/** grpc-js removes the header that says so, and keeps what it said to itself. */
function isCompressed(call: object): boolean {
  const encoding: unknown = Reflect.get(call, 'incomingEncoding');
  return typeof encoding === 'string' && encoding !== 'identity';
}

/** IPv4-mapped addresses as IPv4; a connection that has gone has none. */
export function toAddress(address = 'unknown'): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
