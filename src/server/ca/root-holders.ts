// Who still needs the old root though all connected sidecars have leaves of the new one.
import { type Clock, timesOf, toRfc3339 } from '../../base/index.js';
import { bundleNotedAtMs, type CaProgress, type LocalAuthority } from '../../ca/index.js';
import type { DataDir } from '../../data/index.js';
import { COMMANDS } from '../../terminal/index.js';

export type RootHolder = NonNullable<CaProgress['holders']>[number];

export interface RootHoldersOptions {
  readonly authority: Pick<LocalAuthority, 'change'>;
  readonly dataDir: DataDir;
  readonly clock: Clock;
  /** When the last certificate that was handed out before this time ends, ms since the epoch. */
  readonly handedOutEndMs: (beforeMs: number) => Promise<number | undefined>;
  /** Why nothing is begun now that can't be taken back, in words; undefined: it may be. */
  readonly hold?: () => string | undefined;
}

/** None where no root is being changed. */
export async function findRootHolders(options: RootHoldersOptions): Promise<readonly RootHolder[]> {
  const { authority, clock, dataDir, handedOutEndMs, hold } = options;
  const { change } = authority;
  if (change === undefined) return [];
  const held = hold?.();
  const holders: RootHolder[] = held === undefined ? [] : [{ text: held }];
  const endMs = await handedOutEndMs(change.sinceMs);
  if (endMs !== undefined && endMs > timesOf(clock).earliestMs) {
    const text = `a certificate handed out until ${toRfc3339(endMs)}`;
    holders.push({ text, untilMs: endMs });
  }
  const notedAtMs = await bundleNotedAtMs(dataDir);
  if (notedAtMs !== undefined && notedAtMs < change.beganAtMs) {
    holders.push({ text: `whoever holds a bundle of the old root: ${COMMANDS.finishRotation}` });
  }
  return holders;
}
