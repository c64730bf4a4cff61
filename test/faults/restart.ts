// What a data folder is to those who use it next: the identities that peers hold on to.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { loadAuthority } from '../../src/ca/index.js';
import { loadOrCreateAnchorPem } from '../../src/ca/xds/index.js';
import { openDataDir } from '../../src/data/index.js';
import { listHandedOut } from '../../src/leaves/index.js';
import { startServer } from '../../src/server/index.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import type { Place } from './every-step.js';

const FREE = { host: '127.0.0.1', port: 0 } as const;

/** Starts the server, and stops it when its mesh is stored. */
export async function useOnce(place: Place): Promise<void> {
  const options = { meshPath: place.mesh, dataPath: place.data, xds: FREE, admin: FREE };
  const server = await startServer({ ...options, logger: recordingLogger() });
  await appears(join(place.data, 'mesh.json'));
  await server.close();
}

async function appears(path: string): Promise<void> {
  for (let left = 10_000; left > 0; left -= 10) {
    if (existsSync(path)) return;
    await sleep(10);
  }
  throw new Error(`expected ${path} but it does not appear`);
}

/** Starts the server as anybody would after a crash, and stops it again. */
export async function restart({ mesh, data }: Place) {
  const logger = recordingLogger();
  const options = { meshPath: mesh, dataPath: data, xds: FREE, admin: FREE, logger };
  const server = await startServer(options);
  const { created } = server.authority;
  await server.close();
  const problems = logger.lines.filter(({ level }) => level === 'error' || level === 'warn');
  return { created, problems };
}

/** The roots, the anchor that bootstraps pin and the certificates handed out. */
export async function identityOf({ data }: Place) {
  const dataDir = await openDataDir({ path: data, lock: false, create: false });
  const options = { dataDir, clock: systemClock, random: systemRandom };
  const authority = await loadAuthority(options);
  const handedOut = await listHandedOut(dataDir);
  return {
    roots: authority.trustAnchorsPem,
    change: authority.change,
    anchor: await loadOrCreateAnchorPem(options),
    serials: handedOut.map(({ serialHex }) => serialHex),
  };
}

/** The anchor that bootstraps pin, made where there is none, as `bootstrap` does. */
export async function anchorOf({ data }: Place): Promise<string> {
  const dataDir = await openDataDir({ path: data, lock: false });
  return loadOrCreateAnchorPem({ dataDir, clock: systemClock, random: systemRandom });
}

/** Whose token it is. @throws MeshError where the folder's keys don't vouch for it */
export async function verifyToken({ data }: Place, token: string): Promise<string> {
  const dataDir = await openDataDir({ path: data, lock: false, create: false });
  const options = { dataDir, clock: systemClock, random: systemRandom };
  const keys = await createTokenKeys(options);
  return keys.verify(token, { audience: 'countersign-xds' }).subject;
}
