// Who still depends on the root of a change that goes: whom its end cuts off. What the data folder
// knows, and what its server says of connected sidecars.
import { toRfc3339 } from '../base/index.js';
import { type CaProgress, staleBundleAtMs, WATCH_ROOT } from '../ca/change/index.js';
import type { readAuthority } from '../ca/index.js';
import type { DataDir } from '../data/index.js';
import { createOrderStore, giveOrder } from '../data/orders/index.js';
import { LeafStore, listUnreplaced } from '../leaves/index.js';
import type { Context } from '../terminal/index.js';
import { hearAnswer } from './order-answer.js';

export interface Dependent {
  readonly kind: 'sidecar' | 'certificate' | 'bundle';
  /** Who, and by what. */
  readonly text: string;
}

type OwnAuthority = Awaited<ReturnType<typeof readAuthority>>;
type Tools = Pick<Context, 'clock' | 'random' | 'onStop'>;

/** Of what the folder knows; none where no new root signs yet: then all do. */
export async function findDependents(
  authority: OwnAuthority,
  dataDir: DataDir,
  { clock }: Pick<Tools, 'clock'>,
): Promise<readonly Dependent[]> {
  const { change } = authority;
  if (change?.stage !== 'sign') return [];
  const nowMs = clock.now();
  const { nodes } = await new LeafStore(dataDir).certificates(nowMs);
  const sidecars = nodes
    .filter(({ certificates, chainPem }) => {
      return certificates.length > 0 && !authority.isCurrent(chainPem);
    })
    .map(({ node }) => toSidecar(node, 'its leaf is of the old root'));
  const certificates = await listUnreplaced(dataDir, {
    ...{ exceptBy: authority.currentIssuers, beforeMs: change.sinceMs, nowMs },
  });
  const bundleAtMs = await staleBundleAtMs(dataDir, change);
  return [
    ...sidecars.toSorted((a, b) => a.text.localeCompare(b.text)),
    ...certificates.map(toClient),
    ...(bundleAtMs === undefined ? [] : [toBundle(bundleAtMs)]),
  ];
}

/** The same with those that the folder's server waits for, where one runs. */
export async function askDependents(
  authority: OwnAuthority,
  dataDir: DataDir,
  tools: Tools,
): Promise<readonly Dependent[]> {
  const { change } = authority;
  const known = await findDependents(authority, dataDir, tools);
  if (change === undefined) return known;
  const { nodes: waits = [] } = (await askProgress(authority, dataDir, tools)) ?? {};
  const nodes = waits.map(({ node }) => node);
  const isNamed = (node: string): boolean => known.some(({ text }) => text.startsWith(`${node}:`));
  const others = nodes.filter((node) => !isNamed(node));
  return [...others.map((node) => toSidecar(node, 'it has not taken the new root')), ...known];
}

/** How far the change is by the folder's server; undefined: none answers, or no change is there. */
export async function askProgress(
  { change }: Pick<OwnAuthority, 'change'>,
  dataDir: DataDir,
  { clock, random, onStop }: Tools,
): Promise<CaProgress | undefined> {
  const store = createOrderStore(dataDir);
  if (change === undefined || !(await store.isServed())) return undefined;
  const payload = { rootSha256: change.goingRootSha256, point: 'gone' } as const;
  const order = { payload, deadlineMs: clock.now() + ASKING_MS };
  const { id } = await giveOrder(WATCH_ROOT, order, { store, clock, random });
  const answer = await hearAnswer(WATCH_ROOT, { id, dataDir }, { clock, onStop });
  await store.withdraw(id);
  return answer?.report;
}

const ASKING_MS = 60_000;

function toSidecar(node: string, why: string): Dependent {
  return { kind: 'sidecar', text: `${node}: ${why}` };
}

function toClient({
  service,
  serialHex,
  notAfterMs,
}: Awaited<ReturnType<typeof listUnreplaced>>[number]): Dependent {
  const what = `certificate ${serialHex}, until ${toRfc3339(notAfterMs)}`;
  return { kind: 'certificate', text: `a client of "${service}": ${what}` };
}

function toBundle(givenAtMs: number): Dependent {
  const text = `whoever has the bundle that \`ca bundle\` gave at ${toRfc3339(givenAtMs)}`;
  return { kind: 'bundle', text };
}
