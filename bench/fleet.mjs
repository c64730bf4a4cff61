// The real server, as a process, with a fleet of simulated sidecars: what it weighs, what each
// sidecar adds to it, and what an edit of mesh.yaml costs until the last sidecar has acknowledged
// it. Beside it, in the same run, bare grpc-js that holds as many streams.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuMs, nowMs, percentile, restingRssKb, settled, sleep, summarize } from './measure.mjs';
import { COLLECTABLE, DIST, startCountersign, startScript, stop } from './processes.mjs';
import { selfSigned } from './self-signed.mjs';
import { METHOD, TYPES, toEmptyAnswer } from './sidecars.mjs';

const SERVICES = 10;
const DAY_MS = 86_400_000;
const IN_FORCE_LIMIT_MS = 120_000;

/**
 * A mesh of ten services that may all call each other, each with an HTTP port. The two settings
 * that the benchmark edits are of the first one: the mode of its port, and a rule of it.
 */
function toMesh({ mode = 'permissive', path = '/a/*' } = {}) {
  const services = Array.from({ length: SERVICES }, (_, i) => {
    const edited =
      i === 0 ? `, mtls: ${mode}, allow: [{ from: [anyone], paths: ['${path}'] }]` : '';
    return `  svc-${i}:\n    ports:\n      8080: { protocol: http${edited} }\n`;
  });
  return `trustDomain: bench.example\nmtls: permissive\nservices:\n${services.join('')}`;
}

/** Sidecars with tokens of the data folder, spread evenly over the services; and what they pin. */
export async function toSidecars(count, dataPath) {
  const load = (room) => import(new URL(`${room}/index.js`, DIST));
  const { createTokenKeys } = await load('tokens');
  const { loadOrCreateAnchorPem, XDS_SERVER_NAME } = await load('ca/xds');
  const { openDataDir } = await load('data');
  const { systemClock: clock, systemRandom: random } = await load('base');
  const dataDir = await openDataDir({ path: dataPath, lock: false, random });
  const keys = await createTokenKeys({ dataDir, clock, random });
  const anchorPem = await loadOrCreateAnchorPem({ dataDir, clock, random });
  await dataDir.close();
  const sidecars = Array.from({ length: count }, (_, i) => {
    const [service, instance] = [`svc-${i % SERVICES}`, `n${i}`];
    const request = { audience: 'countersign-xds', subject: service, instance, ttlMs: DAY_MS };
    const address = `10.1.${Math.floor(i / 250)}.${(i % 250) + 1}`;
    return { service, instance, address, token: keys.sign(request).token };
  });
  return { sidecars, trust: { anchorPem, target: XDS_SERVER_NAME } };
}

/** Resolves when the server says that the mesh is in force on every sidecar. */
export async function inForce(admin) {
  const reply = await fetch(`http://${admin}/v1/wait?timeout_ms=${IN_FORCE_LIMIT_MS}`);
  if (reply.ok) return;
  throw new Error(`the mesh did not come in force: ${(await reply.text()).slice(0, 500)}`);
}

export async function connected(admin) {
  const { proxies } = await (await fetch(`http://${admin}/v1/status`)).json();
  return proxies.length;
}

/** One edit of the mesh, until the last of `count` sidecars has acknowledged that type. */
async function measureEdit({ fleet, meshPath, server, admin }, { mesh, type, count }) {
  fleet.send({ kind: 'watch', typeUrl: TYPES[type], count });
  await fleet.next();
  const cpuBefore = cpuMs(server.pid);
  const editedMs = nowMs();
  writeFileSync(meshPath, toMesh(mesh));
  const { atMs } = await fleet.next();
  const inMs = atMs.map((at) => at - editedMs);
  await settled(() => cpuMs(server.pid), { by: 0, forMs: 300, atMostMs: 10_000 });
  const spentMs = cpuMs(server.pid) - cpuBefore;
  await inForce(admin);
  const [p50Ms, p99Ms] = [percentile(inMs, 0.5), percentile(inMs, 0.99)];
  return { p50Ms, p99Ms, maxMs: Math.max(...inMs), cpuMs: spentMs };
}

function summarizeEdits(edits) {
  const names = ['p50Ms', 'p99Ms', 'maxMs', 'cpuMs'];
  return Object.fromEntries(
    names.map((name) => [name, summarize(edits.map((edit) => edit[name]))]),
  );
}

/** The two kinds of edit in turns; the first of each warms up and isn't counted. */
async function measureEdits(parts, { rounds, streams }) {
  const mode = [];
  const rule = [];
  for (let round = 0; round <= rounds; round++) {
    const odd = round % 2 === 0;
    const mesh = { mode: odd ? 'disable' : 'permissive', path: odd ? '/a/*' : '/b/*' };
    mode.push(await measureEdit(parts, { mesh, type: 'eds', count: streams }));
    const ruled = { ...mesh, path: odd ? '/b/*' : '/a/*' };
    rule.push(await measureEdit(parts, { mesh: ruled, type: 'rds', count: streams / SERVICES }));
  }
  return { mode: summarizeEdits(mode.slice(1)), rule: summarizeEdits(rule.slice(1)) };
}

/** Memory of bare grpc-js: idle, and holding as many streams of the same sidecars. */
async function measureBare({ folder, streams }) {
  const { sidecars } = await toSidecars(streams, join(folder, 'data'));
  const { key, certificate } = selfSigned();
  const [keyPath, certificatePath] = [join(folder, 'bare.key'), join(folder, 'bare.crt')];
  writeFileSync(keyPath, key, { mode: 0o600 });
  writeFileSync(certificatePath, certificate);
  const answer = toEmptyAnswer().toString('base64');
  const options = { keyPath, certificatePath, method: METHOD, answer };
  const server = startScript('bare-server.mjs', { options, nodeArgs: COLLECTABLE });
  const { port } = await server.next();
  const idle = await restingRssKb(server.child.pid);
  const fleet = startScript('sidecars.mjs', {
    options: { address: `127.0.0.1:${port}`, anchorPem: certificate, target: 'bench', sidecars },
  });
  const { tookMs } = await fleet.next();
  const full = await restingRssKb(server.child.pid);
  await stop(fleet.child);
  await stop(server.child);
  return toMemory({ idle, full, streams: sidecars.length, connectMs: tookMs });
}

function toMemory({ idle, full, streams, connectMs }) {
  const perStream = (name) => (full[name] - idle[name]) / streams;
  return {
    idleKb: idle,
    fullKb: full,
    perStreamKb: {
      asItStandsKb: perStream('asItStandsKb'),
      collectedKb: perStream('collectedKb'),
    },
    connectMs,
  };
}

async function measureOurs({ folder, streams, rounds, nodeArgs }) {
  const [meshPath, dataPath] = [join(folder, 'mesh.yaml'), join(folder, 'data')];
  writeFileSync(meshPath, toMesh());
  const { sidecars, trust } = await toSidecars(streams, dataPath);
  const server = startCountersign({ meshPath, dataPath, nodeArgs: [...COLLECTABLE, ...nodeArgs] });
  const { xds, admin } = await server.ready;
  const { pid } = server.child;
  const idle = await restingRssKb(pid);
  const cpuBefore = cpuMs(pid);
  const startMs = nowMs();
  const options = { address: xds, sidecars, ...trust };
  const fleet = startScript('sidecars.mjs', { options });
  const { kind, message } = await fleet.next();
  if (kind !== 'open') throw new Error(`a sidecar failed: ${message}`);
  await inForce(admin);
  const connectMs = nowMs() - startMs;
  const count = await connected(admin);
  if (count !== sidecars.length)
    throw new Error(`expected all sidecars but ${count} are connected`);
  const connectCpuMs = cpuMs(pid) - cpuBefore;
  await sleep(500);
  const full = await restingRssKb(pid);
  const parts = { fleet, meshPath, server: server.child, admin };
  const edits = await measureEdits(parts, { rounds, streams: sidecars.length });
  const after = await restingRssKb(pid);
  await stop(fleet.child);
  await stop(server.child);
  const memory = toMemory({ idle, full, streams: sidecars.length, connectMs });
  return { memory: { ...memory, connectCpuMs, afterEditsKb: after }, edits };
}

/**
 * `{ streams, services, ours, bare, perStreamRatio }`: memory and connecting of both, edits of
 * ours. `nodeArgs` go to the server's node (`--cpu-prof` and the like).
 */
export async function benchFleet({ folder, streams, rounds, nodeArgs = [] }) {
  mkdirSync(folder, { recursive: true });
  const ours = await measureOurs({ folder, streams, rounds, nodeArgs });
  const bare = await measureBare({ folder, streams });
  const [a, b] = [ours.memory.perStreamKb.collectedKb, bare.perStreamKb.collectedKb];
  return { streams, services: SERVICES, ours, bare, perStreamRatio: a / b };
}
