// The moves of a walk, decided by its seed alone: the same in every run, so that any part of it can
// be played again from where it begins.
import { type Luck, luckOf } from '../soak/luck.js';
import { type Features, nextEdit } from './edits.js';
import { FIRST_MESH, type MeshDoc } from './mesh-doc.js';

export type StubKind = 'mute' | 'nacking';

/** What lasts from one move to the next. */
export interface Shape {
  readonly doc: MeshDoc;
  readonly stub: StubKind | undefined;
  readonly revoked: readonly string[];
}

export const FIRST_SHAPE: Shape = { doc: FIRST_MESH, stub: undefined, revoked: [] };

/** Stages wait for the mute for 30 s. */
const LONGER_THAN_STAGES_MS = 34_000;

export const STOPPABLE = ['web', 'batch', 'ledger-b', 'quotes', 'store', 'db', 'extra'] as const;

export type Act =
  | { readonly kind: 'edit' }
  /** The second edit so soon after the first. */
  | { readonly kind: 'two edits'; readonly first: MeshDoc; readonly gapMs: number }
  /** SIGKILL so soon after the edit, and again so soon after the start. */
  | { readonly kind: 'kill the server'; readonly afterMs: number; readonly again: boolean }
  | { readonly kind: 'restart the server' }
  /** SIGSTOP of a sidecar, the edit, SIGCONT. */
  | { readonly kind: 'stop a sidecar'; readonly node: string; readonly forMs: number }
  | { readonly kind: 'drain an instance' }
  | { readonly kind: 'kill an instance'; readonly awayMs: number }
  | { readonly kind: 'stub' }
  | { readonly kind: 'rotate the root' }
  | { readonly kind: 'renew leaves'; readonly service: string }
  | { readonly kind: 'revocation' }
  | { readonly kind: 'the disk is full'; readonly forMs: number }
  /** Each sync of a file takes so much longer. */
  | { readonly kind: 'the disk is slow'; readonly pauseMs: number }
  /** The server's alone. */
  | { readonly kind: 'the clock jumps'; readonly aheadS: number; readonly forMs: number }
  /** Killed while a new root is on its way: for longer than its stages wait for anybody, or not. */
  | { readonly kind: 'down in a rotation'; readonly forMs: number };

export interface Move {
  readonly number: number;
  readonly what: string;
  readonly act: Act;
  readonly before: Shape;
  readonly after: Shape;
  /** Of calm before it. */
  readonly calmMs: number;
}

export interface PlanOptions {
  readonly seed: string;
  readonly features: Features;
  /** Only edits: what a walk without phases must not survive. */
  readonly onlyEdits?: boolean;
}

/** All moves, without end. */
export function* planMoves({ seed, features, onlyEdits = false }: PlanOptions): Generator<Move> {
  let shape = FIRST_SHAPE;
  for (let number = 1; ; number++) {
    const luck = luckOf(`${seed}:${number}`);
    const kind = onlyEdits ? 'edit' : kindOf(luck);
    const { act, after, what } = PLANS[kind]({ shape, luck, features });
    const calmMs = luck.between(50, 900);
    yield { number, what, act, before: shape, after, calmMs };
    shape = after;
  }
}

interface Planned {
  readonly act: Act;
  readonly after: Shape;
  readonly what: string;
}

const KINDS: readonly (readonly [Act['kind'], number])[] = [
  ['edit', 56],
  ['two edits', 10],
  ['kill the server', 7],
  ['restart the server', 2],
  ['stop a sidecar', 6],
  ['drain an instance', 3],
  ['kill an instance', 3],
  ['stub', 5],
  ['rotate the root', 3],
  ['renew leaves', 3],
  ['revocation', 3],
  ['the disk is full', 3],
  ['the disk is slow', 3],
  ['the clock jumps', 3],
  ['down in a rotation', 2],
];
const DAY_S = 86_400;

function kindOf(luck: Luck): Act['kind'] {
  let at = luck.between(
    1,
    KINDS.reduce((sum, [, weight]) => sum + weight, 0),
  );
  for (const [kind, weight] of KINDS) {
    at -= weight;
    if (at <= 0) return kind;
  }
  return 'edit';
}

interface Draw {
  readonly shape: Shape;
  readonly luck: Luck;
  readonly features: Features;
}

/** The act with an edit beside it. */
function edited({ shape, luck, features }: Draw, act: Act, name: string): Planned {
  const { what, doc } = nextEdit(shape.doc, luck, features);
  return { act, what: `${name}: ${what}`, after: { ...shape, doc } };
}

const PLANS: Readonly<Record<Act['kind'], (draw: Draw) => Planned>> = {
  edit: (draw) => edited(draw, { kind: 'edit' }, 'edit'),
  'two edits': ({ shape, luck, features }) => {
    const first = nextEdit(shape.doc, luck, features);
    const second = nextEdit(first.doc, luck, features);
    const gapMs = luck.between(0, 200);
    const act = { kind: 'two edits', first: first.doc, gapMs } as const;
    const what = `${first.what}, and ${gapMs} ms later ${second.what}`;
    return { act, what, after: { ...shape, doc: second.doc } };
  },
  'kill the server': (draw) => {
    const { luck } = draw;
    const [afterMs, again] = [luck.between(0, 1_200), luck.isLucky(0.3)];
    const act = { kind: 'kill the server', afterMs, again } as const;
    return edited(draw, act, `kill -9 of the server after ${afterMs} ms`);
  },
  'restart the server': (draw) =>
    edited(draw, { kind: 'restart the server' }, 'restart of the server'),
  'stop a sidecar': (draw) => {
    const [node, forMs] = [draw.luck.one(STOPPABLE), draw.luck.between(200, 4_000)];
    const what = `SIGSTOP of ${node} for ${forMs} ms`;
    return edited(draw, { kind: 'stop a sidecar', node, forMs }, what);
  },
  'drain an instance': (draw) => {
    const { shape } = draw;
    const { ledger, extra } = shape.doc.services;
    // A tcp port knows of no requests to wait for; and a sidecar whose service isn't declared is
    // waited for in vain (issue 14).
    const isTcp = ledger?.ports?.['8080']?.protocol === 'tcp';
    if (isTcp || extra === undefined) return edited(draw, { kind: 'edit' }, 'edit');
    const what = 'drain, SIGTERM and start of ledger-b';
    return { act: { kind: 'drain an instance' }, what, after: shape };
  },
  'kill an instance': (draw) => {
    const awayMs = draw.luck.between(0, 1_500);
    const what = `kill -9 of ledger-b, away for ${awayMs} ms`;
    return edited(draw, { kind: 'kill an instance', awayMs }, what);
  },
  stub: ({ shape, luck }) => {
    const stub = shape.stub === undefined ? luck.one(['mute', 'nacking'] as const) : undefined;
    const what = stub === undefined ? 'the stub leaves' : `a ${stub} stub joins as reports`;
    return { act: { kind: 'stub' }, what, after: { ...shape, stub } };
  },
  'rotate the root': (draw) => edited(draw, { kind: 'rotate the root' }, 'a new root'),
  'renew leaves': ({ shape, luck }) => {
    const service = luck.one(['web', 'batch', 'ledger', 'quotes', 'store', 'db']);
    const act = { kind: 'renew leaves', service } as const;
    return { act, what: `new leaves of ${service}`, after: shape };
  },
  revocation: ({ shape }) => {
    const isShutOut = shape.revoked.includes('batch');
    const what = isShutOut ? 'batch is let in again' : 'batch is revoked';
    const after = { ...shape, revoked: isShutOut ? [] : ['batch'] };
    return { act: { kind: 'revocation' }, what, after };
  },
  'the disk is full': (draw) => {
    const forMs = draw.luck.between(200, 5_000);
    const what = `the disk is full for ${forMs} ms`;
    return edited(draw, { kind: 'the disk is full', forMs }, what);
  },
  'the disk is slow': (draw) => {
    const pauseMs = draw.luck.between(20, 400);
    const what = `the disk is slow, ${pauseMs} ms a sync`;
    return edited(draw, { kind: 'the disk is slow', pauseMs }, what);
  },
  'the clock jumps': (draw) => {
    const aheadS = draw.luck.one([-DAY_S, DAY_S]);
    const forMs = draw.luck.between(200, 4_000);
    const what = `the clock jumps by ${aheadS} s for ${forMs} ms`;
    return edited(draw, { kind: 'the clock jumps', aheadS, forMs }, what);
  },
  'down in a rotation': (draw) => {
    const { luck } = draw;
    const forMs = luck.isLucky(0.3) ? LONGER_THAN_STAGES_MS : luck.between(500, 5_000);
    const what = `a new root, the server down for ${forMs} ms`;
    return edited(draw, { kind: 'down in a rotation', forMs }, what);
  },
};
