// The benchmark's results as tables, each number beside what it is held against.

export const ms = (value) => `${value.toFixed(0)} ms`;
export const kb = (value) => `${value.toFixed(0)} kB`;
const mb = (value) => `${(value / 1024).toFixed(0)} MB`;
export const times = (value) => `${value.toFixed(2)}×`;
export const spreadOf = ({ low, high }, unit) => `${unit(low)} – ${unit(high)}`;

/** Text in columns: the first to the left, the others to the right. */
export function toTable(title, rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd(),
  );
  return [title, ...lines.map((line) => `  ${line}`)].join('\n');
}

export function toColdStartTable({ rounds, node, nodeGrpc, existing, fresh }, aims) {
  const row = (name, summary, aim = '') => [
    name,
    ms(summary.median),
    spreadOf(summary, ms),
    times(summary.median / node.median),
    aim,
  ];
  const aim = `aim < ${aims.coldStartMs} ms`;
  return toTable(`cold start, median of ${rounds}`, [
    ['from process start', 'median', 'middle half', 'to node', ''],
    row('node -e 0', node),
    row('node -e require(grpc-js)', nodeGrpc),
    row('used folder: ready line', existing.readyMs),
    row('used folder: first response', existing.responseMs, aim),
    row('fresh folder: ready line', fresh.readyMs),
    row('fresh folder: first response', fresh.responseMs, aim),
  ]);
}

export function toIssueTable({ key, ours, pair, sign, verify }, aims) {
  const perS = (value) => `${value.toFixed(0)}/s`;
  const row = (name, { perCpuS, perWallS }, aim = '') => [
    name,
    perS(perCpuS.median),
    spreadOf(perCpuS, perS),
    perS(perWallS.median),
    times(ours.perCpuS.median / perCpuS.median),
    aim,
  ];
  const aim = key === 'ecdsa-p256' ? `aim ≥ ${aims.issuedPerS}/s` : '';
  return toTable(`issuing, ${key}, median of ${ours.perCpuS.rounds} rounds`, [
    ['', 'one core', 'middle half', 'wall', 'ours to it', ''],
    row('key, certificate and PEM', ours, aim),
    row('node:crypto: key pair as PEM', pair),
    row('node:crypto: P-256 signature', sign),
    row('node:crypto: P-256 verification', verify),
  ]);
}

/** The load average says whether anything else ran: above what a run itself makes, it did. */
export function toLoadLine({ cores, loadBefore, loadAfter }) {
  const loads = `${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after`;
  const busy = loadBefore > cores / 2 ? '; the machine was busy, trust ratios only' : '';
  return `load average (1 min) on ${cores} cores: ${loads}${busy}`;
}

export function toMemoryTable({ streams, services, ours, bare, perStreamRatio }, aims) {
  const row = (name, { idleKb, fullKb, perStreamKb, connectMs }, aim) => [
    name,
    mb(idleKb.collectedKb),
    mb(fullKb.collectedKb),
    kb(perStreamKb.collectedKb),
    kb(perStreamKb.asItStandsKb),
    ms(connectMs),
    aim,
  ];
  const after = mb(ours.memory.afterEditsKb.collectedKb);
  return toTable(`memory (RSS), ${streams} sidecars of ${services} services, TLS, delta ADS`, [
    ['', 'idle', 'full', 'a proxy', 'no gc', 'connect all', ''],
    row('countersign serve', ours.memory, `aim ≤ ${aims.perProxyKb} kB a proxy`),
    row('bare grpc-js', bare, `ratio ${times(perStreamRatio)}`),
    ['countersign after the edits', '', after, '', '', '', ''],
  ]);
}

export function toEditTable({ streams, services, ours: { edits } }, aims) {
  const row = (name, { p50Ms, p99Ms, maxMs, cpuMs }, aim) => [
    name,
    ms(p50Ms.median),
    ms(p99Ms.median),
    ms(maxMs.median),
    ms(cpuMs.median),
    spreadOf(cpuMs, ms),
    aim,
  ];
  const cpuAim = `aim ≤ ${aims.pushCpuMs} ms of CPU`;
  return toTable(`an edit of mesh.yaml until ACK, median of ${edits.mode.cpuMs.rounds} edits`, [
    ['', 'p50', 'p99', 'last ACK', 'server CPU', 'middle half', ''],
    row(`mode: endpoints to ${streams}`, edits.mode, cpuAim),
    row(`rule: routes to ${streams / services}`, edits.rule, ''),
  ]);
}

export function toPushTable(push, aims) {
  const { streams, bytes, variant, bare, ours, ratio } = push;
  const row = (name, { cpuMs, wallMs, kbPerStream }) => [
    name,
    ms(cpuMs.median),
    spreadOf(cpuMs, ms),
    ms(wallMs.median),
    kb(kbPerStream),
  ];
  const verdict = ratio.steady
    ? `CPU ratio ${times(ratio.value)} (aim ≤ ${aims.pushRatio}×)`
    : `CPU ratio ${times(ratio.value)}, which means nothing: rounds too few or apart`;
  return toTable(`library: ${bytes} bytes to ${streams} streams, TLS, ${variant}: ${verdict}`, [
    ['', 'CPU a push', 'middle half', 'wall', 'a stream'],
    row('bare grpc-js', bare),
    row('countersign', ours),
  ]);
}
