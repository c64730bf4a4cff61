// From the start of the process to the ready line, and to the first response that a waiting client
// gets: on a data folder that a server has used before, and on one that holds no more than the key
// by which the client's token was made (`countersign token`, as a user may do before the first
// `serve`). Node's own start, bare and with grpc-js, is measured in the same rounds.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ChannelCredentials, Client, Metadata } from '@grpc/grpc-js';
import { nowMs, sleep, summarize } from './measure.mjs';
import { freePort, runCountersign, startCountersign, stop, timeNode } from './processes.mjs';
import { METHOD, toFirstRequest } from './sidecars.mjs';

const MESH = `trustDomain: bench.example
services:
  web:
    ports: { 8080: http }
  ledger:
    ports:
      8080: { protocol: http, allow: [{ from: [web] }] }
`;
const RETRY_MS = 2;
const LIMIT_MS = 30_000;
const raw = (bytes) => bytes;

/** Resolves when something accepts connections on that port. */
async function accepting(port, untilMs) {
  for (;;) {
    const done = await new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => socket.destroy(resolve(true)));
      socket.once('error', () => resolve(false));
    });
    if (done) return;
    if (nowMs() > untilMs) throw new Error('the server does not listen');
    await sleep(RETRY_MS);
  }
}

/** When the first response came, over TLS and with a token. */
async function firstResponseMs(port, token) {
  await accepting(port, nowMs() + LIMIT_MS);
  // The anchor of a fresh data folder isn't known before the server has made it.
  const credentials = ChannelCredentials.createSsl(null, null, null, { rejectUnauthorized: false });
  const client = new Client(`127.0.0.1:${port}`, credentials, {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 20,
    'grpc.ssl_target_name_override': 'localhost',
  });
  const metadata = new Metadata({ waitForReady: true });
  metadata.set('authorization', `Bearer ${token}`);
  const call = client.makeBidiStreamRequest(METHOD, raw, raw, metadata);
  const response = new Promise((resolve, reject) => {
    call.once('data', () => resolve(nowMs()));
    call.once('error', reject);
  });
  call.write(toFirstRequest({ id: 'web', cluster: 'web', address: '10.1.0.1' }));
  const atMs = await response;
  call.on('error', () => undefined);
  call.cancel();
  client.close();
  return atMs;
}

async function start({ meshPath, dataPath, token }) {
  const port = await freePort();
  const server = startCountersign({ meshPath, dataPath, xds: `127.0.0.1:${port}` });
  const [ready, responseMs] = await Promise.all([server.ready, firstResponseMs(port, token)]);
  await stop(server.child);
  return {
    readyMs: ready.atMs - server.startedMs,
    responseMs: responseMs - server.startedMs,
  };
}

/**
 * `{ rounds, node, nodeGrpc, existing, fresh }`, each in milliseconds from the start of its
 * process.
 */
export async function benchColdStart({ folder, rounds }) {
  const meshPath = join(folder, 'mesh.yaml');
  mkdirSync(folder, { recursive: true });
  writeFileSync(meshPath, MESH);
  const made = join(folder, 'made');
  const token = await runCountersign(['token', 'web', '--data', made]);
  const used = join(folder, 'used');
  cpSync(made, used, { recursive: true });
  const grpcPath = createRequire(import.meta.url).resolve('@grpc/grpc-js');
  const times = { node: [], nodeGrpc: [], existing: [], fresh: [] };
  for (let round = 0; round <= rounds; round++) {
    times.node.push(await timeNode(['-e', '0']));
    times.nodeGrpc.push(await timeNode(['-e', `require(${JSON.stringify(grpcPath)})`]));
    times.existing.push(await start({ meshPath, dataPath: used, token }));
    const fresh = join(folder, `fresh-${round}`);
    cpSync(made, fresh, { recursive: true });
    times.fresh.push(await start({ meshPath, dataPath: fresh, token }));
  }
  // The first round warms up the machine's caches, and makes the used folder what it is called.
  const counted = (list) => list.slice(1);
  const both = (list) => ({
    readyMs: summarize(counted(list).map(({ readyMs }) => readyMs)),
    responseMs: summarize(counted(list).map(({ responseMs }) => responseMs)),
  });
  return {
    rounds,
    node: summarize(counted(times.node)),
    nodeGrpc: summarize(counted(times.nodeGrpc)),
    existing: both(times.existing),
    fresh: both(times.fresh),
  };
}
