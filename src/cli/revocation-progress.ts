// How far a running server has got with a revocation, or with taking one back.
import { MeshError } from '../base/index.js';
import type { RevocationSubject } from '../revocation/index.js';
import type { ServerStatus } from '../server/status/index.js';
import { ask } from './admin-client.js';
import type { ServerOptions } from './options.js';

export interface Progress {
  /** Whether the server knows the revocation. */
  readonly known: boolean;
  /** Sidecars on which everything that was sent is in force. */
  readonly inForce: number;
  readonly of: number;
}

/** Sidecars usually answer within milliseconds; `countersign wait` waits for the others. */
const WAIT_MS = 3_000;

/** @returns Undefined if no server answers. */
export async function askProgress(
  options: ServerOptions,
  { kind, subject }: RevocationSubject,
): Promise<Progress | undefined> {
  const { server, adminTokenFile } = options;
  const address = { server, ...(adminTokenFile === undefined ? {} : { adminTokenFile }) };
  try {
    const path = `/v1/wait?timeout_ms=${WAIT_MS}`;
    await ask({ ...address, path, waitMs: WAIT_MS, answers: [409] });
    const status = (await ask({ ...address, path: '/v1/status' })) as ServerStatus;
    const found = status.revocations.find((one) => one.kind === kind && one.subject === subject);
    const synced = status.proxies.filter(({ types }) =>
      Object.values(types).every(({ state }) => state === 'synced'),
    );
    const { inForce, of } = found?.proxies ?? { inForce: synced.length, of: status.proxies.length };
    return { known: found !== undefined, inForce, of };
  } catch (error) {
    if (error instanceof MeshError && error.code === 'server-unreachable') return undefined;
    throw error;
  }
}
