// `countersign demo`: brings up a mesh of stock Envoys on loopback, shows what it does step by
// step, and leaves nothing behind.
import type { Io } from '../terminal/index.js';
import { CleanupStack } from './cleanup.js';
import { envoyVersion, findEnvoy } from './find-envoy.js';
import { printAddresses } from './run-demo-keep.js';
import { renewalUnderLoad, toStrictLive } from './run-demo-live.js';
import { listEnded, saveLogs } from './run-demo-logs.js';
import { type DemoMesh, type DemoProcesses, startDemoMesh } from './run-demo-mesh.js';
import { DemoReport } from './run-demo-report.js';
import {
  callerWithoutPermission,
  callOverMtls,
  plainTextAccepted,
  type Step,
  tcpOverMtls,
} from './run-demo-steps.js';

export interface DemoOptions {
  /** Keeps it running after the last step, until the process is asked to stop. */
  readonly keep: boolean;
  /** Its stdout as it is: the report has colours of its own. */
  readonly io: Pick<Io, 'stdout' | 'clock' | 'random' | 'onStop'>;
}

/** A shell's exit code for a program that Ctrl-C ended. */
const INTERRUPTED = 130;

const STEPS: readonly (readonly [string, Step])[] = [
  ['A call over mTLS', callOverMtls],
  ['TCP over mTLS', tcpOverMtls],
  ['Plain text at a permissive port', plainTextAccepted],
  ['A caller without permission', callerWithoutPermission],
  ['Permissive to strict, live', toStrictLive],
  ['A leaf certificate replaced, live', renewalUnderLoad],
];

/**
 * 0 if every step showed what it should, 1 if one didn't, 130 if it was interrupted. Every process
 * that it started is gone afterwards. @throws MeshError envoy-missing, child-failed, resource-limit
 * if the mesh doesn't come up; the report says where the logs are.
 */
export async function runDemo({ keep, io }: DemoOptions): Promise<0 | 1 | 130> {
  const { stdout, onStop } = io;
  const report = new DemoReport(stdout, { colours: stdout.isTTY && !process.env['NO_COLOR'] });
  const cleanup = new CleanupStack();
  let cancel = (): void => {};
  const stopped = new Promise<typeof INTERRUPTED>((resolve) => {
    cancel = onStop(() => resolve(INTERRUPTED));
  });
  try {
    const shown = await Promise.race([show({ io, report, cleanup }), stopped]);
    if (shown === INTERRUPTED) {
      report.line('\ninterrupted: stopping everything');
      return INTERRUPTED;
    }
    if (keep) {
      await printAddresses(shown, report);
      await stopped;
    }
    return report.failed ? 1 : 0;
  } finally {
    cancel();
    report.mute();
    await cleanup.run();
  }
}

interface Run {
  readonly io: DemoOptions['io'];
  readonly report: DemoReport;
  readonly cleanup: CleanupStack;
}

/** Starts the mesh and goes through the steps. */
async function show(run: Run): Promise<DemoMesh> {
  const { io, report } = run;
  const startedAtMs = io.clock.now();
  const processes: DemoProcesses = { envoys: [] };
  let mesh: DemoMesh;
  try {
    mesh = await start(run, processes);
  } catch (error) {
    if (processes.serve !== undefined) await tellWhere(report, processes);
    throw error;
  }
  for (const [title, step] of STEPS) await report.step(title, (notes) => step(mesh, notes));
  report.summary(io.clock.now() - startedAtMs);
  if (report.failed) await tellWhere(report, processes);
  return mesh;
}

async function tellWhere(report: DemoReport, processes: DemoProcesses): Promise<void> {
  for (const line of listEnded(processes)) report.line(line);
  report.line(`logs: ${await saveLogs(processes)}`);
}

async function start(run: Run, processes: DemoProcesses): Promise<DemoMesh> {
  const { io, report, cleanup } = run;
  report.heading('Countersign demo: four services, each behind a stock Envoy, on loopback');
  const onPart = (name: string, text: string): void => report.pair(name, text);
  const envoyBinary = await findEnvoy({
    onDownload: (version) => onPart('Envoy', `downloading ${version}, 40 MB`),
  });
  onPart('Envoy', `${(await envoyVersion(envoyBinary)) ?? 'unknown version'}`);
  return startDemoMesh({ envoyBinary, random: io.random, cleanup, processes, onPart });
}
