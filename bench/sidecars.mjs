// Simulated sidecars: what a stock Envoy says over delta ADS, without an Envoy. Each has a TLS
// connection, a token, an address and a first request of Envoy's size; asks for clusters, then for
// what these refer to (endpoints, secrets), then for listeners and what those refer to; and
// acknowledges all that it is sent. Runs as a process of its own (startScript), so that its work
// isn't counted as the server's.
import { readFileSync } from 'node:fs';
import { ChannelCredentials, Client, Metadata } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { nowMs } from './measure.mjs';
import { distPath, receiveOptions } from './processes.mjs';

const TYPE = 'type.googleapis.com/';
export const TYPES = {
  cds: `${TYPE}envoy.config.cluster.v3.Cluster`,
  eds: `${TYPE}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  lds: `${TYPE}envoy.config.listener.v3.Listener`,
  rds: `${TYPE}envoy.config.route.v3.RouteConfiguration`,
  ecds: `${TYPE}envoy.config.core.v3.TypedExtensionConfig`,
  sds: `${TYPE}envoy.extensions.transport_sockets.tls.v3.Secret`,
};
export const METHOD =
  '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
/** Connections that are being set up at a time. */
const AT_ONCE = 32;
/** Envoy 1.40 lists about 430 extensions; with these it says 62 kB. */
const EXTENSIONS = 430;
/** Of a connection, as an Envoy makes them without end. */
const MOST_TRIES = 20;
const AGAIN_MS = 500;
/** Statuses of gRPC. */
const CANCELLED = 1;
const UNAVAILABLE = 14;
const raw = (bytes) => bytes;

/** All of Envoy's messages. */
export const root = protobuf.Root.fromJSON(
  JSON.parse(readFileSync(distPath('gen/descriptor.json'), 'utf8')),
);
const discovery = 'envoy.service.discovery.v3';
const DeltaRequest = root.lookupType(`${discovery}.DeltaDiscoveryRequest`);
const DeltaResponse = root.lookupType(`${discovery}.DeltaDiscoveryResponse`);

/** A node as Envoy describes itself. */
export function toEnvoyNode({ id, cluster, address }) {
  const extensions = Array.from({ length: EXTENSIONS }, (_, i) => ({
    name: `envoy.extensions.filters.simulated_extension_${i}`,
    category: 'envoy.filters.http.simulated_category',
    typeUrls: [`envoy.extensions.filters.http.simulated_extension.v3.Simulated${i}`],
  }));
  return {
    ...{ id, cluster, userAgentName: 'envoy', extensions },
    userAgentBuildVersion: { version: { majorNumber: 1, minorNumber: 40, patch: 0 } },
    metadata: {
      fields: { countersign: { structValue: { fields: { address: { stringValue: address } } } } },
    },
  };
}

const encode = (fields) => Buffer.from(DeltaRequest.encode(fields).finish());

/** The first request of a stream, with its node: about 62 kB. */
export const toFirstRequest = (node) => encode({ node: toEnvoyNode(node), typeUrl: TYPES.cds });

/** What a server says that has nothing: no listeners. */
export const toEmptyAnswer = () =>
  Buffer.from(DeltaResponse.encode({ typeUrl: TYPES.lds, nonce: '1' }).finish());

/**
 * What a message refers to, by type: names found once for a resource of that name and kind of node.
 */
const references = new Map();
function referencesOf(service, typeUrl, resource) {
  const key = `${service} ${typeUrl} ${resource.name}`;
  const known = references.get(key);
  if (known !== undefined) return known;
  const found = { eds: new Set(), sds: new Set(), rds: new Set(), ecds: new Set() };
  collect(decodeAny(typeUrl, resource.resource.value), found);
  references.set(key, found);
  return found;
}

const toTypeName = (typeUrl) => typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
const decodeAny = (typeUrl, value) => root.lookupType(toTypeName(typeUrl)).decode(value);

function collect(message, found) {
  if (Array.isArray(message)) for (const one of message) collect(one, found);
  if (typeof message !== 'object' || message === null || ArrayBuffer.isView(message)) return;
  if (message.edsClusterConfig) found.eds.add(message.edsClusterConfig.serviceName || message.name);
  if (message.sdsConfig && message.name) found.sds.add(message.name);
  if (message.rds) found.rds.add(message.rds.routeConfigName);
  if (message.configDiscovery) found.ecds.add(message.name);
  // google.protobuf.Any keeps its proto's own field name.
  if (typeof message.type_url === 'string') {
    if (root.lookup(toTypeName(message.type_url)) === null) return;
    collect(decodeAny(message.type_url, message.value), found);
    return;
  }
  for (const [name, value] of Object.entries(message)) {
    if (name !== 'parent') collect(value, found);
  }
}

/** What all sidecars together have been sent and have said since they were asked last. */
const traffic = { received: 0, receivedBytes: 0, sent: 0, sentBytes: 0 };

function takeTraffic() {
  const taken = { ...traffic };
  for (const key of Object.keys(traffic)) traffic[key] = 0;
  return taken;
}

class Sidecar {
  #call;
  #client;
  #service;
  #asked = { eds: new Set(), sds: new Set(), rds: new Set(), ecds: new Set() };
  #askedListeners = false;
  #onAck;

  constructor(options) {
    this.#service = options.sidecar.service;
    this.#onAck = options.onAck;
    this.#connect(options, MOST_TRIES);
  }

  /** Again where nothing has come yet: a busy server cuts who is slow to prove itself. */
  #connect(options, tries) {
    const { address, credentials, target, sidecar } = options;
    let hasHeard = false;
    this.#client = new Client(address, credentials, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.ssl_target_name_override': target,
      'grpc.max_receive_message_length': -1,
    });
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${sidecar.token}`);
    this.#call = this.#client.makeBidiStreamRequest(METHOD, raw, raw, metadata);
    this.#call.on('data', (bytes) => {
      hasHeard = true;
      traffic.received++;
      traffic.receivedBytes += bytes.length;
      this.#receive(DeltaResponse.decode(bytes));
    });
    this.#call.on('error', (error) => {
      if (error.code === CANCELLED) return;
      if (error.code === UNAVAILABLE && !hasHeard && tries > 1) {
        this.#client.close();
        setTimeout(() => this.#connect(options, tries - 1), AGAIN_MS);
        return;
      }
      process.send({ kind: 'failed', message: error.message });
    });
    const { service: cluster, instance, address: own } = sidecar;
    this.#write(toFirstRequest({ id: `${cluster}~${instance}`, cluster, address: own }));
  }

  #receive({ typeUrl, nonce, resources }) {
    const found = resources.map((resource) => referencesOf(this.#service, typeUrl, resource));
    this.#write(encode({ typeUrl, responseNonce: nonce }));
    this.#onAck(typeUrl, this);
    for (const kind of ['eds', 'sds']) this.#ask(kind, found);
    if (typeUrl === TYPES.cds && !this.#askedListeners) {
      this.#askedListeners = true;
      this.#write(encode({ typeUrl: TYPES.lds }));
    }
    for (const kind of ['rds', 'ecds']) this.#ask(kind, found);
  }

  /** Subscribes to names of a type that weren't asked for before. */
  #ask(kind, found) {
    const asked = this.#asked[kind];
    const names = [...new Set(found.flatMap((one) => [...one[kind]]))].filter((n) => !asked.has(n));
    if (names.length === 0) return;
    for (const name of names) asked.add(name);
    this.#write(encode({ typeUrl: TYPES[kind], resourceNamesSubscribe: names }));
  }

  #write(bytes) {
    traffic.sent++;
    traffic.sentBytes += bytes.length;
    this.#call.write(bytes);
  }

  close() {
    this.#call.cancel();
    this.#client.close();
  }
}

/**
 * Opens all sidecars, a few at a time; each counts as open at its first acknowledgement of
 * listeners.
 */
async function open({ address, anchorPem, target, sidecars }) {
  const credentials = ChannelCredentials.createSsl(Buffer.from(anchorPem));
  const opened = [];
  let armed;
  const seen = new Set();
  const openedOnce = new Map();
  const onAck = (typeUrl, sidecar) => {
    if (typeUrl === TYPES.lds) openedOnce.get(sidecar)?.();
    if (armed?.typeUrl !== typeUrl || seen.has(sidecar)) return;
    seen.add(sidecar);
    armed.atMs.push(nowMs());
    if (seen.size < armed.count) return;
    process.send({ kind: 'acked', atMs: armed.atMs });
    armed = undefined;
  };
  process.on('message', (message) => {
    if (message.kind === 'watch') {
      seen.clear();
      armed = { ...message, atMs: [] };
      process.send({ kind: 'watching' });
    }
    if (message.kind === 'traffic') process.send({ kind: 'traffic', ...takeTraffic() });
    if (message.kind === 'close') for (const sidecar of opened) sidecar.close();
  });
  let next = 0;
  const worker = async () => {
    while (next < sidecars.length) {
      const sidecar = sidecars[next++];
      const one = new Sidecar({ address, credentials, target, sidecar, onAck });
      opened.push(one);
      await new Promise((resolve) => openedOnce.set(one, resolve));
      openedOnce.delete(one);
    }
  };
  const startMs = nowMs();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  process.send({ kind: 'open', tookMs: nowMs() - startMs });
}

if (process.send !== undefined && process.argv[1]?.endsWith('sidecars.mjs')) {
  await open(await receiveOptions());
}
