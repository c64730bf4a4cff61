// Each flood of bench/floods.mjs alone, against the built server with 256 MB of heap, two Envoys
// and traffic between them: test/siege, for longer. Unlike the rest of the benchmark it asserts: no
// request and no stream of a sidecar is lost.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toTable } from './report.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export async function benchSiege({ folder, floodMs }) {
  const report = join(folder, 'siege.jsonl');
  const env = { ...process.env, SIEGE_FLOOD_MS: String(floodMs), SIEGE_REPORT: report };
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', 'test/siege', '--maxWorkers=1'];
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 2, 2] });
  const [code] = await once(child, 'exit');
  const text = existsSync(report) ? readFileSync(report, 'utf8') : '';
  const rows = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return {
    floodMs,
    lostNothing: code === 0,
    floods: rows.filter(({ name }) => name !== undefined),
    backMs: rows.find(({ backMs }) => backMs !== undefined)?.backMs,
  };
}

export function toSiegeTable({ floodMs, lostNothing, floods, backMs }) {
  const rows = floods.map(({ name, opened, peakRss, slowestHealth, peakFiles, baseMs }) => [
    name,
    String(opened),
    peakRss.toFixed(0),
    slowestHealth.toFixed(0),
    String(peakFiles),
    baseMs.toFixed(0),
  ]);
  const head = ['flood', 'opened', 'RSS, MiB', '/healthz, ms', 'files', 'to base, ms'];
  const lost = lostNothing ? 'nothing was lost' : 'SOMETHING WAS LOST, see above';
  const back = `killed under a flood, its sidecars were back after ${backMs} ms`;
  return toTable(`siege, ${floodMs} ms each: ${lost}; ${back}`, [head, ...rows]);
}
