// Leaves that the operator wants replaced now (`cert --renew`): a fresh key and certificate for
// each sidecar that is meant, a few at a time. A leaf that was issued after the order was given
// serves it: so an order that is carried out again, after a kill, renews nothing twice.
import { inParts, type Logger } from '../../base/index.js';
import type { Answered, OrderDesk } from '../../data/orders/index.js';
import {
  type LeafManager,
  RENEW_LEAVES,
  type RenewalOrder,
  type RenewalReport,
} from '../../leaves/index.js';

import { type NodeId, splitNodeId, toNodeId } from '../../spiffe/index.js';

const AT_ONCE = 16;

export interface RenewalOrdersOptions {
  readonly leaves: Pick<LeafManager, 'renewNow' | 'get'>;
  readonly logger: Logger;
  /** The connected sidecars. */
  readonly nodes: () => readonly { readonly node: NodeId; readonly service: string }[];
  /** Nodes that were connected a moment ago, and are expected back. */
  readonly missing: () => readonly NodeId[];
}

/** Takes orders to renew leaves from now on. */
export function takeRenewalOrders(desk: OrderDesk, options: RenewalOrdersOptions): void {
  const { leaves, logger, nodes, missing } = options;
  /** By order: nodes that were renewed, or will be as at any renewal. */
  const asked = new Map<string, Set<NodeId>>();
  desk.register(RENEW_LEAVES, async ({ id, givenAtMs, payload }) => {
    const connected = nodes()
      .filter(({ service }) => service === payload.service)
      .map(({ node }) => node);
    // Two Envoys may share a node: a sidecar, and one that takes secrets alone.
    const meant = [...new Set(connected)].filter((node) => isMeant(payload, node));
    // One that went and came back is asked for again.
    const tried = new Set(meant.filter((node) => asked.get(id)?.has(node)));
    const isNew = (node: NodeId): boolean => (leaves.get(node)?.issuedAtMs ?? 0) >= givenAtMs;
    const due = meant.filter(
      (node) => leaves.get(node) !== undefined && !tried.has(node) && !isNew(node),
    );
    const renewed = await inParts(due, {
      atOnce: AT_ONCE,
      work: async (node) => ((await leaves.renewNow(node)) ? node : undefined),
    });
    for (const node of due) tried.add(node);
    asked.set(id, tried);
    const done = renewed.filter((node) => node !== undefined);
    if (due.length > 0) {
      const fields = { ...payload, nodes: due.length, renewed: done.length };
      logger.info(fields, 'certificates renewed on demand');
    }
    const isDone = (node: NodeId): boolean => done.includes(node) || isNew(node);
    const away = missing().filter((node) => isMeant(payload, node) && !meant.includes(node));
    const report = {
      renewed: meant.filter(isDone),
      waitingFor: [...meant.filter((node) => !isDone(node)), ...away],
    };
    const answer = toAnswer(payload, report);
    if (answer.state === 'done') asked.delete(id);
    return answer;
  });
}

function toAnswer(order: RenewalOrder, report: RenewalReport): Answered<RenewalReport> {
  if (report.waitingFor.length > 0) return { state: 'waiting', report };
  if (report.renewed.length > 0) return { state: 'done', report };
  const { service, instance } = order;
  const who = instance === undefined ? service : toNodeId({ service, instance });
  return { state: 'waiting', report: { ...report, waitingFor: [who] } };
}

function isMeant({ service, instance }: RenewalOrder, node: NodeId): boolean {
  const { service: own } = splitNodeId(node);
  return own === service && (instance === undefined || node === toNodeId({ service, instance }));
}
