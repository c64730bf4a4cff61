// The cost of pushing one changed resource to many proxies over TLS, beside bare grpc-js writing
// the same bytes to as many streams in the same run. Servers and the simulated proxies are
// processes of their own; the server's CPU (user and system) is what is compared, from the push to
// the last answer read.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ChannelCredentials, Client, Server, ServerCredentials } from '@grpc/grpc-js';
import { compare, sleep, summarize } from './measure.mjs';
import { selfSigned } from './self-signed.mjs';

const SELF = fileURLToPath(import.meta.url);
const ADS = '/envoy.service.discovery.v3.AggregatedDiscoveryService/';
const METHODS = { sotw: 'StreamAggregatedResources', delta: 'DeltaAggregatedResources' };
const SUBSCRIBED = 'shared';
const identity = (bytes) => bytes;
const load = async (folder) =>
  import(
    new URL(
      `${folder}/index.js`,
      new URL(process.env.COUNTERSIGN_DIST ?? '../dist/', import.meta.url),
    )
  );
const loadWire = async () =>
  (
    await import(
      new URL('gen/wire.js', new URL(process.env.COUNTERSIGN_DIST ?? '../dist/', import.meta.url))
    )
  ).countersign.wire;

/** Bare grpc-js: writes the same Buffer to every stream and counts the answers. */
async function bareServer(server, { variant, bytes }, answered) {
  const { TYPE_URLS } = await load('xds');
  const wire = await loadWire();
  const streams = new Set();
  const message = (version) => {
    const [text, typeUrl] = [`${version}`.padStart(16, '0'), TYPE_URLS.endpoint];
    const any = { typeUrl, value: Buffer.alloc(bytes, version) };
    const writer =
      variant === 'sotw'
        ? wire.DiscoveryResponse.encode({
            ...{ versionInfo: text, typeUrl, nonce: `${version}` },
            resources: [any],
          })
        : wire.DeltaDiscoveryResponse.encode({
            ...{ systemVersionInfo: text, typeUrl, nonce: `${version}` },
            resources: [{ name: SUBSCRIBED, version: text, resource: any }],
          });
    return Buffer.from(writer.finish());
  };
  const first = message(1);
  const definition = (method) => ({
    ...{ path: ADS + method, requestStream: true, responseStream: true },
    ...{ requestSerialize: identity, requestDeserialize: identity },
    ...{ responseSerialize: identity, responseDeserialize: identity },
  });
  const accept = (call) => {
    let isFirst = true;
    call.on('data', () => {
      if (isFirst) call.write(first);
      else answered();
      isFirst = false;
    });
    call.on('cancelled', () => streams.delete(call));
    call.on('error', () => streams.delete(call));
    streams.add(call);
  };
  const methods = Object.values(METHODS);
  server.addService(
    Object.fromEntries(methods.map((method) => [method, definition(method)])),
    Object.fromEntries(methods.map((method) => [method, accept])),
  );
  return (version) => {
    const shared = message(version);
    for (const call of streams) call.write(shared);
  };
}

async function ourServer(server, { bytes }, answered) {
  const { createResource, createSnapshot, TYPE_URLS } = await load('xds');
  const { attachDiscovery } = await load('grpc');
  const { systemClock } = await load('base');
  const snapshotOf = (version) =>
    createSnapshot([
      [
        TYPE_URLS.endpoint,
        [createResource({ name: SUBSCRIBED, value: Buffer.alloc(bytes, version) })],
      ],
    ]);
  let snapshot = snapshotOf(1);
  const discovery = attachDiscovery(server, {
    clock: systemClock,
    authenticate: ({ node }) => node.id,
    hooks: {
      onConnect: (stream) => stream.setSnapshot(snapshot),
      onUpdate: (_stream, update) => {
        if (update.kind === 'acked') answered();
      },
    },
  });
  return (version) => {
    snapshot = snapshotOf(version);
    for (const stream of discovery.streams()) stream.setSnapshot(snapshot);
  };
}

async function serve(options) {
  const { serverOptions } = await load('grpc');
  const server = new Server(serverOptions());
  let answers = 0;
  let wanted = Number.POSITIVE_INFINITY;
  let started;
  const done = () => {
    const { user, system } = process.cpuUsage(started.cpu);
    const wallMs = performance.now() - started.atMs;
    process.send({ kind: 'pushed', cpuMs: (user + system) / 1000, wallMs });
  };
  const answered = () => {
    answers += 1;
    if (answers === wanted) setImmediate(done);
  };
  const attach = options.kind === 'bare' ? bareServer : ourServer;
  const push = await attach(server, options, answered);
  const { key, certificate } = options.tls;
  const credentials = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(key), cert_chain: Buffer.from(certificate) },
  ]);
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
    if (error) throw error;
    process.send({ kind: 'listening', port, rssKb: rssKb() });
  });
  process.on('message', ({ kind, version }) => {
    if (kind === 'memory') process.send({ kind: 'memory', rssKb: rssKb(), answers });
    if (kind !== 'push') return;
    wanted = answers + options.streams;
    started = { cpu: process.cpuUsage(), atMs: performance.now() };
    push(version);
  });
}

function rssKb() {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 1024;
}

/** Simulated proxies: one TLS connection and one stream each, answering all they are sent. */
async function proxies({ port, streams, variant, tls }) {
  const wire = await loadWire();
  const { TYPE_URLS } = await load('xds');
  const typeUrl = TYPE_URLS.endpoint;
  const credentials = ChannelCredentials.createSsl(Buffer.from(tls.certificate));
  const encode = (fields) =>
    Buffer.from(
      variant === 'sotw'
        ? wire.DiscoveryRequest.encode({ typeUrl, resourceNames: [SUBSCRIBED], ...fields }).finish()
        : wire.DeltaDiscoveryRequest.encode({ typeUrl, ...fields }).finish(),
    );
  let ready = 0;
  for (let i = 0; i < streams; i++) {
    const client = new Client(`127.0.0.1:${port}`, credentials, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.ssl_target_name_override': 'bench',
    });
    const call = client.makeBidiStreamRequest(ADS + METHODS[variant], identity, identity);
    let isFirst = true;
    call.on('data', (bytes) => {
      const { nonce } = (
        variant === 'sotw' ? wire.DiscoveryResponse : wire.DeltaDiscoveryResponse
      ).decode(bytes);
      call.write(encode({ responseNonce: nonce }));
      if (!isFirst) return;
      isFirst = false;
      ready += 1;
      if (ready === streams) process.send({ kind: 'ready' });
    });
    call.on('error', () => undefined);
    const subscribe = variant === 'delta' ? { resourceNamesSubscribe: [SUBSCRIBED] } : {};
    call.write(encode({ node: { id: `node-${i}` }, ...subscribe }));
    // Handshakes in waves: the connecting isn't what is measured.
    if (i % 50 === 49) await sleep(20);
  }
}

function spawn(role, options) {
  const child = fork(SELF, [], {
    env: { ...process.env, BENCH_ROLE: role, BENCH_OPTIONS: JSON.stringify(options) },
    execArgv: ['--expose-gc'],
  });
  const queue = [];
  const waiting = [];
  child.on('message', (message) => {
    const next = waiting.shift();
    if (next === undefined) queue.push(message);
    else next(message);
  });
  child.on('exit', (code) => {
    if (code) throw new Error(`the ${role} process ended with code ${code}`);
  });
  return {
    child,
    next: () => queue.shift() ?? new Promise((resolve) => waiting.push(resolve)),
  };
}

/** A server of one kind with all its proxies connected. */
async function open(options) {
  const server = spawn('server', options);
  const { port, rssKb: idleKb } = await server.next();
  const clients = spawn('proxies', { ...options, port });
  await clients.next();
  const runs = [];
  return {
    async push(version) {
      server.child.send({ kind: 'push', version });
      runs.push(await server.next());
    },
    async close() {
      server.child.send({ kind: 'memory' });
      const { rssKb: fullKb } = await server.next();
      clients.child.kill();
      server.child.kill();
      return {
        rounds: runs,
        cpuMs: summarize(runs.map(({ cpuMs }) => cpuMs)),
        wallMs: summarize(runs.map(({ wallMs }) => wallMs)),
        kbPerStream: (fullKb - idleKb) / options.streams,
      };
    },
  };
}

/**
 * Prints nothing: `{ streams, pushes, bytes, variant, bare, ours, ratio }`, ratio of the server's
 * CPU a push. The two servers take turns, since the machine may be shared.
 */
export async function benchPush({ streams = 1000, pushes = 10, bytes = 10_240, variant = 'sotw' }) {
  const options = { streams, pushes, bytes, variant, tls: selfSigned() };
  const servers = [
    await open({ ...options, kind: 'bare' }),
    await open({ ...options, kind: 'ours' }),
  ];
  for (let version = 2; version < pushes + 2; version++) {
    for (const server of servers) {
      await sleep(50);
      await server.push(version);
    }
  }
  const [bare, ours] = [await servers[0].close(), await servers[1].close()];
  const cpu = ({ rounds }) => rounds.map(({ cpuMs }) => cpuMs);
  const ratio = compare(cpu(ours), cpu(bare));
  return { streams, pushes, bytes, variant, bare, ours, ratio };
}

const role = process.env.BENCH_ROLE;
// The benchmark is gone: so are its processes.
if (role !== undefined) process.on('disconnect', () => process.exit(1));
if (role === 'server') await serve(JSON.parse(process.env.BENCH_OPTIONS));
else if (role === 'proxies') await proxies(JSON.parse(process.env.BENCH_OPTIONS));
