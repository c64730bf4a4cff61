// One compose project of a test, in a folder of its own.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const exec = promisify(execFile);

export interface Project {
  readonly folder: string;
  /** May be changed. */
  readonly env: Record<string, string>;
  /** `docker compose`; rejects with what it printed where it ends with another code than 0. */
  compose(...args: readonly string[]): Promise<string>;
  /** Of a service's first container. */
  containerOf(service: string): Promise<string>;
  /** Its process on this host; only the engine's own host may signal it. */
  pidOf(service: string): Promise<number>;
}

export function openProject(folder: string, env: Record<string, string>): Project {
  const run = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await exec('docker', [...args], {
      cwd: folder,
      env: { ...process.env, ...env },
      maxBuffer: 64 * 1024 * 1024,
      timeout: 280_000,
    });
    return stdout;
  };
  const compose = (...args: readonly string[]): Promise<string> => run('compose', ...args);
  const containerOf = async (service: string): Promise<string> => {
    const ids = await compose('ps', '--all', '--quiet', service);
    return ids.split('\n')[0] ?? '';
  };
  return {
    folder,
    env,
    compose,
    containerOf,
    pidOf: async (service) => {
      const id = await containerOf(service);
      return Number(await run('inspect', '--format', '{{.State.Pid}}', id));
    },
  };
}
