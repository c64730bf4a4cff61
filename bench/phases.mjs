// What a change in phases takes and costs: a change of mode, and a new root, over fleets of
// simulated sidecars of different sizes. A step is held against a round trip of the same run: an
// edit of one step that every sidecar is sent and must warm. Messages and bytes are counted by the
// sidecars.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connected, inForce, toSidecars } from './fleet.mjs';
import { nowMs, summarize } from './measure.mjs';
import { runCountersign, startCountersign, startScript, stop } from './processes.mjs';
import { kb, ms, spreadOf, times, toTable } from './report.mjs';

const SERVICES = 10;
/** How many sidecars. */
export const SIZES = [3, 100, 1000];
export const QUICK_SIZES = [3, 30];
/** strict → disable: the port's own sidecars widen, its callers move, the former narrow. */
const STEPS = 3;
/** Callers that have moved may have requests on their way: so long the last step waits for them. */
const LINGER_MS = 500;
/** A thousand handshakes on a busy machine. */
const OPEN_LIMIT_MS = 300_000;

/** Services that may all call each other; what the benchmark edits is of the first one. */
function toMesh({ mode = 'strict', ports = 1, others = 0 } = {}) {
  const port = (number) => `      ${number}: http\n`;
  const services = Array.from({ length: SERVICES }, (_, i) => {
    const more = i === 0 ? Array.from({ length: ports - 1 }, (_, at) => port(9000 + at)) : [];
    const own = i === 0 ? `    mtls: ${mode}\n` : '';
    return `  svc-${i}:\n${own}    ports:\n${port(8080)}${more.join('')}`;
  });
  const rest = Array.from({ length: others }, (_, i) => `  other-${i}: {}\n`);
  const names = [...services, ...rest].join('');
  return `trustDomain: bench.example\nmtls: strict\nservices:\n${names}`;
}

class Bench {
  constructor(parts) {
    Object.assign(this, parts);
  }

  async traffic() {
    this.fleet.send({ kind: 'traffic' });
    const { kind: _, ...counts } = await this.fleet.next();
    return counts;
  }

  /** Until it is in force on every sidecar: milliseconds, messages and bytes. */
  async measure(change) {
    await this.traffic();
    const startMs = nowMs();
    await change();
    const tookMs = nowMs() - startMs;
    return { tookMs, ...(await this.traffic()) };
  }

  edit(mesh) {
    return this.measure(async () => {
      // Renamed into place: what is written in place is taken only when it has stood still.
      writeFileSync(`${this.meshPath}.new`, toMesh(mesh));
      renameSync(`${this.meshPath}.new`, this.meshPath);
      await inForce(this.admin);
    });
  }

  rotate() {
    const order = ['ca', 'rotate', '--wait', '--timeout', '5m', '--data', this.dataPath];
    return this.measure(() => runCountersign(order));
  }
}

function summarizeAll(rounds) {
  const keys = Object.keys(rounds[0]);
  return Object.fromEntries(keys.map((key) => [key, summarize(rounds.map((one) => one[key]))]));
}

async function start({ folder, proxies }) {
  mkdirSync(folder, { recursive: true });
  const [meshPath, dataPath] = [join(folder, 'mesh.yaml'), join(folder, 'data')];
  writeFileSync(meshPath, toMesh());
  const { sidecars, trust } = await toSidecars(proxies, dataPath);
  const server = startCountersign({ meshPath, dataPath });
  const { xds, admin } = await server.ready;
  const fleet = startScript('sidecars.mjs', { options: { address: xds, sidecars, ...trust } });
  const { kind, message } = await fleet.next(OPEN_LIMIT_MS);
  if (kind !== 'open') throw new Error(`a sidecar failed: ${message}`);
  await inForce(admin);
  const count = await connected(admin);
  if (count !== proxies) throw new Error(`expected ${proxies} sidecars but ${count} are connected`);
  return new Bench({ meshPath, dataPath, admin, fleet, server: server.child });
}

/** In turns; the first round warms up and isn't counted. */
async function measureSize({ folder, proxies, rounds }) {
  const bench = await start({ folder, proxies });
  const found = { idle: [], roundTrip: [], toDisable: [], toStrict: [] };
  const mesh = { mode: 'strict', ports: 1, others: 0 };
  const step = async (name, change) => {
    Object.assign(mesh, change);
    found[name].push(await bench.edit(mesh));
  };
  for (let round = 0; round <= rounds; round++) {
    // Concerns no sidecar: reading, storing and telling alone.
    await step('idle', { others: mesh.others + 1 });
    // A port more: clusters, endpoints and listeners to all, in one step.
    await step('roundTrip', { ports: mesh.ports + 1 });
    await step('toDisable', { mode: 'disable' });
    await step('toStrict', { mode: 'strict' });
  }
  const counted = Object.entries(found).map(([name, all]) => [name, summarizeAll(all.slice(1))]);
  const rotations = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) rotations.push(await bench.rotate());
  await stop(bench.fleet.child);
  await stop(bench.server);
  const { idle, ...edits } = Object.fromEntries(counted);
  const roundTripMs = edits.roundTrip.tookMs.median - idle.tookMs.median;
  const toStep = ({ tookMs }) => (tookMs.median - idle.tookMs.median - LINGER_MS) / STEPS;
  const steps = { toDisable: toStep(edits.toDisable), toStrict: toStep(edits.toStrict) };
  const ratios = Object.fromEntries(
    Object.entries(steps).map(([name, stepMs]) => [name, stepMs / roundTripMs]),
  );
  const rotation = summarizeAll(rotations);
  return { proxies, idle, ...edits, rotation, roundTripMs, stepMs: steps, ratios };
}

/** A result for each size of the fleet. */
export async function benchPhases({ folder, rounds, sizes, onResult }) {
  const results = [];
  for (const proxies of sizes) {
    const place = join(folder, String(proxies));
    const result = await measureSize({ folder: place, proxies, rounds });
    onResult(result);
    results.push(result);
  }
  return results;
}

export function toPhasesTable(result, aims) {
  const { proxies, roundTripMs, stepMs, ratios } = result;
  const row = (name, { tookMs, received, receivedBytes, sent }, verdict = '') => [
    ...[name, ms(tookMs.median), spreadOf(tookMs, ms)],
    ...[received.median.toFixed(0), kb(receivedBytes.median / 1024), sent.median.toFixed(0)],
    verdict,
  ];
  const aim = `aim ≤ ${times(aims.stepRatio)}`;
  const step = (name) =>
    `a step ${ms(stepMs[name])}, ${times(ratios[name])} of a round trip (${aim})`;
  const rotationAim = proxies === 1000 ? `aim < ${aims.rotationMs / 1000} s` : '';
  const trip = `a round trip with warming takes ${ms(roundTripMs)}`;
  const linger = `steps without the ${LINGER_MS} ms for what is on its way`;
  const title = `phases, ${proxies} sidecars: ${trip}; ${linger}`;
  return toTable(title, [
    ['', 'in force', 'middle half', 'messages', 'bytes', 'answers', ''],
    row('an edit that concerns nobody', result.idle),
    row('one step to all', result.roundTrip),
    row('strict to disable', result.toDisable, step('toDisable')),
    row('disable to strict', result.toStrict, step('toStrict')),
    row('another root', result.rotation, rotationAim),
  ]);
}
