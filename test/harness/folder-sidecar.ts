import { join } from 'node:path';
import type { Child } from '../../src/demo/child.js';
import { EnvoyAdmin } from '../../src/demo/envoy-admin.js';
import type { Harness } from './index.js';
import type { TestMesh } from './start-mesh.js';

/** A sidecar that the run.sh of a folder starts, as `bootstrap --out` makes it. */
export interface FolderSidecar {
  readonly folder: string;
  readonly address: string;
  /** Its Envoy's. */
  readonly admin: EnvoyAdmin;
  /** run.sh. */
  child: Child;
  /** Again, when it was stopped. */
  start(env?: NodeJS.ProcessEnv): Promise<void>;
}

export interface FolderSidecarOptions {
  readonly harness: Harness;
  readonly mesh: TestMesh;
  readonly binary: string;
  readonly service: string;
  readonly instance: string;
  /** Where run.sh may write. */
  readonly tmp: string;
}

/** Makes the folder by the built command, and starts it. */
export async function startFolderSidecar(options: FolderSidecarOptions): Promise<FolderSidecar> {
  const { harness, mesh, binary, service, instance, tmp } = options;
  const pool = await harness.addresses();
  const { host, port } = mesh.server().xdsAddress;
  const address = pool.address();
  const folder = join(mesh.dir, `${service}-${instance}`);
  const adminPort = await pool.port('127.0.0.1');
  await harness.command([
    ...['bootstrap', service, '--instance', instance, '--address', address],
    ...['--outbound', pool.block(), '--xds', `${host}:${port}`],
    ...['--envoy-admin-port', String(adminPort), '--out', folder, '--data', mesh.dataPath],
  ]);
  const start = async (more: NodeJS.ProcessEnv = {}): Promise<Child> => {
    const env = { ...process.env, ENVOY: binary, TMPDIR: tmp, ...more };
    const args = ['--log-level', 'warning', '--concurrency', '1'];
    const command = join(folder, 'run.sh');
    const name = `run.sh of ${instance}`;
    return (await harness.process({ name, command, args, env, cwd: '/' })).child;
  };
  const sidecar: FolderSidecar = {
    ...{ folder, address, admin: new EnvoyAdmin('127.0.0.1', adminPort) },
    child: await start(),
    start: async (more) => {
      sidecar.child = await start(more);
    },
  };
  return sidecar;
}
