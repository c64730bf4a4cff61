import { Listeners } from '../../src/base/index.js';
import type { Leaf } from '../../src/ca/index.js';
import type { LeafSettings } from '../../src/leaves/index.js';
import type { NodeId } from '../../src/spiffe/index.js';

/** Leaves without a CA: each is made at once, unless the test holds or fails it. */
export class FakeLeaves {
  readonly released: string[] = [];
  /** What the next leaves can't be had for. */
  failure: Error | undefined;
  reconsidered = 0;
  readonly #leaves = new Map<NodeId, Leaf>();
  readonly #troubles = new Map<NodeId, Error>();
  readonly #renewed = new Listeners<[node: NodeId, leaf: Leaf]>();
  #held: (() => void)[] | undefined;
  #serial = 0;

  get(node: NodeId): Leaf | undefined {
    return this.#leaves.get(node);
  }

  async ensure(node: NodeId, settings: LeafSettings): Promise<Leaf> {
    const held = this.#held;
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
    if (this.failure !== undefined) {
      this.#troubles.set(node, this.failure);
      throw this.failure;
    }
    return this.#make(node, settings.ttlMs);
  }

  troubleOf(node: NodeId): unknown {
    return this.#troubles.get(node);
  }

  readonly resting = new Set<string>();

  rest(node: string): void {
    this.resting.add(node);
  }

  release(node: NodeId): void {
    this.released.push(node);
    this.#leaves.delete(node);
  }

  isTrusted(): boolean {
    return true;
  }

  isCurrent(): boolean {
    return true;
  }

  reconsider(): void {
    this.reconsidered++;
  }

  onRenewed(listener: (node: NodeId, leaf: Leaf) => void): () => void {
    return this.#renewed.add(listener);
  }

  /** Leaves that are asked for from now on are not made until the result is called. */
  hold(): () => void {
    const held: (() => void)[] = [];
    this.#held = held;
    return () => {
      this.#held = undefined;
      for (const resolve of held) resolve();
    };
  }

  renew(node: NodeId): Leaf {
    const leaf = this.#make(node, 86_400_000);
    this.#renewed.notify(node, leaf);
    return leaf;
  }

  #make(node: NodeId, ttlMs: number): Leaf {
    const serialHex = String(++this.#serial);
    const notAfterMs = Date.UTC(2026, 0, 1) + ttlMs;
    const notBeforeMs = Date.UTC(2025, 11, 31);
    const leaf = {
      serialHex,
      notBeforeMs,
      notAfterMs,
      keyPem: `key ${serialHex}`,
      chainPem: 'chain',
    } as Leaf;
    this.#leaves.set(node, leaf);
    this.#troubles.delete(node);
    return leaf;
  }
}
