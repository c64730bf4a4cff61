// The operator's word that leaves are to be replaced now, whatever their age: a file in
// `renewal-orders/` for the server, which removes it when it has been carried out. An order of a
// service or of one instance; two of the same are one.
import { z } from 'zod';
import type { DataDir } from '../data/index.js';
import { parseStored } from '../data/index.js';
import { sha256Hex } from '../x509/keys/index.js';

export const RENEWAL_ORDERS_FOLDER = 'renewal-orders';
const NAME_LENGTH = 32;

const schema = z.strictObject({
  version: z.literal(1),
  service: z.string(),
  instance: z.string().optional(),
});

export interface RenewalOrder {
  readonly service: string;
  /** Undefined: every instance. */
  readonly instance?: string | undefined;
}

/** Durable when the promise resolves. @throws MeshError data-unwritable */
export async function addRenewalOrder(dataDir: DataDir, order: RenewalOrder): Promise<void> {
  await dataDir.write(toName(order), `${JSON.stringify({ version: 1, ...order })}\n`);
}

/** @throws MeshError data-damaged, data-unreadable */
export async function listRenewalOrders(dataDir: DataDir): Promise<readonly RenewalOrder[]> {
  const orders: RenewalOrder[] = [];
  for (const file of await dataDir.list(RENEWAL_ORDERS_FOLDER)) {
    const name = `${RENEWAL_ORDERS_FOLDER}/${file}`;
    const stored = await parseStored({ dataDir, name, schema });
    if (stored !== undefined) orders.push({ service: stored.service, instance: stored.instance });
  }
  return orders;
}

/** @throws MeshError data-unwritable */
export async function removeRenewalOrder(dataDir: DataDir, order: RenewalOrder): Promise<void> {
  await dataDir.remove(toName(order));
}

function toName({ service, instance }: RenewalOrder): string {
  const hash = sha256Hex(JSON.stringify([service, instance ?? null]));
  return `${RENEWAL_ORDERS_FOLDER}/${hash.slice(0, NAME_LENGTH)}.json`;
}
