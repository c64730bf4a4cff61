// Makes a new root and offers it to the server of the data folder, and gives the operator's word on
// the change that follows.

import { offerCaChain, STEER_CA, TAKE_CA } from '../ca/change/index.js';
import { type CaStep, type ChangeGoal, createCaChain, loadAuthority } from '../ca/index.js';
import { type Answer, createOrderStore, giveOrder, unanswered } from '../data/orders/index.js';
import { writeLine } from '../terminal/index.js';
import { generateKeys, sha256Hex } from '../x509/keys/index.js';
import { hearAnswer, toWayOn } from './order-answer.js';
import { tryCaPassphrase } from './passphrase.js';
import type { Place } from './root-wait.js';

interface NewRoot {
  /** Whether the server has taken it over. */
  readonly isTaken: boolean;
  readonly rootSha256: string;
}

const TAKEN: Readonly<Record<'trust' | 'end', string>> = {
  trust:
    'the server has taken over a new root: proxies come to trust it, and nothing is signed by it',
  end: 'the server has taken over a new root, which replaces the old one in stages',
};
const WAITS: Readonly<Record<'trust' | 'end', string>> = {
  trust: 'a new root waits for the server, which prepares it',
  end: 'a new root waits for the server, which takes it over in stages',
};

/** @throws MeshError order-unanswered where it is to be waited for and no server answers */
export async function offerNewRoot(
  { dataDir, context, options }: Place,
  how: { readonly until: ChangeGoal & ('trust' | 'end'); readonly caPassphraseFile?: string },
): Promise<NewRoot> {
  const { stdout, clock, random } = context;
  const { until } = how;
  const passphrase = tryCaPassphrase(how.caPassphraseFile);
  // Whether that passphrase opens the keys that are there.
  const { trustDomain } = await loadAuthority({ dataDir, clock, random, passphrase });
  const chain = await createCaChain(trustDomain, { clock, random, keySource: generateKeys });
  const rootSha256 = sha256Hex(chain.root.facts.der);
  const store = createOrderStore(dataDir);
  const goal = until === 'end' ? {} : { until };
  const id = await offerCaChain(store, chain, { ...context, passphrase, ...goal });
  const wait = {
    until: ({ state }: Answer) => options.wait !== true || state !== 'waiting',
    ...(options.wait === true ? { limitMs: options.timeout + TAKING_MS } : {}),
  };
  const answer = await hearAnswer(TAKE_CA, { id, dataDir }, { ...context, ...wait });
  if (answer?.state === 'done') {
    writeLine(stdout, TAKEN[until]);
    return { isTaken: true, rootSha256 };
  }
  writeLine(stdout, WAITS[until]);
  if (answer !== undefined) {
    writeLine(stdout, `the server waits for ${answer.report.waitingFor.join(', ')}`);
    return { isTaken: false, rootSha256 };
  }
  if (options.wait === true) throw await unanswered(store, toWayOn(id));
  writeLine(stdout, `stored; no server has answered: ${toWayOn(id)}`);
  return { isTaken: false, rootSha256 };
}

export interface Steering {
  /** The new root of the change. */
  readonly rootSha256: string;
  readonly step: CaStep;
  /** What to print when the server has taken it. */
  readonly taken: string;
  /** Without a server nothing is done, and that is an error. */
  readonly isUrgent?: boolean;
}

/** @throws MeshError what the server refused it for; order-unanswered */
export async function steer(
  { dataDir, context, options }: Place,
  { rootSha256, step, taken, isUrgent = false }: Steering,
): Promise<void> {
  const { clock, random, stdout } = context;
  const store = createOrderStore(dataDir);
  const payload = { rootSha256, step };
  const { id } = await giveOrder(STEER_CA, { payload }, { store, clock, random });
  const answer = await hearAnswer(STEER_CA, { id, dataDir }, context);
  if (answer?.state === 'done') {
    writeLine(stdout, taken);
    return;
  }
  if (options.wait === true || isUrgent) throw await unanswered(store, toWayOn(id));
  writeLine(stdout, `stored; no server has answered: ${toWayOn(id)}`);
}

/** A server that has just started looks for orders after two seconds. */
const TAKING_MS = 5_000;
