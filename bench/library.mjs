// The library by itself, without a mesh: `countersign/xds` with a snapshot cache and with a linear
// cache, beside bare grpc-js that pushes the same bytes to as many streams in the same run. Servers
// and simulated proxies are processes of their own. The three servers take turns, push by push,
// since the machine may be shared; and all is done for a number of proxies and for twice as many,
// which shows how cost grows.
import { SIZES } from './library-contents.mjs';
import { compare, cpuMs, percentile, restingRssKb, settled, summarize } from './measure.mjs';
import { COLLECTABLE, startScript, stop } from './processes.mjs';
import { selfSigned } from './self-signed.mjs';

/** `bare` first: the others are held against it. */
export const KINDS = ['bare', 'snapshot', 'linear'];
/** A change of what all share, and of what is one proxy's own. */
export const CHANGES = ['shared', 'own'];
const VARIANTS = ['sotw', 'delta'];
/** Changes of an own resource in a round, one after another. */
const OWN_CHANGES = 50;

/** A message that must be of that kind: anything else is a proxy's failure. */
async function expect(script, kind) {
  const message = await script.next();
  if (message.kind === kind) return message;
  throw new Error(`expected "${kind}" but got ${JSON.stringify(message).slice(0, 500)}`);
}

/** A server of one kind with all its proxies connected and configured, and what that took. */
async function open({ kind, proxies, variant, nodeArgs }) {
  const options = { kind, proxies, variant, tls: selfSigned() };
  const args = [...COLLECTABLE, ...(kind === 'bare' ? [] : nodeArgs)];
  const server = startScript('library-server.mjs', { options, nodeArgs: args });
  const { port } = await expect(server, 'listening');
  const { pid } = server.child;
  const idle = await restingRssKb(pid);
  const cpuBefore = cpuMs(pid);
  const clients = startScript('library-proxies.mjs', { options: { ...options, port } });
  const { tookMs } = await expect(clients, 'open');
  await settled(() => cpuMs(pid), { by: 0, forMs: 300, atMostMs: 10_000 });
  const connectCpuMs = cpuMs(pid) - cpuBefore;
  const full = await restingRssKb(pid);
  const perProxyKb = (full.collectedKb - idle.collectedKb) / proxies;
  const rounds = { shared: [], own: [] };
  return { kind, server, clients, rounds, connect: { tookMs, cpuMs: connectCpuMs, perProxyKb } };
}

async function readBytes({ clients }) {
  clients.send({ kind: 'read' });
  return (await expect(clients, 'read')).readBytes;
}

/** One push; CPU, times and bytes are of one change. */
async function push(fleet, { kind, version }) {
  const changes = kind === 'own' ? OWN_CHANGES : 1;
  const before = await readBytes(fleet);
  fleet.server.send({ kind, version, changes });
  const { cpuMs: spentMs, inMs } = await expect(fleet.server, 'pushed');
  const bytes = (await readBytes(fleet)) - before;
  return {
    ...{ cpuMs: spentMs / changes, bytes: bytes / changes },
    ...{ p50Ms: percentile(inMs, 0.5), p99Ms: percentile(inMs, 0.99), maxMs: Math.max(...inMs) },
  };
}

function summarizeRounds(rounds) {
  const names = ['cpuMs', 'p50Ms', 'p99Ms', 'maxMs', 'bytes'];
  return Object.fromEntries(names.map((name) => [name, summarize(rounds.map((r) => r[name]))]));
}

function toResult({ kind, connect, rounds }, bare) {
  const changes = CHANGES.map((change) => {
    const cpu = (all) => all[change].map((round) => round.cpuMs);
    const ratio = compare(cpu(rounds), cpu(bare.rounds));
    return [change, { ...summarizeRounds(rounds[change]), ratio }];
  });
  const ratios = {
    connectCpu: connect.cpuMs / bare.connect.cpuMs,
    perProxy: connect.perProxyKb / bare.connect.perProxyKb,
  };
  return { kind, connect, ratios, ...Object.fromEntries(changes) };
}

/** All kinds of server with that many proxies; the first round warms up and isn't counted. */
async function measure({ proxies, variant, rounds, nodeArgs }) {
  const fleets = [];
  for (const kind of KINDS) fleets.push(await open({ kind, proxies, variant, nodeArgs }));
  for (let round = 0; round <= rounds; round++) {
    for (const change of CHANGES) {
      // Whoever comes first in a round finds the machine as the one before has left it: in turns.
      const from = round % fleets.length;
      for (const fleet of [...fleets.slice(from), ...fleets.slice(0, from)]) {
        const result = await push(fleet, { kind: change, version: round + 2 });
        if (round > 0) fleet.rounds[change].push(result);
      }
    }
  }
  for (const { clients, server } of fleets) {
    await stop(clients.child);
    await stop(server.child);
  }
  return { proxies, servers: fleets.map((fleet) => toResult(fleet, fleets[0])) };
}

/**
 * How much more the larger fleet costs than the smaller: 2 is linear, where it is twice as large.
 */
function toGrowth(small, large) {
  return large.servers.map((server, i) => {
    const before = small.servers[i];
    return {
      kind: server.kind,
      connectCpu: server.connect.cpuMs / before.connect.cpuMs,
      memory: (2 * server.connect.perProxyKb) / before.connect.perProxyKb,
      shared: server.shared.cpuMs.median / before.shared.cpuMs.median,
      own: server.own.cpuMs.median / before.own.cpuMs.median,
    };
  });
}

/**
 * `[{ variant, sizes, rounds, fleets: [{ proxies, servers }, …], growth }]`, one per variant.
 * `onFleet` and `onGrowth` get the parts when they are there. `nodeArgs` go to the library's
 * servers (`--cpu-prof` and the like).
 */
export async function benchLibrary(options) {
  const { streams, rounds, nodeArgs = [], variants = VARIANTS, onFleet, onGrowth } = options;
  const results = [];
  for (const variant of variants) {
    const run = { variant, sizes: SIZES, ownChanges: OWN_CHANGES, rounds };
    const fleets = [];
    for (const proxies of [streams, 2 * streams]) {
      const fleet = await measure({ proxies, variant, rounds, nodeArgs });
      onFleet(fleet, run);
      fleets.push(fleet);
    }
    const result = { ...run, fleets, growth: toGrowth(fleets[0], fleets[1]) };
    onGrowth(result);
    results.push(result);
  }
  return results;
}
