// Who still needs the root that goes though all connected sidecars have leaves of the other one.
// Where the operator says that it is bad, clients without a sidecar are not waited for.
import { type Clock, timesOf, toRfc3339 } from '../../base/index.js';
import { type CaProgress, staleBundleAtMs } from '../../ca/change/index.js';
import type { LocalAuthority } from '../../ca/index.js';
import type { DataDir } from '../../data/index.js';
import type { OlderThan } from '../../leaves/index.js';
import { COMMANDS } from '../../terminal/index.js';

export type RootHolder = NonNullable<CaProgress['holders']>[number];

export interface RootHoldersOptions {
  readonly authority: Pick<LocalAuthority, 'change' | 'currentIssuers'>;
  readonly dataDir: DataDir;
  readonly clock: Clock;
  /** When the last certificate ends that was handed out by another CA, ms since the epoch. */
  readonly handedOutEndMs: (than: OlderThan) => Promise<number | undefined>;
  /** Why nothing is begun now that can't be taken back, in words; undefined: it may be. */
  readonly hold?: () => string | undefined;
}

/** None where no root is being changed. */
export async function findRootHolders(options: RootHoldersOptions): Promise<readonly RootHolder[]> {
  const { authority, clock, dataDir, handedOutEndMs, hold } = options;
  const { change, currentIssuers: exceptBy } = authority;
  if (change === undefined) return [];
  const held = hold?.();
  const holders: RootHolder[] = held === undefined ? [] : [{ text: held }];
  if (change.isTainted) return holders;
  const endMs = await handedOutEndMs({ beforeMs: change.sinceMs, exceptBy });
  if (endMs !== undefined && endMs > timesOf(clock).earliestMs) {
    const text = `a certificate handed out until ${toRfc3339(endMs)}`;
    holders.push({ text, untilMs: endMs });
  }
  if ((await staleBundleAtMs(dataDir, change)) !== undefined) {
    holders.push({ text: `whoever holds a bundle of the old root: ${COMMANDS.finishRotation}` });
  }
  return holders;
}
