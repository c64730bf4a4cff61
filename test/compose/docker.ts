import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = join(import.meta.dirname, '../..');
const exec = promisify(execFile);

/** Rejects with what it printed where it ends with another code than 0. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await exec('docker', [...args], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 280_000,
  });
  return stdout;
}

export function compose(...args: readonly string[]): Promise<string> {
  return docker('compose', ...args);
}

/** Of a service's one container. */
export async function containerOf(service: string): Promise<string> {
  return (await compose('ps', '--all', '--quiet', service)).trim();
}

/** Its process on this host; only the engine's own host may signal it. */
export async function pidOf(service: string): Promise<number> {
  const id = await containerOf(service);
  return Number(await docker('inspect', '--format', '{{.State.Pid}}', id));
}
