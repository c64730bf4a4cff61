// Which CA signs the mesh's certificates: the one that mesh.yaml names, else the server's own, in
// its data folder. A change between the two is said in the log: peers then learn another root at
// once, not in phases.

import type { Clock, Closers, Logger, Random } from '../../base/index.js';
import { type Authority, type LocalAuthority, loadOrCreateAuthority } from '../../ca/index.js';
import {
  forgetStepCa,
  openStepCa,
  readStepCaRecord,
  STEP_CA_FILE,
} from '../../ca/step-ca/index.js';
import type { DataDir } from '../../data/index.js';
import type { Mesh } from '../../policy/index.js';

export interface OpenedAuthority {
  readonly authority: Authority;
  /** The same where its keys are in the data folder: its root can be changed. */
  readonly ownAuthority: LocalAuthority | undefined;
  /** The server's own, which didn't exist before. */
  readonly created: boolean;
  /** Address of an outside CA. */
  readonly outsideUrl: string | undefined;
}

export interface OpenAuthorityOptions {
  readonly identity: {
    readonly dataDir: DataDir;
    readonly clock: Clock;
    readonly random: Random;
  };
  readonly mesh: Mesh;
  /** Opens the keys of the server's own CA, and encrypts them. */
  readonly passphrase: string | undefined;
  readonly logger: Logger;
  readonly closers: Closers;
  /** Sets a damaged file aside that can be made again: see take-up.ts. */
  readonly takeUp: <T>(name: string, read: () => Promise<T>) => Promise<T | undefined>;
}

/** @throws MeshError as `loadOrCreateAuthority` and `openStepCa` */
export async function openAuthority(options: OpenAuthorityOptions): Promise<OpenedAuthority> {
  const { identity, mesh, passphrase, logger, closers } = options;
  const { trustDomain, authority: settings } = mesh;
  await options.takeUp(STEP_CA_FILE, () => readStepCaRecord(identity.dataDir));
  if (settings === undefined) {
    const opened = await loadOrCreateAuthority({ ...identity, trustDomain, passphrase });
    if (await forgetStepCa(identity.dataDir)) {
      logger.warn({}, 'the mesh has its own CA again: its root replaces that of the outside CA');
    }
    return { ...opened, ownAuthority: opened.authority, outsideUrl: undefined };
  }
  const { authority, warnings } = await openStepCa({
    ...identity,
    trustDomain,
    settings,
    passphrase,
  });
  for (const warning of warnings) logger.warn({ url: settings.url }, warning);
  closers.defer(() => authority.close());
  return { authority, ownAuthority: undefined, created: false, outsideUrl: settings.url };
}
