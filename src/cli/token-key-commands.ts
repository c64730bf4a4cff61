// The keys that sign tokens: `token --rotate-key`, `--list-keys` and `--retire-key` show and change
// them. They work on the data folder, also while a server runs, which then takes a change over.
import { MeshError, toRfc3339 } from '../base/index.js';
import { type DataDir, openDataDir } from '../data/index.js';
import { type Context, toTable, writeLine } from '../terminal/index.js';
import {
  listTokenKeys,
  retireTokenKey,
  rotateTokenKey,
  TAKE_TOKEN_KEYS,
  type TokenKeyInfo,
  type TokenKeysReport,
} from '../tokens/index.js';
import {
  confirmFact,
  isUnconfirmed,
  reportUnconfirmed,
  UNCONFIRMED,
  type Unconfirmed,
} from './order-answer.js';
import { warnOfLockout } from './token-key-holders.js';

/** Exactly one of these is asked for. */
export type KeyOrder =
  | { readonly kind: 'rotate'; readonly overlapMs: number }
  | { readonly kind: 'retire'; readonly id: string }
  | { readonly kind: 'list'; readonly json: boolean };

/**
 * @param yes Goes on where sidecars would be locked out.
 * @throws MeshError usage, confirmation-missing, data-missing, data-locked,
 * data-damaged, data-unwritable
 */
export async function orderTokenKeys(
  order: KeyOrder,
  { data, yes = false }: { readonly data: string; readonly yes?: boolean },
  context: Context,
): Promise<void> {
  const { clock, random } = context;
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  switch (order.kind) {
    case 'rotate': {
      await warnOfLockout(order, { dataDir, yes }, context);
      const keys = await rotateTokenKey({ dataDir, clock, ...order });
      const id = keys[0]?.id ?? '';
      return confirm(dataDir, context, {
        lines: toRotationLines(keys),
        remark: 'make new tokens with `countersign token`; open streams are not cut',
        isTaken: ({ signing }) => signing === id,
      });
    }
    case 'retire':
      await warnOfLockout(order, { dataDir, yes }, context);
      await retireTokenKey({ dataDir, clock, ...order });
      return confirm(dataDir, context, {
        lines: [`key ${order.id} has ended: tokens that it signed are refused`],
        isTaken: ({ verifying }) => !verifying.includes(order.id),
      });
    case 'list':
      return printList(await listTokenKeys({ dataDir, clock }), order.json, context);
  }
}

interface StoredKeys {
  /** What is true as soon as the keys are in force. */
  readonly lines: readonly string[];
  readonly remark?: string;
  /** Whether the server reports these keys as the ones that it has. */
  readonly isTaken: (report: TokenKeysReport) => boolean;
}

/** Says what is stored, and whether the server of the folder has taken it over. */
async function confirm(
  dataDir: DataDir,
  context: Context,
  { lines, remark, isTaken }: StoredKeys,
): Promise<void> {
  const { stdout, stderr } = context;
  const heard = await confirmFact(TAKE_TOKEN_KEYS, dataDir, context);
  const confirmation = heard.state === 'taken' && !isTaken(heard.report) ? OTHER_KEYS : heard;
  if (isUnconfirmed(confirmation)) {
    writeLine(stdout, `${UNCONFIRMED[confirmation.state]}:`);
    for (const line of lines) writeLine(stdout, `  ${line}`);
    reportUnconfirmed(confirmation, 'it tries again by itself; its log says when', context);
    return;
  }
  for (const line of lines) writeLine(stdout, line);
  if (remark !== undefined) writeLine(stderr, remark);
  writeLine(
    stderr,
    confirmation.state === 'taken'
      ? `the server has taken this over, and signs with key ${confirmation.report.signing}`
      : 'stored; no server runs on this data folder: it takes effect when one starts',
  );
}

const OTHER_KEYS: Unconfirmed = {
  state: 'refused',
  error: new MeshError('server-error', 'expected the server to use these keys but it has others', {
    hint: 'see its log: it keeps its keys if it cannot read the new ones',
  }),
};

function toRotationLines([signing, ...older]: readonly TokenKeyInfo[]): readonly string[] {
  const good = older.flatMap(({ id, state, verifyUntilMs }) =>
    state === 'ended' || verifyUntilMs === undefined
      ? []
      : [`tokens of key ${id} are good until ${toRfc3339(verifyUntilMs)}`],
  );
  return [`key ${signing?.id ?? ''} signs from now on`, ...good];
}

function printList(keys: readonly TokenKeyInfo[], json: boolean, { stdout }: Context): void {
  if (json) {
    const shown = keys.map(({ id, state, createdAtMs, verifyUntilMs }) => ({
      id,
      state,
      createdAt: toRfc3339(createdAtMs),
      verifyUntil: verifyUntilMs === undefined ? null : toRfc3339(verifyUntilMs),
    }));
    writeLine(stdout, JSON.stringify({ keys: shown }, undefined, 2));
    return;
  }
  if (keys.length === 0) {
    writeLine(stdout, 'there is no token key yet');
    return;
  }
  const rows = keys.map(({ id, state, createdAtMs, verifyUntilMs }) => [
    id,
    state,
    toRfc3339(createdAtMs),
    verifyUntilMs === undefined ? '-' : toRfc3339(verifyUntilMs),
  ]);
  for (const line of toTable([['KEY', 'STATE', 'MADE', 'VERIFIES UNTIL'], ...rows])) {
    writeLine(stdout, line);
  }
}
