// No interleaving of a change of root keeps two that have a leaf in force from one another, but for
// those that a bad root cuts off by the operator's word.
import { describe, expect, it } from 'vitest';
import {
  ALL_RULES,
  CaModel,
  failuresOf,
  type ModelOptions,
  type Rules,
  type State,
} from './ca-model.js';

interface Found {
  readonly states: number;
  /** How one came there, and who can't talk. */
  readonly failures: readonly string[];
  /** The states after which a client is cut off. */
  readonly cuts: number;
}

/** Every state that can be reached, until some fail. */
function explore(model: CaModel, onState: (state: State) => void = () => undefined): Found {
  const from = new Map<string, string>([[model.key(model.start), '']]);
  const open: State[] = [model.start];
  const failures: string[] = [];
  let cuts = 0;
  for (const state of open) {
    if (failures.length >= 3) break;
    const key = model.key(state);
    onState(state);
    const found = failuresOf(state);
    const isByIntent = state.isCut && found.every((pair) => pair.endsWith('client'));
    if (found.length > 0 && isByIntent) cuts++;
    else if (found.length > 0 && failures.length < 3)
      failures.push(`${found}: ${pathTo(key, from)}`);
    for (const { name, next } of model.steps(state)) {
      const nextKey = model.key(next);
      if (from.has(nextKey)) continue;
      from.set(nextKey, `${name}|${key}`);
      open.push(next);
    }
  }
  return { states: from.size, failures, cuts };
}

/** The names of the steps that lead there. */
function pathTo(key: string, from: ReadonlyMap<string, string>): string {
  const names: string[] = [];
  for (let at = from.get(key) ?? ''; at !== ''; ) {
    const [name = '', before = ''] = at.split('|');
    names.unshift(name);
    at = from.get(before) ?? '';
  }
  return names.join(', ');
}

const ROWS: readonly (readonly [string, ModelOptions, number])[] = [
  ['two nodes', { nodes: 2, hasClient: false, hasCross: true }, 20_000],
  ['a node and a client', { nodes: 1, hasClient: true, hasCross: true }, 3_000],
  [
    'two nodes, an old root that can not sign the new',
    { nodes: 2, hasClient: false, hasCross: false },
    500,
  ],
];

describe('prepare, activate, taint, abort and rotate, in every order of events', () => {
  it.each(ROWS)('%s', { timeout: 120_000 }, async (_name, options, atLeast) => {
    const { states, failures, cuts } = explore(await CaModel.create(options));
    expect(failures).toEqual([]);
    expect(states).toBeGreaterThan(atLeast);
    // A client with a certificate of a bad root, from the moment at which that root is dropped.
    expect(cuts > 0).toBe(options.hasClient);
  });

  it('every state comes to rest where the operator wants it, if the nodes answer', async () => {
    const model = await CaModel.create({ nodes: 1, hasClient: false, hasCross: true });
    const rests = new Set<string>();
    explore(model, (state) => {
      let at = state;
      for (let steps = 0; steps < 200; steps++) {
        const [next] = model.ownSteps(at);
        if (next === undefined) break;
        at = next.next;
      }
      expect(model.ownSteps(at)).toEqual([]);
      const { change } = at.material;
      rests.add(change === undefined ? model.published(at).anchors : `${change.stage} kept`);
      if (change !== undefined) expect(change.until).toBe(change.stage);
    });
    expect([...rests].sort()).toEqual(['new', 'old', 'sign kept', 'trust kept']);
  });

  const BROKEN: readonly (readonly [string, Partial<Rules>, boolean])[] = [
    ['signs before everybody trusts it', { awaitsTrust: false }, false],
    ['drops the old root before everybody has a new leaf', { awaitsLeaves: false }, true],
    ['goes back at once', { goesBackInStages: false }, false],
  ];
  it.each(BROKEN)('finds what fails in one that %s', async (_name, broken, hasCross) => {
    const rules = { ...ALL_RULES, ...broken };
    const { failures } = explore(
      await CaModel.create({ nodes: 2, hasClient: false, hasCross, rules }),
    );
    expect(failures.length).toBeGreaterThan(0);
  });
});
