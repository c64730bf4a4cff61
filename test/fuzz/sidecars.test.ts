// Past authentication: what valid sidecars say, some of it broken. The core takes any of it, or
// refuses it by name, and keeps no more of it than it came with; a running server serves the others
// all the while. FUZZ_INPUTS makes it longer (a million in `npm run soak`), FUZZ_SEED other.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MeshError, type Random } from '../../src/base/index.js';
import { createTokenKeys, type TokenKeys } from '../../src/tokens/index.js';
import { keptBytes } from '../../src/xds/cost/index.js';
import {
  createSession,
  decodeRequest,
  type Effect,
  encodeResponse,
  type Session,
  type SessionEvent,
  type Snapshot,
  step,
  type Variant,
} from '../../src/xds/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { startTestServer, type TestServer } from '../harness/running-server.js';
import { toSnapshot } from '../xds/script.js';
import { Conversation } from './conversation.js';
import { below } from './mutate.js';

const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 5_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
/** Of one stream. */
const MOST_INPUTS = 60;
/** Streams over the wire: one in so many inputs, and what one connection may begin at once. */
const WIRE_SHARE = 100;
const MOST_STREAMS = 400;
/** An entry of six bytes is counted with what it takes in memory. */
const MOST_KEPT = 60;
const REFUSALS: readonly string[] = ['request-invalid', 'resource-limit'];
const TIMEOUT_MS = 60_000 + INPUTS;

const SNAPSHOTS = [
  ['cds:a@1,b@1', 'eds:a@1', 'lds:l@1', 'rds:a@1,c@1', 'sds:default@1', 'ecds:c@1'],
  ['cds:a@2', 'eds:a@2,b@1', 'lds:l@2', 'sds:default@2'],
  [],
].map(toSnapshot);

function assertRefusal(error: unknown): void {
  const isKnown = error instanceof MeshError && REFUSALS.includes(error.code);
  if (!isKnown) throw error;
}

/** One stream: the session after each input that it took, until it ends. */
class Talk {
  readonly #variant: Variant;
  readonly #client: Conversation;
  readonly #tally: Record<string, number>;
  #session: Session;
  #bytesIn = 0;
  #isFirst = true;

  constructor(random: Random, tally: Record<string, number>) {
    this.#variant = random.fraction() < 0.7 ? 'delta' : 'sotw';
    this.#client = new Conversation(random, { variant: this.#variant, id: 'web~1' });
    this.#session = createSession(this.#variant);
    this.#tally = tally;
  }

  /** Whether it goes on. */
  say(): boolean {
    const { bytes } = this.#client.next();
    this.#count('inputs');
    this.#bytesIn += bytes.length;
    try {
      const variant = this.#variant;
      const { request } = decodeRequest(bytes, { variant, withNode: this.#isFirst });
      this.take({ kind: 'request', request });
    } catch (error) {
      // As a stream does: what can't be read ends it.
      assertRefusal(error);
      this.#count('undecoded');
      return false;
    }
    this.#isFirst = false;
    const kept = keptBytes(this.#session);
    if (kept > 20_000 + MOST_KEPT * this.#bytesIn) throw new Error(`${kept} bytes are kept`);
    return !this.#session.ended;
  }

  take(event: SessionEvent): void {
    const { session, effects } = step(this.#session, event);
    this.#session = session;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    this.#count(effect.kind);
    if (effect.kind === 'fail') assertRefusal(effect.error);
    if (effect.kind !== 'send') return;
    encodeResponse(this.#variant, effect.response);
    this.#client.hear(effect.response);
  }

  #count(what: string): void {
    this.#tally[what] = (this.#tally[what] ?? 0) + 1;
  }
}

test(
  'mutated streams of valid sidecars: each is refused by name, or goes on at its own cost',
  () => {
    const random = seededRandom(SEED);
    const tally: Record<string, number> = { inputs: 0, undecoded: 0, send: 0, acked: 0, nacked: 0 };
    const anySnapshot = (): Snapshot => SNAPSHOTS[below(random, SNAPSHOTS.length)] ?? new Map();
    while ((tally['inputs'] ?? 0) < INPUTS) {
      const talk = new Talk(random, tally);
      talk.take({ kind: 'snapshot', snapshot: SNAPSHOTS[0] ?? new Map() });
      for (let said = 0; said < MOST_INPUTS && talk.say(); said += 1) {
        if (random.fraction() < 0.1) talk.take({ kind: 'snapshot', snapshot: anySnapshot() });
      }
    }
    // It reached what it aims at.
    for (const [what, count] of Object.entries(tally)) {
      expect(count, what).toBeGreaterThan(INPUTS / 1_000);
    }
  },
  TIMEOUT_MS,
);

let server: TestServer;
let tokens: TokenKeys;
beforeAll(async () => {
  server = await startTestServer('services: { web: {}, ledger: { ports: { 8080: http } } }');
  tokens = await createTokenKeys(server.identity);
});
afterAll(async () => {
  await server.close();
});

test(
  'a running server under mutated streams of valid sidecars serves the others and does not fail',
  async () => {
    const random = seededRandom(SEED + 1);
    const tokenOf = (subject: string): string =>
      tokens.sign({ audience: 'countersign-xds', subject, ttlMs: 3_600_000 }).token;
    const witness = server.join('ledger~1', { token: tokenOf('ledger') });
    expect(await witness.next()).toBeDefined();
    const token = tokenOf('web');
    const rounds = Math.min(MOST_STREAMS, Math.ceil(INPUTS / WIRE_SHARE));
    for (let round = 0; round < rounds; round += 1) {
      const client = server.join('web~fuzz', { token });
      const conversation = new Conversation(random, { variant: 'delta', id: 'web~fuzz' });
      conversation.next();
      expect(await client.next()).toBeDefined();
      for (let said = 0; said < 8; said += 1) client.sendBytes(conversation.next().bytes);
      client.end();
      expect(await client.ended()).not.toMatchObject({ details: 'internal error' });
      client.close();
    }
    expect(await server.get('/healthz')).toBe('ok\n');
    expect(witness.status).toBeUndefined();
    const { proxies } = await server.status();
    expect(proxies.map(({ node }) => node)).toContain('ledger~1');
    expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
  },
  TIMEOUT_MS,
);
