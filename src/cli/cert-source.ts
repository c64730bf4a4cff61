// Where `cert` gets its certificates. This source issues them itself, in the data folder, with the
// CA's key.

import { type FSWatcher, watch } from 'node:fs';
import { openStoredAuthority, showStoredAuthority } from '../ca/step-ca/index.js';
import type { DataDir } from '../data/index.js';
import { forgetEnded, recordHandedOut } from '../leaves/index.js';
import type { ServiceName } from '../policy/index.js';
import { assertNotRevoked, loadRevocations } from '../revocation/index.js';
import { parseSpiffeId } from '../spiffe/index.js';
import type { Context } from '../terminal/index.js';
import { findService, loadStoredMesh } from './stored-mesh.js';

/** Times in ms since the epoch. */
export interface Obtained {
  readonly spiffeId: string;
  readonly serialHex: string;
  readonly issuedAtMs: number;
  readonly notAfterMs: number;
  /** PKCS #8. Never printed. */
  readonly keyPem: string;
  /** The leaf first. */
  readonly chainPem: string;
  readonly anchorsPem: string;
}

export interface CertSource {
  /**
   * A new certificate each time. Throws a MeshError where there is none.
   * @param replaces Serial of the one whose files it will replace.
   */
  obtain(replaces: string | undefined): Promise<Obtained>;
  /** Says of the trust anchors each time that they may have changed. */
  follow(listeners: AnchorsListeners): AnchorsFollowing;
}

export interface AnchorsListeners {
  /** PEM, the root that signs now first; may be the same as before. */
  readonly onAnchors: (pem: string) => void;
  /** It is tried again. */
  readonly onProblem: (error: unknown) => void;
}

export interface AnchorsFollowing {
  /** Looks again by itself, where a notice may have been lost. */
  look(): Promise<void>;
  end(): void;
}

export interface DataSourceOptions {
  readonly dataDir: DataDir;
  readonly service: ServiceName;
  readonly ttlMs: number;
  /** For the CA's key, if that is encrypted. */
  readonly passphrase: string | undefined;
  readonly context: Context;
}

/** Issues and records, so that every certificate that somebody may hold is known. */
export function createDataSource(options: DataSourceOptions): CertSource {
  const { dataDir, ttlMs, passphrase, context } = options;
  const { clock, random } = context;
  return {
    async obtain(replaces) {
      const mesh = await loadStoredMesh(dataDir);
      const { name, spiffeId, dnsNames, certificates } = findService(mesh, options.service);
      assertNotRevoked(await loadRevocations(dataDir), { service: name });
      const authority = await openStoredAuthority(
        { dataDir, clock, random, passphrase },
        { trustDomain: mesh.trustDomain },
      );
      const leaf = await authority.issueLeaf({
        ...{ spiffeId: parseSpiffeId(spiffeId), dnsNames },
        ...{ ttlMs, key: certificates.key },
      });
      const before = replaces === undefined ? {} : { replaces };
      await recordHandedOut(dataDir, { certificate: leaf, service: name, ...before });
      await forgetEnded(dataDir, clock.now());
      return { ...leaf, anchorsPem: authority.trustAnchorsPem };
    },
    follow: (listeners) => followData(options, listeners),
  };
}

/** Files that have the anchors in them. */
const HAVE_ANCHORS: readonly (string | null)[] = ['authority.json', 'step-ca.json'];

function followData(
  { dataDir, context }: DataSourceOptions,
  { onAnchors, onProblem }: AnchorsListeners,
): AnchorsFollowing {
  const { clock, random } = context;
  const look = async (): Promise<void> => {
    try {
      onAnchors((await showStoredAuthority({ dataDir, clock, random })).trustAnchorsPem);
    } catch (error) {
      onProblem(error);
    }
  };
  const watcher = tryWatch(dataDir.path, (file) => {
    // Some file systems don't say which.
    if (file === null || HAVE_ANCHORS.includes(file)) void look();
  });
  return { look, end: () => watcher?.close() };
}

/** Undefined where the file system gives no notices: looks find the change. */
function tryWatch(path: string, listener: (file: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, (_event, file) => listener(file));
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
