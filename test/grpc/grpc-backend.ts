// Protocol scripts over real gRPC. That nothing is under way is proven by counting: every request
// was taken, and as many responses were heard as the server has written.
import { ChannelCredentials, status } from '@grpc/grpc-js';
import type { DiscoveryStream } from '../../src/grpc/index.js';
import {
  DEFAULT_SESSION_LIMITS,
  type Request,
  type Snapshot,
  type Variant,
} from '../../src/xds/index.js';
import type { Backend, Heard } from '../xds/script.js';
import { AdsClient } from './ads-client.js';
import { startAdsServer } from './ads-server.js';

const ERRORS: ReadonlyMap<number, string> = new Map([
  [status.RESOURCE_EXHAUSTED, 'resource-limit'],
  [status.INVALID_ARGUMENT, 'request-invalid'],
]);

/** `typeUrl`: on the service of that type alone. */
export async function createGrpcBackend(variant: Variant, typeUrl?: string): Promise<Backend> {
  let stream: DiscoveryStream<string> | undefined;
  let snapshot: Snapshot | undefined;
  let taken = 0;
  const waiting: (() => void)[] = [];
  /** Until the stream is open. */
  const waitingToDefer: ((open: DiscoveryStream<string>) => void)[] = [];
  const { address, clock, stop, written } = await startAdsServer({
    authenticate: ({ node }) => node.id,
    limits: { maxNames: 5 },
    hooks: {
      onConnect(connected) {
        stream = connected;
        for (const defer of waitingToDefer.splice(0)) defer(connected);
        if (snapshot !== undefined) connected.setSnapshot(snapshot);
      },
      onUpdate() {
        taken += 1;
        for (const resolve of waiting.splice(0)) resolve();
      },
    },
  });
  const client = new AdsClient({
    address,
    variant,
    typeUrl,
    credentials: ChannelCredentials.createInsecure(),
  });
  const ended = client.ended();
  let sent = 0;
  const send = async (request: Request): Promise<void> => {
    client.send(request);
    sent += 1;
    while (taken < sent && client.status === undefined) {
      await Promise.race([ended, new Promise<void>((resolve) => waiting.push(resolve))]);
    }
  };
  let heard = 0;
  const next = async (): Promise<Heard | undefined> => {
    if (heard === written()) return undefined;
    heard += 1;
    return client.next();
  };
  return {
    async setSnapshot(given) {
      snapshot = given;
      stream?.setSnapshot(given);
    },
    send,
    next,
    async failure() {
      const { code } = await ended;
      return ERRORS.get(code) ?? `status ${code}`;
    },
    defer(wanted) {
      let answer = (): void => undefined;
      const defer = (open: DiscoveryStream<string>): void => {
        answer = open.defer(wanted);
      };
      if (stream === undefined) waitingToDefer.push(defer);
      else defer(stream);
      return () => answer();
    },
    alarm: async () => clock.advance(DEFAULT_SESSION_LIMITS.orderTimeoutMs),
    state: () => stream?.state() ?? [],
    isSynced: () => stream?.isSynced() ?? false,
    isInForce: (resource) => stream?.isInForce(resource) ?? false,
    async close() {
      client.close();
      stop();
    },
  };
}
