// `npm run bench`: what a user waits for and pays for, as tables and JSON. docs/benchmarks.md says
// what each number means. Nothing is asserted: the machine may be shared, so a limit is shown, not
// enforced.
//   npm run bench -- [--quick] [--json file] [--only cold,issue,fleet,push,library,siege]
//   npm run bench -- phases [--quick]
//                    [--streams n] [--rounds n] [--node-args "--cpu-prof …"]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchColdStart } from './cold-start.mjs';
import { benchFleet } from './fleet.mjs';
import { benchIssue } from './issue.mjs';
import { benchLibrary } from './library.mjs';
import { toGrowthTable, toLibraryTables, toSetTable } from './library-report.mjs';
import { benchLinearSet } from './linear-set.mjs';
import { benchPhases, QUICK_SIZES, SIZES, toPhasesTable } from './phases.mjs';
import { benchPush } from './push.mjs';
import {
  toColdStartTable,
  toEditTable,
  toIssueTable,
  toLoadLine,
  toMemoryTable,
  toPushTable,
} from './report.mjs';
import { benchSiege, toSiegeTable } from './siege.mjs';

/**
 * Issue 3's, and those of DESIGN.md where the issue names none; the library's are issue 4's,
 * issuing is issue 5's.
 */
const AIMS = {
  ...{ coldStartMs: 500, perProxyKb: 150, pushCpuMs: 150, pushRatio: 2 },
  ...{ rotationMs: 30_000, stepRatio: 1 },
  ...{ libraryCpuRatio: 1.5, libraryMemoryRatio: 1.25, issuedPerS: 2000 },
};
/** Without `--only`. */
const PARTS = ['cold', 'issue', 'fleet', 'push', 'library'];
const ALL_PARTS = [...PARTS, 'phases', 'siege'];

function parseOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      only: { type: 'string', default: PARTS.join(',') },
      quick: { type: 'boolean', default: false },
      streams: { type: 'string' },
      rounds: { type: 'string' },
      'node-args': { type: 'string', default: '' },
    },
  });
  const only = positionals.length > 0 ? positionals : values.only.split(',');
  const unknown = only.find((part) => !ALL_PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`--only: expected ${ALL_PARTS} but got "${unknown}"`);
  const streams = Number(values.streams ?? (values.quick ? 100 : 1000));
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 9));
  if (!(streams >= 10 && streams % 10 === 0))
    throw new Error('--streams: expected a multiple of 10');
  if (!(rounds >= 1)) throw new Error('--rounds: expected a number of at least 1');
  const nodeArgs = values['node-args'].split(' ').filter((arg) => arg !== '');
  const streamsGiven = values.streams !== undefined;
  return { json: values.json, only, streams, streamsGiven, rounds, nodeArgs, quick: values.quick };
}

async function run({ only, streams, streamsGiven, rounds, nodeArgs, quick }, folder) {
  const print = (text) => process.stdout.write(`${text}\n\n`);
  const results = {};
  if (only.includes('cold')) {
    results.coldStart = await benchColdStart({ folder: join(folder, 'cold'), rounds });
    print(toColdStartTable(results.coldStart, AIMS));
  }
  if (only.includes('issue')) {
    results.issue = await benchIssue({ rounds, quick });
    for (const result of results.issue) print(toIssueTable(result, AIMS));
  }
  if (only.includes('fleet')) {
    results.fleet = await benchFleet({ folder: join(folder, 'fleet'), streams, rounds });
    print(toMemoryTable(results.fleet, AIMS));
    print(toEditTable(results.fleet, AIMS));
  }
  if (only.includes('push')) {
    results.push = {};
    for (const variant of ['sotw', 'delta']) {
      results.push[variant] = await benchPush({ streams, pushes: rounds, variant });
      print(toPushTable(results.push[variant], AIMS));
    }
  }
  if (only.includes('library')) {
    const onFleet = (fleet, run) => print(toLibraryTables(fleet, run, AIMS));
    const onGrowth = (result) => print(toGrowthTable(result));
    results.library = await benchLibrary({ streams, rounds, onFleet, onGrowth, nodeArgs });
    results.linearSet = await benchLinearSet({ quick });
    print(toSetTable(results.linearSet));
  }
  if (only.includes('phases')) {
    const onResult = (result) => print(toPhasesTable(result, AIMS));
    const place = join(folder, 'phases');
    const sizes = streamsGiven ? [streams] : quick ? QUICK_SIZES : SIZES;
    results.phases = await benchPhases({ folder: place, rounds, sizes, onResult });
  }
  if (only.includes('siege')) {
    results.siege = await benchSiege({ folder, floodMs: quick ? 5_000 : 20_000 });
    print(toSiegeTable(results.siege));
  }
  return results;
}

async function main() {
  const options = parseOptions();
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  // On exit, so that an interrupted run leaves nothing either.
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const [loadBefore] = loadavg();
  const results = await run(options, folder);
  const machine = {
    node: process.version,
    cores: cpus().length,
    loadBefore,
    loadAfter: loadavg()[0],
  };
  process.stdout.write(`${toLoadLine(machine)}\n\n`);
  const json = JSON.stringify({ at: new Date().toISOString(), machine, aims: AIMS, ...results });
  if (options.json === undefined) process.stdout.write(`${json}\n`);
  else writeFileSync(options.json, `${json}\n`);
}

// Sockets that are being torn down would hold the process for seconds; all is written by now.
await main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`bench: ${error.stack}\n`);
    process.exit(1);
  },
);
