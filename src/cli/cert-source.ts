// Where `cert` gets its certificates. This source issues them itself, in the data folder, with the
// CA's key.

import { openStoredAuthority } from '../ca/step-ca/index.js';
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

/** A new certificate each time. @throws MeshError if there is none */
export type CertSource = () => Promise<Obtained>;

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
  return async () => {
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
    await recordHandedOut(dataDir, { certificate: leaf, service: name });
    await forgetEnded(dataDir, clock.now());
    return { ...leaf, anchorsPem: authority.trustAnchorsPem };
  };
}
