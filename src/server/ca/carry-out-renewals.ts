// Leaves that the operator wants replaced now (`cert --renew`): a fresh key and certificate for
// each connected sidecar that is meant, a few at a time.
import { inParts, type Logger } from '../../base/index.js';
import type { DataDir } from '../../data/index.js';
import {
  type LeafManager,
  listRenewalOrders,
  type RenewalOrder,
  removeRenewalOrder,
} from '../../leaves/index.js';

import { type NodeId, toNodeId } from '../../spiffe/index.js';

const AT_ONCE = 16;

export interface RenewalOrdersOptions {
  readonly dataDir: DataDir;
  readonly leaves: Pick<LeafManager, 'renewNow'>;
  readonly logger: Logger;
  /** The connected sidecars. */
  readonly nodes: () => readonly { readonly node: NodeId; readonly service: string }[];
}

/** Carries out what was ordered; an order goes only when it has been. */
export async function carryOutRenewals(options: RenewalOrdersOptions): Promise<void> {
  const { dataDir, leaves, logger, nodes } = options;
  for (const order of await listRenewalOrders(dataDir)) {
    const meant = nodes().filter((one) => isMeant(order, one));
    const renewed = await inParts(meant, {
      atOnce: AT_ONCE,
      work: ({ node }) => leaves.renewNow(node),
    });
    const count = renewed.filter(Boolean).length;
    // What failed is tried again by itself, as at any renewal.
    logger.info(
      { ...order, nodes: meant.length, renewed: count },
      'certificates renewed on demand',
    );
    await removeRenewalOrder(dataDir, order);
  }
}

function isMeant(
  { service, instance }: RenewalOrder,
  one: { readonly node: NodeId; readonly service: string },
): boolean {
  if (one.service !== service) return false;
  return instance === undefined || one.node === toNodeId({ service, instance });
}
