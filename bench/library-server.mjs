// One server of the library's benchmark, as a process of its own: `countersign/xds` with a cache,
// or bare grpc-js that writes the same bytes. Both answer a proxy's four subscriptions, push a
// changed resource when told to, and measure themselves from the change to the last answer read.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { METHODS, SHARED, toContents, toOwnName } from './library-contents.mjs';
import { nowMs } from './measure.mjs';
import { DIST, receiveOptions } from './processes.mjs';

const options = await receiveOptions();
const library = await import(new URL('grpc/library.js', DIST));
const contents = toContents(library, options.proxies);
const { TYPE_URLS } = library;

/** Told of each acknowledgement; the measurement that runs replaces it. */
let answered = () => undefined;

/** `countersign/xds` with a snapshot a proxy; what proxies share is one ResourceSet. */
function attachSnapshotCache(server) {
  const { createResourceSet, createSnapshotCache } = library;
  const cache = createSnapshotCache({ groupOf: ({ node }) => node.id });
  const own = contents.own.map((resource) => createResourceSet([resource]));
  let endpoints = createResourceSet([contents.endpoints]);
  const clusters = createResourceSet(contents.clusters);
  const listeners = createResourceSet(contents.listeners);
  const setOf = (index) =>
    cache.set(
      toOwnName(index),
      new Map([
        [TYPE_URLS.cluster, clusters],
        [TYPE_URLS.endpoint, endpoints],
        [TYPE_URLS.listener, listeners],
        [TYPE_URLS.secret, own[index]],
      ]),
    );
  for (const index of own.keys()) setOf(index);
  attach(server, cache.hooks);
  return {
    pushShared(version) {
      endpoints = createResourceSet([contents.endpointsOf(version)]);
      for (const index of own.keys()) setOf(index);
    },
    pushOwn(index, version) {
      own[index] = createResourceSet([contents.ownOf(index, version)]);
      setOf(index);
    },
  };
}

/** `countersign/xds` with one linear cache, in which each proxy asks for its own by name. */
function attachLinearCache(server) {
  const cache = library.createLinearCache();
  cache.update(TYPE_URLS.cluster, { set: contents.clusters });
  cache.update(TYPE_URLS.listener, { set: contents.listeners });
  cache.update(TYPE_URLS.endpoint, { set: [contents.endpoints] });
  cache.update(TYPE_URLS.secret, { set: contents.own });
  attach(server, cache.hooks);
  return {
    pushShared: (version) => cache.set(TYPE_URLS.endpoint, contents.endpointsOf(version)),
    pushOwn: (index, version) => cache.set(TYPE_URLS.secret, contents.ownOf(index, version)),
  };
}

function attach(server, hooks) {
  library.attachDiscovery(server, {
    authenticate: ({ node }) => node.id,
    hooks: {
      ...hooks,
      onUpdate(stream, update) {
        hooks.onUpdate(stream, update);
        if (update.kind === 'acked') answered();
      },
    },
  });
}

/**
 * Bare grpc-js. It reads nothing of what it is sent: a proxy's requests and acknowledgements take
 * turns, so that counting says what to answer. Every stream gets the same Buffer, which is encoded
 * once a push, with the nonce that the library's first response would have.
 */
function attachBare(server) {
  const { createResourceSet, encodeResponse } = library;
  const { variant } = options;
  const encode = (typeUrl, resources) => {
    const { version } = createResourceSet(resources);
    const rest = { removed: [], heartbeats: [], nonce: '1' };
    return encodeResponse(variant, { typeUrl, version, resources, ...rest });
  };
  let endpoints = encode(TYPE_URLS.endpoint, [contents.endpoints]);
  const clusters = encode(TYPE_URLS.cluster, contents.clusters);
  const listeners = encode(TYPE_URLS.listener, contents.listeners);
  const own = contents.own.map((resource) => encode(TYPE_URLS.secret, [resource]));
  const calls = [];
  const raw = (bytes) => bytes;
  const definition = {
    ...{ path: METHODS[variant], requestStream: true, responseStream: true },
    ...{ requestSerialize: raw, requestDeserialize: raw },
    ...{ responseSerialize: raw, responseDeserialize: raw },
  };
  const accept = (call) => {
    const index = calls.push(call) - 1;
    const answers = [() => clusters, () => endpoints, () => listeners, () => own[index]];
    let received = 0;
    call.on('data', () => {
      const isAnswer = received % 2 === 1 || received >= 2 * answers.length;
      if (isAnswer) answered();
      else call.write(answers[received / 2]());
      received += 1;
    });
    call.on('error', () => undefined);
  };
  server.addService({ stream: definition }, { stream: accept });
  return {
    pushShared(version) {
      endpoints = encode(TYPE_URLS.endpoint, [contents.endpointsOf(version)]);
      for (const call of calls) call.write(endpoints);
    },
    pushOwn(index, version) {
      own[index] = encode(TYPE_URLS.secret, [contents.ownOf(index, version)]);
      calls[index].write(own[index]);
    },
  };
}

/** Runs `change`; when the answers to it came, in milliseconds after it. */
function answersTo(change, count) {
  return new Promise((resolve) => {
    const inMs = [];
    const startMs = nowMs();
    answered = () => {
      inMs.push(nowMs() - startMs);
      if (inMs.length === count) setImmediate(resolve, inMs);
    };
    change();
  });
}

const measures = {
  shared: ({ version }) => answersTo(() => push.pushShared(version), options.proxies),
  /** One proxy's own resource after another, spread over the proxies. */
  async own({ version, changes }) {
    const inMs = [];
    for (let i = 0; i < changes; i++) {
      const index = Math.floor((i * options.proxies) / changes);
      inMs.push(...(await answersTo(() => push.pushOwn(index, version), 1)));
    }
    return inMs;
  },
};

const server = new Server(library.serverOptions());
const attachers = { bare: attachBare, snapshot: attachSnapshotCache, linear: attachLinearCache };
const push = attachers[options.kind](server);
process.on('message', async (message) => {
  if (message.kind !== SHARED && message.kind !== 'own') return;
  const before = process.cpuUsage();
  const inMs = await measures[message.kind](message);
  const { user, system } = process.cpuUsage(before);
  process.send({ kind: 'pushed', cpuMs: (user + system) / 1000, inMs });
});
// Ends as a program does, so that `--cpu-prof` is written.
process.on('SIGTERM', () => process.exit(0));
const { key, certificate } = options.tls;
const credentials = ServerCredentials.createSsl(null, [
  { private_key: Buffer.from(key), cert_chain: Buffer.from(certificate) },
]);
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error) throw error;
  process.send({ kind: 'listening', port });
});
