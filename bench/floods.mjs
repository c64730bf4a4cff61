// What hostile clients do to the xDS port, for a time, from a process of their own: with a token of
// a service, or with none. Bounded in what is open and in how long it lasts. For the siege, in
// `npm run bench -- --only siege` and in test/siege.
//   node bench/floods.mjs '{"kinds":["rst"],"host":…,"port":…,"servername":…,"service":"web",
//     "token":…,"forMs":…,"most":…,"idle":…}'
import EventEmitter, { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import protobuf from 'protobufjs';
import { TYPES as FRAMES, openTls, PREFACE, toFrame, toHeaders, toMessage } from './raw-frames.mjs';

EventEmitter.defaultMaxListeners = 0;
const TYPE = 'type.googleapis.com/envoy';
const SERVED = [
  'config.cluster.v3.Cluster',
  'config.endpoint.v3.ClusterLoadAssignment',
  'config.listener.v3.Listener',
  'config.route.v3.RouteConfiguration',
  'config.core.v3.TypedExtensionConfig',
  'extensions.transport_sockets.tls.v3.Secret',
].map((name) => `${TYPE}.${name}`);
const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const NAMES = 19_900;
const LONG_TEXT = 3_900_000;

const { root } = protobuf.parse(`syntax = "proto3";
message Value { string text = 3; Struct struct = 5; }
message Struct { map<string, Value> fields = 1; }
message Node { string id = 1; string cluster = 2; Struct metadata = 3; }
message Status { int32 code = 1; string message = 2; }
message Request {
  Node node = 1; string type_url = 2;
  repeated string subscribe = 3; repeated string unsubscribe = 4;
  string response_nonce = 6; Status error_detail = 7;
}
message Response { string type_url = 4; string nonce = 5; }`);
const Request = root.lookupType('Request');
const Response = root.lookupType('Response');
const encode = (fields) => toMessage(Buffer.from(Request.encode(fields).finish()));

const options = JSON.parse(process.argv[2] ?? '{}');
const untilMs = performance.now() + options.forMs;
const isOver = () => performance.now() > untilMs;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const counts = { opened: 0, done: 0, refused: 0 };

/** Workers that do this again and again until the time is over. */
async function repeat(workers, work) {
  const worker = async (_, index) => {
    for (let round = 0; !isOver(); round++) {
      await work(index, round).catch(() => undefined);
      counts.done += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
}

/** So many connections at once that last until the server ends them; then others. */
function holdOpen(most, begin) {
  return repeat(most, async () => {
    const socket = await openTls(options);
    if (socket === undefined) {
      counts.refused += 1;
      await sleep(50);
      return;
    }
    counts.opened += 1;
    begin(socket);
    while (!socket.destroyed && !isOver()) await sleep(50);
    socket.destroy();
  });
}

/** The same bytes on each connection, without end. */
function pour(connections, { first, more }) {
  return repeat(connections, async () => {
    const socket = await openTls(options);
    if (socket === undefined) return sleep(20);
    counts.opened += 1;
    socket.write(first);
    while (!socket.destroyed && !isOver()) {
      if (socket.write(more())) await new Promise((resolve) => setImmediate(resolve));
      else await Promise.race([once(socket, 'drain'), once(socket, 'close'), sleep(200)]);
    }
    socket.destroy();
  });
}

const begun = Buffer.concat([PREFACE, toFrame(FRAMES.settings)]);
const headersOf = (more = {}) =>
  toHeaders({
    ...{ ':method': 'POST', ':scheme': 'https', ':path': METHOD, ':authority': 'xds' },
    ...{ 'content-type': 'application/grpc', te: 'trailers', ...more },
  });

/** An HTTP/2 session that ends with the server's. */
async function openSession(settings = {}) {
  const { host, port, servername } = options;
  const authority = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const session = connectHttp2(authority, { servername, rejectUnauthorized: false, settings });
  session.on('error', () => undefined);
  await Promise.race([once(session, 'connect'), once(session, 'close')]).catch(() => undefined);
  return session;
}

const nodeOf = (instance) => {
  const address = {
    text: `10.${99 + (instance >> 16)}.${(instance >> 8) & 255}.${instance & 255}`,
  };
  const countersign = { struct: { fields: { address } } };
  const id = `${options.service}~hostile-${instance}`;
  return { id, cluster: options.service, metadata: { fields: { countersign } } };
};

/** A discovery stream that has a token (a bad one where it is given). */
function openStream(session, token = options.token) {
  const stream = session.request({
    ...{ ':method': 'POST', ':path': METHOD, te: 'trailers' },
    ...{ 'content-type': 'application/grpc', authorization: `Bearer ${token}` },
  });
  stream.on('error', () => undefined);
  stream.on('trailers', () => stream.close());
  counts.opened += 1;
  return stream;
}

const closed = (stream) => Promise.race([once(stream, 'close'), sleep(options.forMs)]);
const write = (stream, bytes) =>
  stream.destroyed || stream.write(bytes)
    ? undefined
    : Promise.race([once(stream, 'drain'), once(stream, 'close'), sleep(1_000)]);

/** Reads messages of a stream. */
function readMessages(stream, take) {
  let bytes = Buffer.alloc(0);
  stream.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      take(Response.decode(bytes.subarray(5, end)));
      bytes = bytes.subarray(end);
    }
  });
}

let instances = 0;
async function withStream(use, settings) {
  const session = await openSession(settings);
  try {
    instances += 1;
    await use(openStream(session), instances, session);
  } finally {
    session.destroy();
  }
}

const askForNames = (types) =>
  repeat(options.most ?? 32, () =>
    withStream(async (stream, instance) => {
      stream.resume();
      for (const [index, typeUrl] of types.entries()) {
        if (isOver() || stream.destroyed) break;
        const subscribe = Array.from({ length: NAMES }, (_, i) => `${i}`.padStart(10, 'n'));
        const node = index === 0 ? { node: nodeOf(instance) } : {};
        await write(stream, encode({ ...node, typeUrl, subscribe }));
      }
      while (!stream.destroyed && !isOver()) await sleep(50);
    }),
  );

const KINDS = {
  /** Handshakes that end by RST. */
  rst: () =>
    repeat(32, async () => {
      const socket = await openTls(options);
      counts.opened += 1;
      socket?.tcp.resetAndDestroy();
    }),
  /** Connections that answer PING and ask nothing. */
  idle: () => holdOpen(options.idle ?? 1_000, (socket) => socket.write(begun)),
  /** Half of a connection's preface. */
  preface: () => holdOpen(options.idle ?? 500, (socket) => socket.write(PREFACE.subarray(0, 10))),
  'rapid-reset': () => {
    let stream = -1;
    const block = headersOf();
    const one = () => {
      stream += 2;
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(8);
      const headers = { flags: 4, stream, payload: block };
      return [toFrame(FRAMES.headers, headers), toFrame(FRAMES.reset, { stream, payload })];
    };
    return pour(4, {
      first: begun,
      more: () => Buffer.concat(Array.from({ length: 50 }, one).flat()),
    });
  },
  continuation: () => {
    const payload = toHeaders({ 'x-long': 'a'.repeat(100) });
    const more = toFrame(FRAMES.continuation, { stream: 1, payload });
    const first = Buffer.concat([
      begun,
      toFrame(FRAMES.headers, { stream: 1, payload: headersOf() }),
    ]);
    return pour(4, { first, more: () => Buffer.concat(Array.from({ length: 100 }, () => more)) });
  },
  ping: () => {
    const more = Buffer.concat(
      Array.from({ length: 500 }, () => toFrame(FRAMES.ping, { payload: Buffer.alloc(8) })),
    );
    return pour(4, { first: begun, more: () => more });
  },
  settings: () => {
    const more = Buffer.concat(Array.from({ length: 500 }, () => toFrame(FRAMES.settings)));
    return pour(4, { first: begun, more: () => more });
  },
  /** Requests that never become whole, of nobody. */
  partial: () =>
    repeat(16, async () => {
      const session = await openSession();
      const streams = Array.from({ length: 50 }, () => openStream(session, 'none'));
      const head = Buffer.alloc(5);
      head.writeUInt32BE(4_000_000, 1);
      const part = Buffer.alloc(200_000);
      await Promise.all(
        streams.map(async (stream) => {
          await write(stream, head);
          for (let sent = 0; sent < 19 && !isOver(); sent++) await write(stream, part);
        }),
      );
      session.destroy();
    }),
  /** Very many names, with a good token and an instance of its own each time. */
  names: () => askForNames(SERVED),
  /** The same of types that nobody serves. */
  types: () => askForNames([...SERVED, ...Array.from({ length: 25 }, (_, i) => `x.y/Type${i}`)]),

  /** Node ids of megabytes. */
  ids: () =>
    repeat(4, () =>
      withStream(async (stream) => {
        stream.resume();
        const id = `${options.service}~${'\u0001'.repeat(LONG_TEXT)}`;
        await write(stream, encode({ node: { id }, typeUrl: SERVED[0] }));
        await closed(stream);
      }),
    ),
  /** Rejections of megabytes, of everything. */
  nacks: () =>
    repeat(4, () =>
      withStream(async (stream, instance) => {
        const message = '\u001b[2J'.repeat(LONG_TEXT / 4);
        readMessages(stream, ({ typeUrl, nonce }) => {
          const errorDetail = { code: 3, message };
          stream.write(encode({ typeUrl, responseNonce: nonce, errorDetail }));
        });
        await write(stream, encode({ node: nodeOf(instance), typeUrl: SERVED[0] }));
        for (const typeUrl of SERVED.slice(1)) await write(stream, encode({ typeUrl }));
        await Promise.race([closed(stream), sleep(1_000)]);
      }),
    ),
  /** Tokens that are none. */
  tokens: () =>
    repeat(8, async (_, round) => {
      const session = await openSession();
      await Promise.all(
        Array.from({ length: 20 }, async (_one, i) => {
          const stream = openStream(session, `${options.token.slice(0, -8)}${round}${i}`);
          stream.resume();
          stream.write(encode({ node: nodeOf(i), typeUrl: SERVED[0] }));
          await closed(stream);
        }),
      );
      session.destroy();
      await sleep(20);
    }),
  /** Sidecars that never read what they are sent. */
  mute: () =>
    repeat(options.most ?? 100, () =>
      withStream(
        async (stream, instance) => {
          stream.pause();
          for (const [index, typeUrl] of SERVED.entries()) {
            const node = index === 0 ? { node: nodeOf(instance) } : {};
            const subscribe = Array.from({ length: 2_000 }, (_, i) => `name ${i}`);
            await write(
              stream,
              encode({ ...node, typeUrl, subscribe: index < 2 ? subscribe : [] }),
            );
          }
          while (!stream.destroyed && !isOver()) await sleep(50);
        },
        { initialWindowSize: 0 },
      ),
    ),
  /** Thousands of streams of few clients. */
  streams: () =>
    repeat(8, async () => {
      const session = await openSession();
      for (let i = 0; i < 2_000 && !session.destroyed && !isOver(); i++) {
        const stream = openStream(session, 'none');
        stream.resume();
        if (i % 50 === 49) await sleep(1);
      }
      session.destroy();
    }),
};

const kinds = options.kinds ?? [];
const unknown = kinds.find((kind) => KINDS[kind] === undefined);
if (unknown !== undefined || kinds.length === 0) {
  throw new Error(`kinds: expected some of ${Object.keys(KINDS)} but got ${kinds}`);
}
// Some wait for the server's end of what they hold open.
await Promise.race([Promise.all(kinds.map((kind) => KINDS[kind]())), sleep(options.forMs + 100)]);
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exit(0);
