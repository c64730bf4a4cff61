// The library's results as tables: what bare grpc-js costs, and what ours does beside it.
import { kb, ms, spreadOf, times, toTable } from './report.mjs';

const NAMES = { bare: 'bare grpc-js', snapshot: 'snapshot cache', linear: 'linear cache' };
const fineMs = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const bytesOf = (value) =>
  value < 100_000 ? `${value.toFixed(0)} B` : `${(value / 1e6).toFixed(2)} MB`;

function toConnectTable({ proxies, servers }, { variant }, aims) {
  const title = `library, ${variant}: connect and configure ${proxies} proxies over TLS`;
  return toTable(`${title} (aim: memory ≤ ${aims.libraryMemoryRatio}× bare)`, [
    ['', 'took', 'CPU a proxy', 'to bare', 'RSS a proxy', 'to bare'],
    ...servers.map(({ kind, connect, ratios }) => [
      NAMES[kind],
      ms(connect.tookMs),
      fineMs(connect.cpuMs / proxies),
      times(ratios.connectCpu),
      kb(connect.perProxyKb),
      times(ratios.perProxy),
    ]),
  ]);
}

function toChangeTable({ proxies, servers }, { variant, rounds }, { change, what, aims }) {
  const title = `library, ${variant}, ${proxies} proxies: ${what}, set to ACK, ${rounds} rounds`;
  return toTable(`${title} (aim: CPU ≤ ${aims.libraryCpuRatio}× bare)`, [
    ['', 'p50', 'p99', 'max', 'CPU a push', 'middle half', 'to bare', 'sent'],
    ...servers.map((server) => {
      const { p50Ms, p99Ms, maxMs, cpuMs, ratio, bytes } = server[change];
      return [
        NAMES[server.kind],
        ...[p50Ms, p99Ms, maxMs, cpuMs].map(({ median }) => fineMs(median)),
        spreadOf(cpuMs, fineMs),
        ratio.steady ? times(ratio.value) : `(${times(ratio.value)})`,
        bytesOf(bytes.median),
      ];
    }),
  ]);
}

/** How cost grows from the smaller fleet to the larger. */
export function toGrowthTable({ variant, fleets: [small, large], growth }) {
  const title = `library, ${variant}: cost of ${large.proxies} proxies to that of ${small.proxies}`;
  return toTable(`${title} (linear: 2)`, [
    ['', 'connect CPU', 'memory', 'shared CPU', 'own CPU (flat: 1)'],
    ...growth.map(({ kind, connectCpu, memory, shared, own }) => [
      NAMES[kind],
      ...[connectCpu, memory, shared, own].map(times),
    ]),
  ]);
}

/** Tables of one fleet; a CPU ratio in brackets means nothing: rounds too few or apart. */
export function toLibraryTables(fleet, run, aims) {
  const { endpointsBytes, ownBytes } = run.sizes;
  const shared = { change: 'shared', what: `a shared resource of ${endpointsBytes} bytes`, aims };
  const own = { change: 'own', what: `one proxy's own resource of ${ownBytes} bytes`, aims };
  return [
    toConnectTable(fleet, run, aims),
    toChangeTable(fleet, run, shared),
    toChangeTable(fleet, run, own),
  ].join('\n\n');
}

/** What `set` of one resource takes in a linear cache, by how many there are. */
export function toSetTable(sizes) {
  return toTable('library: set of one resource in a linear cache (flat)', [
    ['resources', 'p50', 'p99', 'max', 'fill'],
    ...sizes.map(({ resources, p50Ms, p99Ms, maxMs, fillMs }) => [
      String(resources),
      ...[p50Ms, p99Ms, maxMs].map((value) => `${value.toFixed(3)} ms`),
      ms(fillMs),
    ]),
  ]);
}
