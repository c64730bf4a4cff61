import { createHash, X509Certificate } from 'node:crypto';
import { ChannelCredentials, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import {
  type DiscoveryHooks,
  type DiscoveryOptions,
  type DiscoveryStream,
  type Peer,
  type StreamUpdate,
  shutdown,
} from '../../src/grpc/index.js';
import type { Request, Response, Variant } from '../../src/xds/index.js';
import { SHORT, toSnapshot } from '../xds/script.js';
import { AdsClient, type AdsClientOptions } from './ads-client.js';
import { type AdsServer, startAdsServer } from './ads-server.js';
import { selfSigned } from './certificate.js';
import { signal } from './signal.js';

const PLAIN = ChannelCredentials.createInsecure();
const CDS = SHORT['cds'] ?? '';
const VARIANTS: readonly Variant[] = ['sotw', 'delta'];
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function start<A>(
  options: Omit<DiscoveryOptions<A>, 'clock'>,
  credentials?: ServerCredentials,
): Promise<AdsServer<A>> {
  const started = await startAdsServer(options, credentials);
  cleanups.push(() => started.stop());
  return started;
}

function connect(
  options: Pick<AdsClientOptions, 'address'> & Partial<AdsClientOptions>,
): AdsClient {
  const client = new AdsClient({ variant: 'sotw', credentials: PLAIN, ...options });
  cleanups.push(() => client.close());
  return client;
}

function cds(variant: Variant = 'sotw', nonce = ''): Request {
  const interest: Request['interest'] =
    variant === 'sotw'
      ? { variant, names: [], versionInfo: '' }
      : { variant, subscribe: [], unsubscribe: [], initialVersions: new Map() };
  return { typeUrl: CDS, nonce, interest };
}

const serving = {
  authenticate: ({ node }: Peer) => node.id,
  hooks: {
    onConnect: (stream: DiscoveryStream<string>) => stream.setSnapshot(toSnapshot(['cds:a@1'])),
  },
};

describe('who is let in', () => {
  test.each(VARIANTS)('%s: the host sees the node, header and address, once', async (variant) => {
    const peers: Peer[] = [];
    const authenticate = async (peer: Peer): Promise<string> => {
      peers.push(peer);
      return 'web';
    };
    const { address, discovery } = await start({ ...serving, authenticate });
    const client = connect({ address, variant, authorization: 'Bearer t' });
    client.send(cds(variant));
    expect((await client.next())?.resources).toEqual(['a@1']);
    expect(peers).toEqual([
      {
        address: '127.0.0.1',
        port: expect.any(Number),
        variant,
        authorization: 'Bearer t',
        certificate: undefined,
        node: {
          id: 'node-1',
          cluster: 'web',
          metadata: {},
          userAgentName: '',
          userAgentVersion: '',
        },
      },
    ]);
    expect(discovery.streams().map(({ auth, peerAddress }) => [auth, peerAddress])).toEqual([
      ['web', '127.0.0.1'],
    ]);
  });

  const refusals = [
    ['token-missing', 'no token was given', status.UNAUTHENTICATED],
    ['token-invalid', 'token is malformed', status.UNAUTHENTICATED],
    ['token-expired', 'token ended', status.UNAUTHENTICATED],
    ['token-wrong-service', 'token is for "a"', status.PERMISSION_DENIED],
    ['service-unknown', 'no service "x"', status.FAILED_PRECONDITION],
    ['address-in-use', 'address is taken', status.ALREADY_EXISTS],
    ['server-stopping', 'not now', status.UNAVAILABLE],
    ['request-invalid', 'node.id is empty', status.INVALID_ARGUMENT],
    ['resource-limit', 'too many', status.RESOURCE_EXHAUSTED],
  ] as const;
  test.each(refusals)('%s is told and nothing else', async (code, message, expected) => {
    const authenticate = (): never => {
      throw new MeshError(code, message);
    };
    const { address, discovery } = await start({ ...serving, authenticate });
    const client = connect({ address });
    client.send(cds());
    expect(await client.next()).toBeUndefined();
    expect(client.status).toEqual({ code: expected, details: message });
    expect(discovery.streams()).toEqual([]);
  });

  test.each([new Error('secret detail'), new MeshError('data-damaged', 'secret detail')])(
    '%s goes to the log and out as "internal error"',
    async (error) => {
      const logged: unknown[] = [];
      const logger = { warn: () => undefined, error: (fields: object) => void logged.push(fields) };
      const authenticate = async (): Promise<never> => Promise.reject(error);
      const { address } = await start({ ...serving, authenticate, logger });
      const client = connect({ address });
      client.send(cds());
      expect(await client.ended()).toEqual({ code: status.INTERNAL, details: 'internal error' });
      expect(logged).toEqual([{ stream: 1, peer: '127.0.0.1', err: error }]);
    },
  );

  test('requests that come during authentication are answered after it', async () => {
    let admit: (auth: string) => void = () => undefined;
    let asked: () => void = () => undefined;
    const asking = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const authenticate = (): Promise<string> => {
      asked();
      return new Promise((resolve) => {
        admit = resolve;
      });
    };
    const hooks = {
      onConnect: (stream: DiscoveryStream<string>) =>
        stream.setSnapshot(toSnapshot(['cds:a@1', 'sds:s@1'])),
    };
    const { address } = await start({ authenticate, hooks });
    const client = connect({ address });
    client.send(cds());
    client.send({
      typeUrl: SHORT['sds'] ?? '',
      nonce: '',
      interest: { variant: 'sotw', names: ['s'], versionInfo: '' },
    });
    await asking;
    admit('web');
    expect((await client.next())?.resources).toEqual(['a@1']);
    expect((await client.next())?.resources).toEqual(['s@1']);
  });

  test('TLS, with the client certificate handed to the host', async () => {
    const [server, client] = [selfSigned('xds'), selfSigned('web')];
    const certificates: (string | undefined)[] = [];
    const authenticate = ({ certificate }: Peer): string => {
      certificates.push(certificate && createHash('sha256').update(certificate).digest('hex'));
      return 'web';
    };
    const keyPair = {
      private_key: Buffer.from(server.keyPem),
      cert_chain: Buffer.from(server.certificatePem),
    };
    const { address } = await start(
      { ...serving, authenticate },
      ServerCredentials.createSsl(Buffer.from(client.certificatePem), [keyPair], true),
    );
    const credentials = ChannelCredentials.createSsl(
      Buffer.from(server.certificatePem),
      Buffer.from(client.keyPem),
      Buffer.from(client.certificatePem),
    );
    const peer = connect({ address, credentials, variant: 'delta' });
    peer.send(cds('delta'));
    expect((await peer.next())?.resources).toEqual(['a@1']);
    const der = new X509Certificate(client.certificatePem).raw;
    expect(certificates).toEqual([createHash('sha256').update(der).digest('hex')]);
  });
});

describe('limits', () => {
  test('no node in the first request', async () => {
    const { address } = await start(serving);
    const client = connect({ address });
    client.send(cds(), { node: undefined });
    const details = 'expected a node in the first request but got none';
    expect(await client.ended()).toEqual({ code: status.INVALID_ARGUMENT, details });
  });

  const invalid: readonly (readonly [string, Buffer, string])[] = [
    ['no message', Buffer.from([0xff]), 'expected a discovery request but got other bytes'],
    ['no type', Buffer.alloc(0), 'expected a type_url but got an empty one'],
  ];
  test.each(invalid)('%s', async (_name, bytes, details) => {
    const { address } = await start(serving);
    const client = connect({ address });
    client.sendBytes(bytes);
    expect(await client.ended()).toEqual({ code: status.INVALID_ARGUMENT, details });
  });

  test('a stream without a first request is ended', async () => {
    const { address, clock } = await start({ ...serving, limits: { firstRequestTimeoutMs: 500 } });
    const silent = connect({ address });
    const other = connect({ address });
    other.send(cds());
    await other.next();
    clock.advance(500);
    const details = 'expected a first request within 500 ms but got none';
    expect(await silent.ended()).toEqual({ code: status.DEADLINE_EXCEEDED, details });
    expect(other.status).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test.each([
    [{ maxStreams: 1 }, 'expected at most 1 streams'],
    [{ maxStreamsPerPeer: 1 }, 'expected at most 1 streams from one address'],
  ])('%o: one more is refused until one has gone', async (limits, details) => {
    let gone: () => void = () => undefined;
    const disconnected = new Promise<void>((resolve) => {
      gone = resolve;
    });
    const hooks = { ...serving.hooks, onDisconnect: () => gone() };
    const { address } = await start({ ...serving, hooks, limits });
    const first = connect({ address });
    first.send(cds());
    await first.next();
    const second = connect({ address });
    expect(await second.ended()).toEqual({ code: status.RESOURCE_EXHAUSTED, details });
    first.close();
    await disconnected;
    const third = connect({ address });
    third.send(cds());
    expect((await third.next())?.resources).toEqual(['a@1']);
  });

  test('a request that is too large ends its stream only', async () => {
    const { address } = await start({ ...serving, limits: { maxRequestBytes: 200 } });
    const [large, small] = [connect({ address }), connect({ address })];
    small.send(cds());
    await small.next();
    large.sendBytes(Buffer.alloc(201));
    expect(await large.ended()).toEqual({
      code: status.RESOURCE_EXHAUSTED,
      details: 'expected requests of at most 200 bytes but got 201',
    });
    expect(small.status).toBeUndefined();
  });
});

describe('hooks and ends', () => {
  test('hooks hear of requests, ACKs, NACKs and ends; one that throws breaks nothing', async () => {
    const seen: unknown[] = [];
    const logged: string[] = [];
    let gone: () => void = () => undefined;
    const disconnected = new Promise<void>((resolve) => {
      gone = resolve;
    });
    const hooks = {
      onConnect(stream: DiscoveryStream<string>): void {
        stream.setSnapshot(toSnapshot(['cds:a@1']));
        throw new Error('hook');
      },
      onUpdate(stream: DiscoveryStream<string>, update: StreamUpdate): void {
        seen.push(update.kind === 'nacked' ? update.rejection.message : update.kind);
        if (update.kind === 'acked') stream.setSnapshot(toSnapshot(['cds:a@2']));
      },
      onDisconnect: () => gone(),
    };
    const logger = {
      warn: () => undefined,
      error: (_fields: object, message: string) => void logged.push(message),
    };
    const { address, discovery } = await start({ ...serving, hooks, logger });
    const client = connect({ address });
    client.send(cds());
    client.send(cds('sotw', (await client.next())?.nonce));
    const second = await client.next();
    expect(second?.resources).toEqual(['a@2']);
    client.send({ ...cds('sotw', second?.nonce), error: { code: 3, message: 'no such thing' } });
    client.end();
    expect((await client.ended()).code).toBe(status.OK);
    await disconnected;
    expect(seen).toEqual(['request', 'acked', 'no such thing']);
    expect(logged).toEqual(['a discovery hook failed']);
    expect(discovery.streams()).toEqual([]);
  });

  test('each request and each response is told, in the order of the wire', async () => {
    const seen: string[] = [];
    const gone = signal();
    const hooks = {
      onConnect: (stream: DiscoveryStream<string>) => stream.setSnapshot(toSnapshot(['cds:a@1'])),
      onRequest: (_stream: DiscoveryStream<string>, { nonce, error }: Request) =>
        void seen.push(`> ${nonce} ${error?.message ?? ''}`),
      onResponse(stream: DiscoveryStream<string>, { nonce, resources }: Response) {
        seen.push(`< ${nonce} ${resources.map(({ name }) => name).join(' ')}`);
        // What a hook makes us send is told after what was sent before it.
        if (nonce === '1') stream.setSnapshot(toSnapshot(['cds:a@1', 'sds:s@1']));
      },
      onUpdate: (_stream: DiscoveryStream<string>, { kind }: StreamUpdate) => void seen.push(kind),
      onDisconnect: () => gone.happen(),
    };
    const { address } = await start({ ...serving, hooks });
    const client = connect({ address });
    client.send(cds());
    const first = await client.next();
    const interest = { variant: 'sotw', names: ['s'], versionInfo: '' } as const;
    client.send({ typeUrl: SHORT['sds'] ?? '', nonce: '', interest });
    expect((await client.next())?.resources).toEqual(['s@1']);
    client.send({ ...cds('sotw', first?.nonce), error: { code: 3, message: 'no' } });
    client.end();
    await client.ended();
    await gone.happened;
    expect(seen).toEqual([
      ...['>  ', '< 1 a', 'request'],
      ...['>  ', '< 2 s', 'request'],
      ...['> 1 no', 'nacked'],
    ]);
  });

  const HOOKS = ['onConnect', 'onRequest', 'onResponse', 'onUpdate', 'onDisconnect'] as const;
  const FAILURES = {
    throws: () => {
      throw new Error('hook');
    },
    'rejects later': () => Promise.reject(new Error('hook')),
  };
  const failing = HOOKS.flatMap((name) =>
    Object.entries(FAILURES).map(([how, fail]) => [name, how, fail] as const),
  );
  test.each(failing)('%s that %s is logged and breaks nothing', async (name, _how, fail) => {
    const logged: object[] = [];
    const [gone, told] = [signal(), signal()];
    const logger = {
      warn: () => undefined,
      error(fields: object): void {
        logged.push(fields);
        told.happen();
      },
    };
    const hooks: DiscoveryHooks<string> = {
      onConnect: serving.hooks.onConnect,
      onDisconnect: gone.happen,
      [name](stream: DiscoveryStream<string>): unknown {
        if (name === 'onConnect') serving.hooks.onConnect(stream);
        if (name === 'onDisconnect') gone.happen();
        return fail();
      },
    };
    const { address, discovery } = await start({ ...serving, hooks, logger });
    const client = connect({ address });
    client.send(cds());
    expect((await client.next())?.resources).toEqual(['a@1']);
    discovery.streams()[0]?.setSnapshot(toSnapshot(['cds:a@2']));
    client.send(cds('sotw', '1'));
    expect((await client.next())?.resources).toEqual(['a@2']);
    client.end();
    expect((await client.ended()).code).toBe(status.OK);
    await Promise.all([gone.happened, told.happened]);
    expect(logged[0]).toEqual({ err: new Error('hook'), hook: name });
  });

  test('the host closes a stream with a status', async () => {
    let stream: DiscoveryStream<string> | undefined;
    const hooks = {
      onConnect(connected: DiscoveryStream<string>): void {
        stream = connected;
        connected.setSnapshot(toSnapshot(['cds:a@1']));
      },
    };
    const { address } = await start({ ...serving, hooks });
    const client = connect({ address });
    client.send(cds());
    await client.next();
    stream?.close(new MeshError('revoked', 'the service is shut out'));
    stream?.setSnapshot(toSnapshot(['cds:a@2']));
    expect(await client.next()).toBeUndefined();
    expect(client.status).toEqual({
      code: status.PERMISSION_DENIED,
      details: 'the service is shut out',
    });
  });

  test('shutdown ends streams with UNAVAILABLE and takes no more', async () => {
    const { address, server, discovery, clock } = await start(serving);
    const client = connect({ address });
    client.send(cds());
    await client.next();
    const stopped = shutdown({ server, addresses: [address], discovery, clock, graceMs: 1_000 });
    const details = 'server is shutting down';
    expect(await client.ended()).toEqual({ code: status.UNAVAILABLE, details });
    clock.advance(1_000);
    await stopped;
    expect(discovery.streams()).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
