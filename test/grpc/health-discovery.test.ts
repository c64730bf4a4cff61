// Envoy's health discovery service: whom it listens to, and what foreign bytes can make of it.
// Its streams are fakes in memory.
import { EventEmitter } from 'node:events';
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { MeshError, SECOND_MS } from '../../src/base/index.js';
import { envoy } from '../../src/gen/api.js';
import {
  attachHealthDiscovery,
  HEALTH_DISCOVERY_SERVICE,
  type HealthStream,
} from '../../src/grpc/health-discovery/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { settle } from '../fakes/settle.js';

type Message = envoy.service.health.v3.HealthCheckRequestOrEndpointHealthResponse;
const { HealthCheckRequestOrEndpointHealthResponse } = envoy.service.health.v3;
const bytesOf = (message: Message): Buffer =>
  Buffer.from(HealthCheckRequestOrEndpointHealthResponse.encode(message).finish());
const FIRST = bytesOf({ healthCheckRequest: { node: { id: 'app~1', cluster: 'app' } } });
/** 1 is healthy; others are by Envoy's numbers. */
const reportOf = (states: Readonly<Record<string, readonly number[]>>): Buffer =>
  bytesOf({
    endpointHealthResponse: {
      clusterEndpointsHealth: Object.entries(states).map(([clusterName, all]) => ({
        clusterName,
        localityEndpointsHealth: [
          { endpointsHealth: all.map((healthStatus) => ({ healthStatus })) },
        ],
      })),
    },
  });

class FakeCall extends EventEmitter {
  readonly metadata = new Metadata();
  readonly written: string[] = [];
  /** Code and details; undefined while it is open. */
  ended: string | undefined;
  cancelled = false;
  writableNeedDrain = false;

  constructor(readonly peer = '10.0.0.7:5000') {
    super();
    this.metadata.set('authorization', 'Bearer token');
    this.on('error', ({ code, details }) => {
      this.ended = `${code} ${details}`;
    });
  }

  getPeer = (): string => this.peer;
  getAuthContext = (): undefined => undefined;
  pause = (): this => this;
  resume = (): this => this;
  write = (bytes: Buffer): boolean => this.written.push(bytes.toString()) > 0;
  end = (): void => {
    this.ended = 'OK';
  };
}

function setUp(limits: { maxStreams?: number; maxStreamsPerPeer?: number } = {}) {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const world = { refusal: undefined as MeshError | undefined, claims: [] as string[] };
  const streams: HealthStream<string>[] = [];
  const heard: string[] = [];
  let handler: (call: FakeCall) => void = () => undefined;
  const registry = {
    addService(_definition: unknown, implementation: Record<string, unknown>) {
      handler = implementation['StreamHealthCheck'] as typeof handler;
    },
  };
  const drain = attachHealthDiscovery<string>(registry as never, {
    ...{ clock, logger, ...limits },
    authenticate: async ({ node, authorization, address }) => {
      world.claims.push(`${node.id} ${authorization} ${address}`);
      if (world.refusal !== undefined) throw world.refusal;
      return node.id;
    },
    hooks: {
      onOpen: (stream) => void streams.push(stream),
      onReport: ({ auth }, report) => void heard.push(JSON.stringify([auth, ...report])),
      onClose: ({ auth }) => void heard.push(`${auth} closed`),
    },
  });
  const open = async (first: Buffer | null = FIRST, peer?: string): Promise<FakeCall> => {
    const call = new FakeCall(peer);
    handler(call);
    if (first !== null) call.emit('data', first);
    await settle();
    return call;
  };
  return { clock, logger, world, streams, heard, drain, open };
}

describe('a stream of health reports', () => {
  it('has the name that Envoy calls', () => {
    expect(HEALTH_DISCOVERY_SERVICE).toBe('envoy.service.health.v3.HealthDiscoveryService');
  });

  it('proves whose it is, is asked, and reports', async () => {
    const { world, streams, heard, open } = setUp();
    const call = await open();
    expect(world.claims).toEqual(['app~1 Bearer token 10.0.0.7']);
    streams[0]?.ask(Buffer.from('one'));
    call.writableNeedDrain = true;
    streams[0]?.ask(Buffer.from('two'));
    streams[0]?.ask(Buffer.from('three'));
    expect(call.written).toEqual(['one']);
    call.writableNeedDrain = false;
    call.emit('drain');
    expect(call.written).toEqual(['one', 'three']);
    call.emit('data', reportOf({ 'health:1': [1], 'health:2': [4], 'health:3': [1, 2], none: [] }));
    call.emit('data', Buffer.alloc(0));
    call.emit('cancelled');
    expect(heard).toEqual([
      '["app~1",["health:1",true],["health:2",false],["health:3",false]]',
      '["app~1"]',
      'app~1 closed',
    ]);
  });

  it('of one that may not report is held for 30 s, before Envoy comes back', async () => {
    const { clock, world, heard, open, logger } = setUp();
    world.refusal = new MeshError('token-expired', 'the token has expired');
    const call = await open();
    call.emit('data', reportOf({ 'health:1': [1] }));
    clock.advance(30 * SECOND_MS - 1);
    expect(call.ended).toBeUndefined();
    clock.advance(1);
    expect(call.ended).toBe('OK');
    expect({ heard, written: call.written }).toEqual({ heard: [], written: [] });
    expect(logger.lines.map(({ message }) => message)).toEqual(['health reports refused']);
  });
});

describe('a stream of health reports, against foreign bytes', () => {
  it.each([
    ['another message than Envoy has', Buffer.from('hello'), 'got other bytes'],
    ['a first message without a node', bytesOf({ healthCheckRequest: {} }), 'with a node'],
    ['one that is too large', Buffer.alloc(1_048_577), 'at most 1048576 bytes'],
  ])('with %s is held', async (_what, first, reason) => {
    const { world, open, logger } = setUp();
    const call = await open(first);
    expect({ ended: call.ended, claims: world.claims }).toEqual({ ended: undefined, claims: [] });
    expect(JSON.stringify(logger.lines[0]?.fields)).toContain(reason);
  });

  it('that reports too often, or other bytes, is listened to no more', async () => {
    const { streams, heard, open } = setUp();
    const often = await open();
    for (let n = 0; n < 100; n++) often.emit('data', reportOf({ 'health:1': [1] }));
    expect(heard.length).toBeLessThan(30);
    expect(heard.at(-1)).toBe('app~1 closed');
    const other = await open();
    other.emit('data', Buffer.from('hello'));
    streams[1]?.ask(Buffer.from('one'));
    expect(heard.filter((one) => one === 'app~1 closed')).toHaveLength(2);
  });

  it('that says nothing is ended after 10 s', async () => {
    const { clock, open } = setUp();
    const call = await open(null);
    clock.advance(10 * SECOND_MS - 1);
    expect(call.ended).toBeUndefined();
    clock.advance(1);
    expect(call.ended).toContain('expected a first message within 10000 ms but got none');
  });

  it('is one of so many, held ones among them; a place is free again at an end', async () => {
    const { world, open } = setUp({ maxStreams: 3, maxStreamsPerPeer: 2 });
    world.refusal = new MeshError('token-expired', 'the token has expired');
    const [first] = [await open(), await open()];
    expect((await open()).ended).toContain('at most 2 streams from one address');
    await open(FIRST, '10.0.0.8:5000');
    expect((await open(FIRST, '10.0.0.9:5000')).ended).toContain('at most 3 streams');
    first?.emit('cancelled');
    expect((await open()).ended).toBeUndefined();
  });

  it('ends when the server stops, and no other begins', async () => {
    const { drain, heard, open } = setUp();
    const call = await open();
    drain();
    expect(call.ended).toContain('shutting down');
    expect(heard).toEqual(['app~1 closed']);
    expect((await open()).ended).toContain('shutting down');
  });
});
