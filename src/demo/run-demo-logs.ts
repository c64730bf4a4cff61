// For when a step doesn't show what it should: what every process wrote, and each Envoy's state.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from './child.js';
import type { EnvoyProcess } from './envoy-process.js';
import type { DemoProcesses } from './run-demo-mesh.js';

/** Writes them into a new folder (0700), which stays. @returns its path */
export async function saveLogs({ serve, envoys }: DemoProcesses): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-demo-logs-'));
  const save = async (file: string, read: () => string | Promise<string>): Promise<void> => {
    const text = await Promise.resolve()
      .then(read)
      .catch((error: unknown) => `not available: ${String(error)}\n`);
    await writeFile(join(folder, file), text);
  };
  if (serve !== undefined) await save('serve.log', () => toText(serve));
  for (const { name, process, admin } of envoys) {
    await save(`${name}.log`, () => toText(process));
    await save(`${name}.stats`, () => admin.statsText());
    await save(`${name}.config.json`, () => readConfig(admin));
  }
  return folder;
}

/** What ended although nobody here stopped it, one line each. */
export function listEnded({ serve, envoys }: DemoProcesses): readonly string[] {
  const all = [...(serve === undefined ? [] : [serve]), ...envoys.map(({ process }) => process)];
  return all.flatMap(({ name, exit }) =>
    exit === undefined ? [] : [`${name} has ended by ${exit.signal ?? `exit code ${exit.code}`}`],
  );
}

function toText(child: Child): string {
  const end = child.exit === undefined ? 'still running' : JSON.stringify(child.exit);
  return `${child.log().join('\n')}\n[${end}]\n`;
}

/** Without the bootstrap: it may hold a token. */
async function readConfig(admin: EnvoyProcess['admin']): Promise<string> {
  const { configs } = await admin.configDump();
  const shown = configs.filter((config) => !config['@type'].endsWith('.BootstrapConfigDump'));
  return JSON.stringify(shown, undefined, 1);
}
