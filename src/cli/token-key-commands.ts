// The keys that sign tokens, as `token --rotate-key`, `--list-keys` and `--retire-key` show and
// change them. They work on the data folder beside a running server, which takes a change over.
import { toRfc3339 } from '../base/index.js';
import { type DataDir, openDataDir } from '../data/index.js';
import { type Context, toTable, writeLine } from '../terminal/index.js';
import {
  listTokenKeys,
  retireTokenKey,
  rotateTokenKey,
  TAKE_TOKEN_KEYS,
  type TokenKeyInfo,
} from '../tokens/index.js';
import { confirmFact } from './order-answer.js';

/** What is asked for; exactly one. */
export type KeyOrder =
  | { readonly kind: 'rotate'; readonly overlapMs: number }
  | { readonly kind: 'retire'; readonly id: string }
  | { readonly kind: 'list'; readonly json: boolean };

/** @throws MeshError usage, data-missing, data-locked, data-damaged, data-unwritable */
export async function orderTokenKeys(
  order: KeyOrder,
  dataPath: string,
  context: Context,
): Promise<void> {
  const { clock, random, stdout } = context;
  const dataDir = await openDataDir({ path: dataPath, lock: false, create: false, random });
  switch (order.kind) {
    case 'rotate':
      tellRotation(await rotateTokenKey({ dataDir, clock, ...order }), context);
      return confirm(dataDir, context);
    case 'retire':
      await retireTokenKey({ dataDir, clock, ...order });
      writeLine(stdout, `key ${order.id} has ended: tokens that it signed are refused`);
      return confirm(dataDir, context);
    case 'list':
      return printList(await listTokenKeys({ dataDir, clock }), order.json, context);
  }
}

/** Says whether the server of the folder has taken the keys over. */
async function confirm(dataDir: DataDir, context: Context): Promise<void> {
  const { stderr } = context;
  const answer = await confirmFact(TAKE_TOKEN_KEYS, dataDir, context);
  if (answer === undefined) {
    writeLine(stderr, 'stored; no server has answered: one takes it over when it runs');
    return;
  }
  writeLine(stderr, `the server has taken it over: it signs by ${answer.report.signing}`);
}

function tellRotation(keys: readonly TokenKeyInfo[], { stdout, stderr }: Context): void {
  const [signing, ...older] = keys;
  writeLine(stdout, `key ${signing?.id ?? ''} signs from now on`);
  for (const { id, state, verifyUntilMs } of older) {
    if (state === 'ended' || verifyUntilMs === undefined) continue;
    writeLine(stdout, `tokens of key ${id} are good until ${toRfc3339(verifyUntilMs)}`);
  }
  writeLine(stderr, 'make new tokens with `countersign token`; open streams are not cut');
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
    writeLine(stdout, 'no token key was made yet');
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
