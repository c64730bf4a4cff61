// Before a token key is retired, or given a short time to live: who joined by its tokens and could
// not join again. A connected sidecar goes on, so nobody would notice before the next restart.
import { DAY_MS, MeshError, toRfc3339 } from '../base/index.js';
import type { DataDir } from '../data/index.js';
import { listHandedOut } from '../leaves/index.js';
import { type Context, writeLine } from '../terminal/index.js';
import {
  listIssued,
  listTokenKeys,
  openSidecarsFile,
  type SeenSidecar,
  type TokenKeyInfo,
} from '../tokens/index.js';
import { count } from './problems.js';

/** What is to be done to the keys. */
export type KeyChange =
  | { readonly kind: 'rotate'; readonly overlapMs: number }
  | { readonly kind: 'retire'; readonly id: string };

/** Who has longer than this gets a new token in time: the outage horizon warns as early. */
const SOON_MS = 14 * DAY_MS;
const NAMED = 10;

interface Cut {
  /** When the tokens are refused that would be good for longer. */
  readonly atMs: number;
  /** Nodes, and clients that got a certificate by such a token. */
  readonly holders: readonly string[];
  /** Tokens that nobody is known to have joined by. */
  readonly others: number;
}

/**
 * Says whom the change locks out.
 * @throws MeshError confirmation-missing where that is soon, and `yes` isn't given
 */
export async function warnOfLockout(
  change: KeyChange,
  { dataDir, yes }: { readonly dataDir: DataDir; readonly yes: boolean },
  { clock, stderr }: Pick<Context, 'clock' | 'stderr'>,
): Promise<void> {
  const nowMs = clock.now();
  const keys = await listTokenKeys({ dataDir, clock });
  const ends = toEnds(change, keys, nowMs);
  if (ends.size === 0) return;
  const cut = await findCut(dataDir, ends, nowMs);
  const isSoon = cut.atMs < nowMs + SOON_MS;
  const at = toRfc3339(cut.atMs);
  if (cut.holders.length > 0) {
    const named = cut.holders.slice(0, NAMED).join(', ');
    const more = cut.holders.length - NAMED;
    const who = more > 0 ? `${named}, and ${more} more` : named;
    const what = `${who} joined by tokens that are refused from ${at} on`;
    if (isSoon && !yes) {
      throw new MeshError('confirmation-missing', `expected --yes: ${what}`, {
        hint:
          change.kind === 'rotate'
            ? 'give a longer --overlap, and them new tokens within it; --yes goes on all the same'
            : 'give them new tokens first (`countersign token`); --yes goes on all the same',
      });
    }
    writeLine(stderr, `warning: ${what}: they can't join again without new ones`);
  }
  if (isSoon && cut.others > 0) {
    const verb = cut.others === 1 ? 'is' : 'are';
    const what = `${count(cut.others, 'token')} that nobody is known to have joined by`;
    writeLine(stderr, `warning: ${what} ${verb} refused from ${at} on`);
  }
}

interface Ends {
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** By key, as it was and as it will be; those alone whose tokens end earlier. */
function toEnds(
  change: KeyChange,
  keys: readonly TokenKeyInfo[],
  nowMs: number,
): ReadonlyMap<string, Ends> {
  const wantedMs = change.kind === 'rotate' ? nowMs + change.overlapMs : nowMs;
  // The key that signs can't be retired: that is refused afterwards.
  const meant = keys.filter(
    ({ id, state }) => change.kind === 'rotate' || (id === change.id && state !== 'signing'),
  );
  return new Map(
    meant.flatMap(({ id, verifyUntilMs = Number.POSITIVE_INFINITY }): [string, Ends][] =>
      verifyUntilMs <= wantedMs ? [] : [[id, { beforeMs: verifyUntilMs, afterMs: wantedMs }]],
    ),
  );
}

async function findCut(
  dataDir: DataDir,
  ends: ReadonlyMap<string, Ends>,
  nowMs: number,
): Promise<Cut> {
  const isCut = ({ keyId, expiresAtMs }: { keyId: string; expiresAtMs: number }): boolean => {
    const end = ends.get(keyId);
    if (end === undefined) return false;
    const goodUntilMs = Math.min(end.beforeMs, expiresAtMs);
    return goodUntilMs > nowMs && goodUntilMs > end.afterMs;
  };
  const sidecars = (await trySidecars(dataDir)).filter(({ token }) => token && isCut(token));
  const issued = (await listIssued(dataDir, nowMs)).filter(isCut);
  const ids = new Set(issued.map(({ id }) => id));
  const clients = (await listHandedOut(dataDir)).flatMap(
    ({ service, credential, origin, notAfterMs }) => {
      const id = [credential, origin].find((one) => one?.kind === 'token' && ids.has(one.id));
      return id?.kind === 'token' && notAfterMs > nowMs ? [{ service, id: id.id }] : [];
    },
  );
  const used = new Set([...sidecars.map(({ token }) => token?.id), ...clients.map(({ id }) => id)]);
  return {
    atMs: Math.min(...[...ends.values()].map(({ afterMs }) => afterMs)),
    holders: [
      ...new Set([
        ...sidecars.map(({ node }) => node),
        ...clients.map(({ service, id }) => `a client of ${service} (token ${id})`),
      ]),
    ].sort(),
    others: issued.filter(({ id }) => !used.has(id)).length,
  };
}

/** A record that is damaged must not keep a key from being retired that was stolen. */
async function trySidecars(dataDir: DataDir): Promise<readonly SeenSidecar[]> {
  try {
    return (await openSidecarsFile(dataDir).read())?.sidecars ?? [];
  } catch (error) {
    if (error instanceof MeshError && error.code === 'data-damaged') return [];
    throw error;
  }
}
