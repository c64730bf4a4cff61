// A mesh during a change of root, as a graph of states: what the server has decided (by the steps
// of the real code), what it has sent to each node, and what each node has applied, a secret at a
// time. Every interleaving of the server, the nodes, the operator and the clock is a path in it.
import {
  beginChange,
  endChange,
  signByOther,
  steerChange,
} from '../../../src/ca/authority-change.js';
import { AuthorityFacts } from '../../../src/ca/authority-facts.js';
import { type AuthorityMaterial, createMaterial } from '../../../src/ca/authority-material.js';
import {
  type CaChain,
  type CaStep,
  createCaChain,
  type RootChange,
} from '../../../src/ca/index.js';
import { type CaProxy, isStageDone, toAwaited } from '../../../src/server/ca/ca-steps.js';
import { generateKeys } from '../../../src/x509/keys/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';

export type Anchors = 'old' | 'both' | 'new';
/** `newX`: it comes with the new root as signed by the old one. */
export type LeafForm = 'old' | 'new' | 'newX';

interface Secrets {
  readonly anchors: Anchors;
  readonly leaf: LeafForm;
}

/**
 * One that was sent, and how far it is applied: a node answers it when it has both, and is sent the
 * next one only then.
 */
interface Message extends Secrets {
  readonly applied: '' | 'anchors' | 'leaf';
  /** Its leaf has ended before the node took it. */
  readonly hasEnded: boolean;
}

export interface Node {
  readonly held: Secrets;
  /** Its leaf is in force. */
  readonly isValid: boolean;
  readonly message: Message | undefined;
  /** What the server has issued for it. */
  readonly issued: LeafForm;
}

export interface State {
  readonly material: AuthorityMaterial;
  readonly isOverdue: boolean;
  readonly nodes: readonly Node[];
  /** One without a sidecar, that was handed a certificate and anchors; it applies nothing. */
  readonly client: Secrets | undefined;
  /** A bad root was let go while the client held a certificate of it. */
  readonly isCut: boolean;
}

/** What may be switched off, to see that the check notices. */
export interface Rules {
  readonly awaitsTrust: boolean;
  readonly awaitsLeaves: boolean;
  readonly goesBackInStages: boolean;
}

export const ALL_RULES: Rules = { awaitsTrust: true, awaitsLeaves: true, goesBackInStages: true };

export interface ModelOptions {
  readonly nodes: number;
  readonly hasClient: boolean;
  readonly hasCross: boolean;
  readonly rules?: Rules;
}

export interface Step {
  readonly name: string;
  readonly next: State;
}

const CLOCK = new ManualClock();

export class CaModel {
  readonly #options: ModelOptions;
  readonly #next: CaChain;
  readonly start: State;
  /** What the real code says of a material, and makes of it, by its name: computed once. */
  readonly #materials = new Map<string, AuthorityMaterial>();
  readonly #changes = new Map<AuthorityMaterial, RootChange | undefined>();
  readonly #names = new Map<AuthorityMaterial, string>();
  readonly #made = new Map<string, AuthorityMaterial>();

  private constructor(options: ModelOptions, material: AuthorityMaterial, next: CaChain) {
    this.#options = options;
    this.#next = next;
    const held = { anchors: 'old', leaf: 'old' } as const;
    const node: Node = { held, isValid: true, message: undefined, issued: 'old' };
    this.start = {
      material,
      isOverdue: false,
      nodes: Array.from({ length: options.nodes }, () => node),
      client: undefined,
      isCut: false,
    };
  }

  static async create(options: ModelOptions): Promise<CaModel> {
    const tools = { clock: CLOCK, random: seededRandom('ca-model'), keySource: generateKeys };
    const made = await createMaterial('shop.example', tools);
    const { rootKeyPem, ...keyless } = made.current;
    const current = { ...keyless, rootKeyPem: options.hasCross ? rootKeyPem : undefined };
    return new CaModel(options, { ...made, current }, await createCaChain('shop.example', tools));
  }

  /** Everything that may happen next. */
  steps(state: State): readonly Step[] {
    return this.#sent([
      ...this.#serverSteps(state),
      ...state.nodes.flatMap((_node, i) => toNodeSteps(state, i)),
      ...this.#operatorSteps(state),
      ...this.#clientSteps(state),
    ]);
  }

  /** Without the operator, and with nodes that answer. */
  ownSteps(state: State): readonly Step[] {
    const own = this.#sent([
      ...state.nodes.flatMap((_node, i) => toNodeSteps(state, i)),
      ...this.#serverSteps(state),
    ]);
    return own.filter(({ name }) => !/^(expires|deadline)/.test(name));
  }

  /** Whoever has answered is sent what there is at once. */
  #sent(steps: readonly Step[]): readonly Step[] {
    return steps.map(({ name, next }) => {
      const { anchors } = this.published(next);
      const nodes = next.nodes.map((node): Node => {
        const { held, message, issued, isValid } = node;
        const isSame = held.anchors === anchors && held.leaf === issued && isValid;
        // Never a leaf that nobody takes: it is renewed first.
        if (message !== undefined || isSame || !takes(anchors, issued)) return node;
        return { ...node, message: { anchors, leaf: issued, applied: '', hasEnded: false } };
      });
      return { name, next: { ...next, nodes } };
    });
  }

  key({ material, isOverdue, nodes, client, isCut }: State): string {
    const all = nodes.map(({ held, message, issued, isValid }) => {
      const sent = message && `${toText(message)}${message.applied}${message.hasEnded}`;
      return `${toText(held)}${isValid}${issued}${sent}`;
    });
    // Nodes are all alike.
    all.sort();
    const who = client && toText(client);
    return `${this.#nameOf(material)} ${isOverdue} ${all} ${who} ${isCut}`;
  }

  #nameOf(material: AuthorityMaterial): string {
    const known = this.#names.get(material);
    if (known !== undefined) return known;
    const { change, current } = material;
    const root = current.root.facts.serialHex;
    const marks = change && `${change.stage}${change.until}${change.isBack}${change.isTainted}`;
    const name = `${root} ${marks}`;
    this.#names.set(material, name);
    return name;
  }

  /** The same material for the same name. */
  #make(
    material: AuthorityMaterial,
    what: string,
    make: () => AuthorityMaterial,
  ): AuthorityMaterial {
    const place = `${this.#nameOf(material)} ${what}`;
    const known = this.#made.get(place);
    if (known !== undefined) return known;
    const made = make();
    const name = this.#nameOf(made);
    const one = this.#materials.get(name) ?? made;
    this.#materials.set(name, one);
    this.#made.set(place, one);
    return one;
  }

  #changeOf(material: AuthorityMaterial): RootChange | undefined {
    if (this.#changes.has(material)) return this.#changes.get(material);
    const { change } = new AuthorityFacts(material);
    this.#changes.set(material, change);
    return change;
  }

  /** What the server publishes. */
  published({ material }: State): Secrets {
    const { change, current } = material;
    const isNew = current.root.facts.der.equals(this.#next.root.facts.der);
    const isCrossed = isNew && change?.hasCross === true && !change.isBack;
    const leaf = isNew ? (isCrossed ? 'newX' : 'new') : 'old';
    if (change !== undefined) return { anchors: 'both', leaf };
    return { anchors: isNew ? 'new' : 'old', leaf };
  }

  #proxies(state: State): CaProxy[] {
    const { anchors, leaf } = this.published(state);
    return state.nodes.map(({ held, issued, message, isValid }, i) => {
      const isSynced = message === undefined && held.anchors === anchors && held.leaf === issued;
      return {
        node: `${i}`,
        state: isSynced ? 'synced' : 'pending',
        isCurrent: toRoot(issued) === toRoot(leaf),
        hasLeaf: isValid || message?.hasEnded === false,
      };
    });
  }

  #serverSteps(state: State): Step[] {
    const { leaf } = this.published(state);
    const renewals = state.nodes.flatMap((node, i): Step[] => {
      if (node.issued === leaf) return [];
      return [{ name: `renewed ${i}`, next: withNode(state, i, { ...node, issued: leaf }) }];
    });
    const change = this.#changeOf(state.material);
    if (change === undefined) return renewals;
    const steps = [...renewals];
    if (!state.isOverdue) steps.push({ name: 'deadline', next: { ...state, isOverdue: true } });
    if (!this.#isDone(state)) return steps;
    const { material } = state;
    const { newRootSha256, goingRootSha256 } = change;
    const next = this.#make(material, 'next', () =>
      change.stage === 'trust'
        ? signByOther(material, { newRootSha256, nowMs: CLOCK.now() })
        : endChange(material, { goingRootSha256 }),
    );
    const isCut = state.isCut || (next.change === undefined && this.#isClientCut(state));
    return [
      ...steps,
      { name: 'next', next: { ...state, material: next, isOverdue: false, isCut } },
    ];
  }

  #isDone(state: State): boolean {
    const change = this.#changeOf(state.material);
    if (change === undefined) return false;
    const { rules = ALL_RULES } = this.#options;
    const isAwaiting = change.stage === 'trust' ? rules.awaitsTrust : rules.awaitsLeaves;
    const awaited = isAwaiting ? toAwaited(change, this.#proxies(state), state.isOverdue) : [];
    const isHeld = !change.isTainted && this.#isClientGoing(state);
    const holders = isHeld ? [{ text: 'a client' }] : [];
    return isStageDone({ change, awaited, holders, isFinishAsked: false });
  }

  /** Its certificate is of the root that goes. */
  #isClientGoing({ material, client }: State): boolean {
    const isNewGoing = material.change?.isBack === true;
    return client !== undefined && (toRoot(client.leaf) === 'new') === isNewGoing;
  }

  #isClientCut(state: State): boolean {
    return state.material.change?.isTainted === true && this.#isClientGoing(state);
  }

  #operatorSteps(state: State): Step[] {
    const { material } = state;
    const { change } = material;
    const put = (name: string, make: () => AuthorityMaterial): Step[] => {
      const next = this.#make(material, name, make);
      return next === material
        ? []
        : [{ name, next: { ...state, material: next, isOverdue: false } }];
    };
    const tools = { clock: CLOCK };
    if (change === undefined) {
      // The new root alone is the end: there is no third one. After one that was taken back another
      // is made; the model has but one, so what the first signed must be replaced before.
      if (this.published(state).anchors === 'new' || !isAllOld(state)) return [];
      const begin = (until: 'trust' | 'end') => () =>
        beginChange(material, this.#next, { ...tools, until });
      return [...put('prepare', begin('trust')), ...put('rotate', begin('end'))];
    }
    if (change.isBack) return [];
    const steer = (step: CaStep) => () => steerChange(material, step, tools);
    const words = [...put('activate', steer('sign')), ...put('go on', steer('end'))];
    if (change.stage === 'sign' || change.until !== 'trust') {
      words.push(...put('taint', steer('taint')));
    }
    if (change.isTainted) return words;
    const { rules = ALL_RULES } = this.#options;
    const abort = (): AuthorityMaterial => {
      const back = steer('abort')();
      return rules.goesBackInStages ? back : { ...back, change: undefined };
    };
    return [...words, ...put('abort', abort)];
  }

  #clientSteps(state: State): Step[] {
    const { client } = state;
    if (!this.#options.hasClient) return [];
    if (client === undefined) {
      return [{ name: 'handed out', next: { ...state, client: this.published(state) } }];
    }
    return [{ name: 'client ended', next: { ...state, client: undefined, isCut: false } }];
  }
}

/** It applies what it was sent, a secret at a time; or takes so long that its leaves end. */
function toNodeSteps(state: State, i: number): Step[] {
  const node = state.nodes[i];
  // One that answers is renewed long before.
  if (node?.message === undefined) return [];
  const { held, message, isValid } = node;
  const { anchors, leaf, applied, hasEnded } = message;
  const put = (name: string, change: Partial<Node>): Step => {
    return { name: `${name} ${i}`, next: withNode(state, i, { ...node, ...change }) };
  };
  const ended = { isValid: false, message: { ...message, hasEnded: true } };
  const expires = hasEnded ? [] : [put('expires', ended)];
  const all = put('applied', {
    held: { anchors, leaf },
    isValid: !hasEnded,
    message: undefined,
  });
  // One without a leaf in force can't talk before it has both.
  if (!isValid || applied !== '') return [...expires, all];
  return [
    ...expires,
    put('applied anchors', {
      held: { ...held, anchors },
      message: { ...message, applied: 'anchors' },
    }),
    put('applied leaf', { held: { ...held, leaf }, message: { ...message, applied: 'leaf' } }),
  ];
}

function isAllOld({ nodes, client }: State): boolean {
  const leaves = nodes.flatMap(({ held, message, issued }) => [held.leaf, message?.leaf, issued]);
  return [...leaves, client?.leaf].every((leaf) => leaf === undefined || leaf === 'old');
}

function toText({ anchors, leaf }: Secrets): string {
  return `${anchors}/${leaf}`;
}

function withNode(state: State, i: number, node: Node): State {
  return { ...state, nodes: state.nodes.map((one, k) => (k === i ? node : one)) };
}

function toRoot(leaf: LeafForm): 'old' | 'new' {
  return leaf === 'old' ? 'old' : 'new';
}

/** Whoever holds these anchors takes that leaf. */
export function takes(anchors: Anchors, leaf: LeafForm): boolean {
  if (anchors === 'both') return true;
  return anchors === 'old' ? leaf !== 'new' : leaf !== 'old';
}

/** Pairs that can't talk though both have a leaf in force: nodes by number, or the client. */
export function failuresOf({ nodes, client }: State): readonly string[] {
  const all = [
    ...nodes.flatMap(({ held, isValid }, i) => (isValid ? [{ name: `${i}`, held }] : [])),
    ...(client === undefined ? [] : [{ name: 'client', held: client }]),
  ];
  return all.flatMap((one, i) =>
    all
      .slice(i + 1)
      .filter(({ held }) => {
        const isTaken = takes(one.held.anchors, held.leaf) && takes(held.anchors, one.held.leaf);
        return !isTaken;
      })
      .map((other) => `${one.name} ${other.name}`),
  );
}
