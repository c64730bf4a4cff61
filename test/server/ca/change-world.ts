// A change of root on a folder in memory, with sidecars that say what the test says.
import { onTestFinished } from 'vitest';
import type { Random } from '../../../src/base/index.js';
import { createCaChainUnder } from '../../../src/ca/authority-material.js';
import {
  askFinish,
  offerCaChain,
  type RootPoint,
  STEER_CA,
  WATCH_ROOT,
} from '../../../src/ca/change/index.js';
import {
  type CaChain,
  type CaStep,
  type ChangeGoal,
  createCaChain,
  loadOrCreateAuthority,
} from '../../../src/ca/index.js';
import { createOrderStore, giveOrder, OrderDesk } from '../../../src/data/orders/index.js';
import { lastHandedOutEndMs, recordHandedOut } from '../../../src/leaves/index.js';
import { CaChange, type CaProxy, takeCaOrders } from '../../../src/server/ca/index.js';
import { toIssuer } from '../../../src/x509/issue/index.js';
import { generateKeys, sha256Hex } from '../../../src/x509/keys/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { MemoryDataDir, WEB } from '../../x509/tools.js';

export const DOMAIN = 'shop.example';
export const HOUR_MS = 3_600_000;

export async function setUpChange() {
  const clock = new ManualClock();
  const random = seededRandom('ca-change');
  const dataDir = new MemoryDataDir();
  const logger = recordingLogger();
  const store = createOrderStore(dataDir);
  const tools = { clock, random, keySource: generateKeys };
  const options = { dataDir, clock, random, trustDomain: DOMAIN };
  const world = {
    proxies: [] as CaProxy[],
    changes: 0,
    urgent: 0,
    held: undefined as string | undefined,
  };
  const hold = (held: string | undefined): void => {
    world.held = held;
  };
  const open = async () => {
    const { authority } = await loadOrCreateAuthority(options);
    const change = new CaChange({
      ...{ authority, dataDir, clock, logger },
      proxies: () => world.proxies,
      handedOutEndMs: (than) => lastHandedOutEndMs(dataDir, than),
      hold: () => world.held,
      onChange: (isUrgent) => {
        world.changes++;
        if (isUrgent) world.urgent++;
      },
    });
    onTestFinished(() => change.stop());
    const desk = new OrderDesk({ store, clock, logger });
    const orders = { authority, caChange: change, clock, passphrase: undefined };
    takeCaOrders(desk, { ...orders, hold: () => world.held });
    return { authority, change, look: () => desk.look() };
  };
  const chain = await createCaChain(DOMAIN, tools);
  const handOut = async (ttlMs: number, from: Awaited<ReturnType<typeof open>>['authority']) => {
    const request = { spiffeId: WEB, dnsNames: [], ttlMs, key: 'ecdsa-p256' } as const;
    const certificate = await from.issueLeaf(request);
    await recordHandedOut(dataDir, { certificate, service: 'web' });
  };
  const orders = toOrders(chain, { dataDir, clock, random });
  return {
    clock,
    dataDir,
    logger,
    world,
    open,
    chain,
    handOut,
    hold,
    ...orders,
    ...(await open()),
  };
}

/** What commands leave for the server, about the change to that chain. */
function toOrders(
  chain: CaChain,
  tools: { readonly dataDir: MemoryDataDir; readonly clock: ManualClock; readonly random: Random },
) {
  const { dataDir, clock, random } = tools;
  const store = createOrderStore(dataDir);
  const rootSha256 = sha256Hex(chain.root.facts.der);
  type Server = { readonly look: () => Promise<void> };
  const answerOf = async (id: string, { look }: Server) => {
    await look();
    return (await store.receipt(id))?.answer;
  };
  return {
    offer: (offered: CaChain, until?: ChangeGoal) =>
      offerCaChain(store, offered, { clock, random, until }),
    finish: (root: string) => askFinish(store, root, { clock, random }),
    /** Names of the orders that wait. */
    waiting: () =>
      [...dataDir.files.keys()].filter((name) => /^orders\/[0-9a-f]+\.json$/.test(name)),
    /** The operator's word, and what the server answers. */
    async steer(step: CaStep, server: Server) {
      const payload = { rootSha256, step };
      const { id } = await giveOrder(STEER_CA, { payload }, { store, clock, random });
      return answerOf(id, server);
    },
    receiptOf: async (id: string) => (await store.receipt(id))?.answer,
    async watch(point: RootPoint, server: Server) {
      const payload = { rootSha256, point };
      const { id } = await giveOrder(WATCH_ROOT, { payload }, { store, clock, random });
      const answer = await answerOf(id, server);
      await store.withdraw(id);
      return answer;
    },
  };
}

export const proxy = (change: Partial<CaProxy> = {}): CaProxy => ({
  node: 'web~1',
  state: 'synced',
  isCurrent: true,
  hasLeaf: true,
  ...change,
});

/** It has no leaf of the root that signs now. */
export const STALE = proxy({ isCurrent: false });
/** It answers nothing. */
export const MUTE = proxy({ state: 'pending' });

/** With one proxy, a root that is prepared and trusted. */
export async function prepared() {
  const world = await setUpChange();
  world.world.proxies = [proxy()];
  await world.offer(world.chain, 'trust');
  await world.look();
  return { ...world, oldRoots: world.authority.trustAnchorsPem.replace(world.chain.root.pem, '') };
}

/** The same, where the new root signs. */
export async function activated() {
  const world = await prepared();
  world.world.proxies = [STALE];
  await world.steer('sign', world);
  return world;
}

/** Another issuing CA under the root of that chain. */
export function sameRoot({ root, rootKeyPem = '' }: CaChain, clock: ManualClock): Promise<CaChain> {
  const tools = { clock, random: seededRandom('same-root'), keySource: generateKeys };
  return createCaChainUnder({ trustDomain: DOMAIN, root: toIssuer(root, rootKeyPem) }, tools);
}
