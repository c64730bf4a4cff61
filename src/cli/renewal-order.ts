// `cert --renew`: leaves the order for the server, which looks at its data folder every 2 s at the
// latest. Whether it has been carried out is the server's to show.

import { openDataDir } from '../data/index.js';
import { addRenewalOrder } from '../leaves/index.js';
import type { ServiceName } from '../policy/index.js';
import { type Context, writeLine } from '../terminal/index.js';
import { usage } from './options.js';
import { findService, loadStoredMesh } from './stored-mesh.js';

export interface RenewalRequest {
  readonly service: ServiceName | undefined;
  readonly instance?: string;
  readonly data: string;
  /** Nothing was asked for beside it. */
  readonly isAlone: boolean;
}

/** @throws MeshError usage, service-unknown, data-missing, data-unwritable */
export async function orderRenewal(
  { service, instance, data, isAlone }: RenewalRequest,
  { random, stdout }: Context,
): Promise<void> {
  if (service === undefined || !isAlone) {
    throw usage('expected a service alone with --renew', 'countersign cert web --renew');
  }
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  findService(await loadStoredMesh(dataDir), service);
  await addRenewalOrder(dataDir, { service, instance });
  const who = instance === undefined ? 'every connected sidecar' : `instance ${instance}`;
  writeLine(stdout, `the server makes a new certificate for ${who} of ${service}`);
}
