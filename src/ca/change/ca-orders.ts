// What a command wants of the authority of a running server, which alone may change its file: to
// take over another CA, to go on with the change or back, to let the old root go, or to say how far
// the change is. The keys of an
// offered CA are encrypted under the operator's passphrase, where there is one, as in
// `authority.json`.
import { z } from 'zod';
import { MeshError } from '../../base/index.js';
import { createJsonStore, type DataDir } from '../../data/index.js';
import { giveOrder, type OrderKind, type OrderStore } from '../../data/orders/index.js';
import {
  type AuthorityTools,
  type CaChain,
  type CaStep,
  type ChangeGoal,
  caChainProblems,
  caChainSchema,
  fromCaChain,
  isPassphraseError,
  type StoredCaChain,
  toCaChain,
} from '../index.js';

/** Hex SHA-256 of a root's certificate. */
const rootSha256 = z.string();
const root = z.strictObject({ rootSha256 });
const goal = z.enum(['trust', 'sign', 'end']);
const progress = z.strictObject({
  /** Absent: another change is under way, and this one waits for its end; or none is. */
  stage: z.enum(['trust', 'sign']).optional(),
  /** How far it goes by itself. */
  until: goal.optional(),
  isBack: z.boolean().optional(),
  isTainted: z.boolean().optional(),
  /** Nodes, or what else holds the change up, in words. */
  waitingFor: z.array(z.string()),
  /** The same nodes, with the time since when each is waited for. */
  nodes: z.array(z.strictObject({ node: z.string(), sinceMs: z.number() })).optional(),
  /** What keeps the old root though no connected sidecar does; present where there is some. */
  holders: z
    .array(
      z.strictObject({
        text: z.string(),
        /** When it lets go by itself, ms since the epoch; absent: never. */
        untilMs: z.number().optional(),
      }),
    )
    .optional(),
});

/** How far a change of root is. */
export type CaProgress = z.infer<typeof progress>;

const offered = caChainSchema.extend({
  /** `trust`: it is prepared alone. Absent: to the end. */
  until: goal.optional(),
});

/** Done as soon as the CA is stored as the next one: see `WATCH_ROOT`. */
export const TAKE_CA: OrderKind<z.infer<typeof offered>, CaProgress> = {
  name: 'take-ca',
  payload: offered,
  report: progress,
};

/** The operator's word that this old root may go. */
export const FINISH_CA: OrderKind<{ rootSha256: string }, CaProgress> = {
  name: 'finish-ca',
  payload: root,
  report: progress,
};

/** The operator's word on the change to this new root. Done as soon as that is stored. */
export const STEER_CA: OrderKind<{ rootSha256: string; step: CaStep }, CaProgress> = {
  name: 'steer-ca',
  payload: z.strictObject({ rootSha256, step: z.enum(['sign', 'end', 'taint', 'abort']) }),
  report: progress,
};

/**
 * Where a root is: trusted by every sidecar, signing the leaf of every sidecar, alone, or gone.
 */
export type RootPoint = 'trusted' | 'signing' | 'alone' | 'gone';

/** Done when this root is there; until then the receipt says how far it is. */
export const WATCH_ROOT: OrderKind<{ rootSha256: string; point: RootPoint }, CaProgress> = {
  name: 'watch-root',
  payload: z.strictObject({
    rootSha256,
    point: z.enum(['trusted', 'signing', 'alone', 'gone']),
  }),
  report: progress,
};

/**
 * Offers a CA to the server; the order's id.
 * @throws MeshError request-invalid where another waits already; data-unwritable
 */
export async function offerCaChain(
  store: OrderStore,
  chain: CaChain,
  tools: Pick<AuthorityTools, 'clock' | 'random'> & {
    readonly passphrase?: string | undefined;
    readonly until?: ChangeGoal | undefined;
  },
): Promise<string> {
  const waiting = (await store.pending()).find((one) => {
    return one.error === undefined && one.order.kind === TAKE_CA.name;
  });
  if (waiting !== undefined) {
    const file = `orders/${waiting.id}.json`;
    const message = `expected no change of CA to wait in ${store.place} but there is one`;
    throw new MeshError('request-invalid', message, {
      hint: `the server takes it over when it runs; remove ${file} to withdraw it`,
    });
  }
  const { until, passphrase } = tools;
  const payload = { ...fromCaChain(chain, passphrase), ...(until === undefined ? {} : { until }) };
  return (await giveOrder(TAKE_CA, { payload }, { store, ...tools })).id;
}

/**
 * The CA of an order, checked.
 * @throws MeshError certificate-invalid, passphrase-missing, passphrase-wrong
 */
export function openOffer(
  payload: StoredCaChain,
  options: {
    readonly passphrase: string | undefined;
    readonly trustDomain: string;
    readonly nowMs: number;
  },
): CaChain {
  const chain = tryOpen(payload, options.passphrase);
  const problems = caChainProblems(chain, options);
  if (problems.length === 0) return chain;
  throw new MeshError('certificate-invalid', `the offered CA: ${problems.join('; ')}`);
}

function tryOpen(payload: StoredCaChain, passphrase: string | undefined): CaChain {
  try {
    return toCaChain(payload, passphrase);
  } catch (error) {
    if (!(error instanceof MeshError)) {
      const message = 'the offered CA: expected its keys but got other text';
      throw new MeshError('certificate-invalid', message);
    }
    const message = `the offered CA: ${error.message}`;
    const { code } = error;
    if (!isPassphraseError(error)) throw new MeshError(code, message);
    throw new MeshError(code, message, { variant: 'offered-ca' });
  }
}

/** The operator's word that this root may go; the order's id. @throws MeshError data-unwritable */
export async function askFinish(
  store: OrderStore,
  rootSha256: string,
  tools: Pick<AuthorityTools, 'clock' | 'random'>,
): Promise<string> {
  return (await giveOrder(FINISH_CA, { payload: { rootSha256 } }, { store, ...tools })).id;
}

const NEXT = 'authority-next.json';
const FINISH = 'authority-finish.json';

/** What commands of an earlier version left, as orders. @throws MeshError data-damaged */
export async function adoptCaFiles(
  dataDir: DataDir,
  tools: Pick<AuthorityTools, 'clock' | 'random'> & { readonly store: OrderStore },
): Promise<void> {
  const next = createJsonStore({ dataDir, name: NEXT, schema: caChainSchema, version: 1 });
  const chain = await next.read();
  if (chain !== undefined) await giveOrder(TAKE_CA, { payload: chain }, tools);
  await dataDir.remove(NEXT);
  const schema = z.strictObject({ oldRootSha256: z.string() });
  const finish = await createJsonStore({ dataDir, name: FINISH, schema, version: 1 }).read();
  if (finish !== undefined) await askFinish(tools.store, finish.oldRootSha256, tools);
  await dataDir.remove(FINISH);
}
