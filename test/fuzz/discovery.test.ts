// Random and mutated requests against a live server over real gRPC: the server lives, never fails
// by itself ("internal error"), other streams are served all the while, and memory stays flat.
// FUZZ_ROUNDS makes it longer (`npm run soak`), FUZZ_SEED other.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ChannelCredentials, status } from '@grpc/grpc-js';
import { afterAll, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import {
  attachClientStatus,
  attachHealth,
  attachReflection,
  type DiscoveryStream,
} from '../../src/grpc/index.js';
import type { Request, Snapshot } from '../../src/xds/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { AdsClient } from '../grpc/ads-client.js';
import { type AdsServer, startAdsServer } from '../grpc/ads-server.js';
import { type Ended, RawClient } from '../grpc/raw-client.js';
import { SHORT, toSnapshot } from '../xds/script.js';
import { type FuzzedCall, Generator } from './generator.js';

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 24);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const CALLS_A_ROUND = 20;
/** After a third of the rounds; what grows with each stream would be far above that. */
const MAX_GROWTH_BYTES = 12 * 1024 * 1024;

const cleanups: (() => void)[] = [];
afterAll(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

interface Fuzzed extends AdsServer<string> {
  readonly failures: readonly unknown[];
  set(words: readonly string[]): void;
  /** Until no stream but the witnesses is open. */
  settled(witnesses: number): Promise<void>;
}

async function start(): Promise<Fuzzed> {
  let snapshot: Snapshot = new Map();
  const failures: unknown[] = [];
  let wake: () => void = () => undefined;
  const logger = {
    warn: () => undefined,
    error: (fields: object, message: string) => void failures.push({ fields, message }),
  };
  const started = await startAdsServer<string>({
    authenticate: ({ node }) => {
      if (node.id === '') throw new MeshError('request-invalid', 'expected a node id');
      return node.id;
    },
    logger,
    hooks: {
      onConnect: (stream: DiscoveryStream<string>) => stream.setSnapshot(snapshot),
      onDisconnect: () => wake(),
    },
  });
  const { server, discovery } = started;
  attachHealth(server);
  attachReflection(server, { services: [] });
  attachClientStatus(server, { discovery, authorizeStatus: () => undefined, logger });
  cleanups.push(started.stop);
  return {
    ...started,
    failures,
    set(words) {
      snapshot = toSnapshot(words);
      for (const stream of discovery.streams()) stream.setSnapshot(snapshot);
    },
    async settled(witnesses) {
      while (discovery.streams().length > witnesses) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

const ask = (nonce = ''): Request => ({
  typeUrl: SHORT['cds'] ?? '',
  nonce,
  interest: { variant: 'sotw', names: [], versionInfo: '' },
});

const HEALTH = { path: '/grpc.health.v1.Health/Check' };

/** Makes the call and waits for its end. */
async function attack(client: RawClient, { path, messages, leaves }: FuzzedCall): Promise<Ended> {
  const call = client.call({ path });
  for (const message of messages) call.send(message);
  if (leaves === 'cancel') {
    // Not before the server has had something to do.
    await client.unary(Buffer.alloc(0), HEALTH);
    call.cancel();
  } else call.end();
  for (;;) {
    const heard = await call.next();
    if ('code' in heard) return heard;
  }
}

/** A round takes a tenth of a second where nothing else runs. */
const TIMEOUT_MS = 30_000 + ROUNDS * 1_000;

test(
  'a fuzzed server serves the others, does not fail and does not grow',
  async () => {
    expect(ROUNDS).toBeGreaterThan(2);
    const server = await start();
    const generator = new Generator(seededRandom(SEED));
    const witness = new AdsClient({
      address: server.address,
      variant: 'sotw',
      credentials: ChannelCredentials.createInsecure(),
    });
    cleanups.push(() => witness.close());
    const attacker = new RawClient(server.address);
    cleanups.push(() => attacker.close());
    server.set(['cds:a@0', 'eds:a@1', 'sds:a@1']);
    witness.send(ask());
    let nonce = (await witness.next())?.nonce ?? '';
    const codes = new Map<number, number>();
    let settledBytes = 0;
    for (let round = 1; round <= ROUNDS; round += 1) {
      const calls = Array.from({ length: CALLS_A_ROUND }, () => generator.call());
      const ends = await Promise.all(calls.map((call) => attack(attacker, call)));
      for (const { code } of ends) codes.set(code, (codes.get(code) ?? 0) + 1);
      // Nobody else noticed anything: the change comes next, and nothing came before it.
      witness.send(ask(nonce));
      server.set([`cds:a@${round}`, 'eds:a@1,b@1', 'sds:a@1']);
      const heard = await witness.next();
      expect(heard).toMatchObject({ resources: [`a@${round}`] });
      nonce = heard?.nonce ?? '';
      await server.settled(1);
      if (round === Math.ceil(ROUNDS / 3)) settledBytes = heapBytes();
    }
    expect(server.failures).toEqual([]);
    expect(codes.get(status.INTERNAL) ?? 0).toBe(0);
    expect(codes.get(status.UNKNOWN) ?? 0).toBe(0);
    // It reached what it aims at: streams that were accepted, and such as were refused.
    expect(codes.get(status.OK)).toBeGreaterThan(0);
    expect(codes.get(status.INVALID_ARGUMENT)).toBeGreaterThan(0);
    expect(codes.get(status.RESOURCE_EXHAUSTED)).toBeGreaterThan(0);
    expect(heapBytes() - settledBytes).toBeLessThan(MAX_GROWTH_BYTES);
    expect(server.clock.pending).toBe(0);
  },
  TIMEOUT_MS,
);
