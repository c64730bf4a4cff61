// A method of one request and one answer, of which so many calls are worked on at once. Who may
// not, and why, is said to the peer, and to the log in the host's words.
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { MeshError } from '../base/index.js';
import type { ServiceRegistry } from './discovery.js';
import type { Logger } from './host.js';
import { toMethod } from './method.js';
import { toCaller } from './peer.js';
import { isForPeer, toStatus } from './status.js';

export type UnaryCall = ServerUnaryCall<Buffer, Buffer>;

export interface UnaryOptions {
  /** Full name. */
  readonly service: string;
  readonly method: string;
  /** Calls that are worked on at once; more are refused. */
  readonly maxInProgress: number;
  /** Rejects with a MeshError where the peer is at fault. */
  readonly answer: (call: UnaryCall) => Promise<Buffer>;
  readonly logger?: Logger | undefined;
  readonly words: {
    /** What there are too many of: `certificate requests`. */
    readonly calls: string;
    /** Of a call that was refused to its peer. */
    readonly refused: string;
    /** Of one that failed for another reason. */
    readonly failed: string;
  };
}

/** Serves it on `server`, as the only method of its service. */
export function attachUnary(server: ServiceRegistry, options: UnaryOptions): void {
  const { service, method, maxInProgress, answer, logger, words } = options;
  let inProgress = 0;
  const tryAnswer = async (call: UnaryCall): Promise<Buffer> => {
    if (inProgress >= maxInProgress) {
      const message = `expected at most ${maxInProgress} ${words.calls} at once`;
      throw new MeshError('resource-limit', message);
    }
    inProgress += 1;
    try {
      return await answer(call);
    } finally {
      inProgress -= 1;
    }
  };
  const toRefusal = (call: UnaryCall, error: unknown): ReturnType<typeof toStatus> => {
    const refusal = toStatus(error);
    const peer = toCaller(call).address;
    if (isForPeer(error)) logger?.warn({ peer, reason: refusal.details }, words.refused);
    else logger?.error({ peer, err: error }, words.failed);
    return refusal;
  };
  const shape = { service, name: method, requestStream: false, responseStream: false };
  server.addService(
    { [method]: toMethod(shape) },
    {
      [method](call: UnaryCall, done: sendUnaryData<Buffer>): void {
        tryAnswer(call).then(
          (response) => done(null, response),
          (error: unknown) => done(toRefusal(call, error)),
        );
      },
    },
  );
}
