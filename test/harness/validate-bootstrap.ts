import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../src/demo/child.js';

/**
 * Has Envoy judge a bootstrap (`--mode validate`) without running it: resolves where it accepts it,
 * else MeshError `child-failed` with Envoy's words in the hint.
 */
export async function validateBootstrap(options: {
  readonly binary: string;
  readonly bootstrap: object;
}): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-validate-'));
  try {
    const path = join(folder, 'bootstrap.json');
    await writeFile(path, JSON.stringify(options.bootstrap), { mode: 0o600 });
    const child = await startChild({
      name: 'envoy --mode validate',
      command: options.binary,
      args: ['--mode', 'validate', '-c', path, '--log-level', 'error'],
    });
    const { code, signal } = await child.exited;
    if (code !== 0) throw child.failure(`expected a valid bootstrap but got ${signal ?? code}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
