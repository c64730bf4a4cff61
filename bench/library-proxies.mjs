// Simulated proxies of the library's benchmark, as a process of its own, so that their work isn't
// counted as the server's. Each has a TLS connection and an ADS stream, says what an Envoy says
// first (62 kB, most of it its list of extensions), subscribes to clusters, endpoints, listeners
// and its own secret in turn, each after it has acknowledged the one before, and acknowledges all.
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { METHODS, SHARED, toOwnName } from './library-contents.mjs';
import { nowMs } from './measure.mjs';
import { receiveOptions } from './processes.mjs';
import { root, TYPES, toEnvoyNode } from './sidecars.mjs';

/** Connections that are being set up at a time. */
const AT_ONCE = 32;
const MESSAGES = {
  sotw: { request: 'DiscoveryRequest', response: 'DiscoveryResponse' },
  delta: { request: 'DeltaDiscoveryRequest', response: 'DeltaDiscoveryResponse' },
};
const { port, proxies, variant, tls } = await receiveOptions();
const discovery = 'envoy.service.discovery.v3';
const Request = root.lookupType(`${discovery}.${MESSAGES[variant].request}`);
const Response = root.lookupType(`${discovery}.${MESSAGES[variant].response}`);
const raw = (bytes) => bytes;
const encode = (fields) => Buffer.from(Request.encode(fields).finish());

/** Bytes of the messages read, over all proxies: nothing of HTTP/2 or TLS is in it. */
let readBytes = 0;

class SimulatedProxy {
  #call;
  #names;
  /** Types that aren't subscribed to yet. */
  #left = [TYPES.cds, TYPES.eds, TYPES.lds, TYPES.sds];
  #onConfigured;

  constructor({ index, credentials, onConfigured }) {
    const name = toOwnName(index);
    this.#onConfigured = onConfigured;
    this.#names = { [TYPES.eds]: [SHARED], [TYPES.sds]: [name] };
    const client = new Client(`127.0.0.1:${port}`, credentials, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.ssl_target_name_override': 'bench',
    });
    this.#call = client.makeBidiStreamRequest(METHODS[variant], raw, raw);
    this.#call.on('data', (bytes) => this.#receive(bytes));
    this.#call.on('error', (error) => {
      process.send({ kind: 'failed', message: error.message });
    });
    this.#subscribe({ node: toEnvoyNode({ id: name, cluster: 'bench', address: '10.0.0.1' }) });
  }

  #subscribe(fields) {
    const typeUrl = this.#left.shift();
    const names = this.#names[typeUrl] ?? [];
    const asked = variant === 'sotw' ? { resourceNames: names } : { resourceNamesSubscribe: names };
    this.#call.write(encode({ typeUrl, ...asked, ...fields }));
  }

  #receive(bytes) {
    readBytes += bytes.length;
    const { typeUrl, nonce, versionInfo } = Response.decode(bytes);
    const rest = { versionInfo, resourceNames: this.#names[typeUrl] ?? [] };
    const answer = { typeUrl, responseNonce: nonce, ...(variant === 'sotw' ? rest : {}) };
    this.#call.write(encode(answer));
    if (this.#left.length > 0) {
      this.#subscribe({});
      return;
    }
    this.#onConfigured?.();
    this.#onConfigured = undefined;
  }
}

const credentials = ChannelCredentials.createSsl(Buffer.from(tls.certificate));
process.on('message', ({ kind }) => {
  if (kind === 'read') process.send({ kind, readBytes });
});
let next = 0;
const worker = async () => {
  while (next < proxies) {
    const index = next++;
    await new Promise(
      (resolve) => new SimulatedProxy({ index, credentials, onConfigured: resolve }),
    );
  }
};
const startMs = nowMs();
await Promise.all(Array.from({ length: AT_ONCE }, worker));
process.send({ kind: 'open', tookMs: nowMs() - startMs });
