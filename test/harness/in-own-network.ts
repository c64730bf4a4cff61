import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { OWN_NETWORK } from './own-network.js';

/**
 * Runs a test file once more, in a network of its own, where OWN_NETWORK is set for it.
 * @param lack Why not here; undefined: it can
 */
export function runInOwnNetwork(url: string, lack: string | undefined): void {
  test.skipIf(lack !== undefined)(
    `in a network of its own${lack === undefined ? '' : ` (not here: ${lack})`}`,
    () => {
      const vitest = fileURLToPath(
        new URL('../../node_modules/vitest/vitest.mjs', import.meta.url),
      );
      const args = ['--net', process.execPath, vitest, 'run', fileURLToPath(url)];
      const env = { ...process.env, [OWN_NETWORK]: '1', CI: '' };
      const { status, stdout, stderr } = spawnSync('unshare', args, { env, encoding: 'utf8' });
      expect(status, `${stdout}\n${stderr}`).toBe(0);
    },
    120_000,
  );
}
