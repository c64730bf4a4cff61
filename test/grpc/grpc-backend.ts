// Protocol scripts over real gRPC. That nothing is under way is proven by a barrier: a request for a type of
// its own, whose answer comes after everything that was sent before it.
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

const BARRIER = 'barrier/';

export async function createGrpcBackend(variant: Variant): Promise<Backend> {
  let stream: DiscoveryStream<string> | undefined;
  let snapshot: Snapshot | undefined;
  let taken = 0;
  const waiting: (() => void)[] = [];
  const { address, clock, stop } = await startAdsServer({
    authenticate: ({ node }) => node.id,
    limits: { maxNames: 5, maxTypes: 1_000 },
    hooks: {
      onConnect(connected) {
        stream = connected;
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
    credentials: ChannelCredentials.createInsecure(),
  });
  const ended = client.ended();
  let sent = 0;
  let barriers = 0;
  const send = async (request: Request): Promise<void> => {
    client.send(request);
    sent += 1;
    while (taken < sent && client.status === undefined) {
      await Promise.race([ended, new Promise<void>((resolve) => waiting.push(resolve))]);
    }
  };
  const interest = (): Request['interest'] =>
    variant === 'sotw'
      ? { variant, names: [], versionInfo: '' }
      : { variant, subscribe: [], unsubscribe: [], initialVersions: new Map() };
  const early: Heard[] = [];
  const next = async (): Promise<Heard | undefined> => {
    const waitingFor = early.shift();
    if (waitingFor !== undefined) return waitingFor;
    if (snapshot === undefined || client.status !== undefined) return undefined;
    barriers += 1;
    const typeUrl = `${BARRIER}${barriers}`;
    await send({ typeUrl, nonce: '', interest: interest() });
    for (let heard = await client.next(); heard !== undefined; heard = await client.next()) {
      if (heard.typeUrl === typeUrl) {
        await send({ typeUrl, nonce: heard.nonce, interest: interest() });
        return early.shift();
      }
      early.push(heard);
    }
    return early.shift();
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
      return code === status.RESOURCE_EXHAUSTED ? 'resource-limit' : `status ${code}`;
    },
    alarm: async () => clock.advance(DEFAULT_SESSION_LIMITS.orderTimeoutMs),
    state: () => (stream?.state() ?? []).filter(({ typeUrl }) => !typeUrl.startsWith(BARRIER)),
    isSynced: () => stream?.isSynced() ?? false,
    isInForce: (resource) => stream?.isInForce(resource) ?? false,
    async close() {
      client.close();
      stop();
    },
  };
}
