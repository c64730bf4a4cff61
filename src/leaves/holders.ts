// Whose certificate a serial is. A sidecar's leaf is its own node's alone, and what was handed out
// for a node is that node's, too: shown as a client certificate, neither proves another one.
import type { Clock } from '../base/index.js';
import type { DataDir } from '../data/index.js';
import type { NodeId } from '../spiffe/index.js';
import { findHandedOut } from './handed-out.js';
import { LeafStore } from './leaf-store.js';

export interface CertificateOwner {
  /** Undefined: any node of its service. */
  readonly node: NodeId | undefined;
  /** The only addresses that it is good for; undefined: any. */
  readonly addresses?: readonly string[] | undefined;
}

/** Leaves are renewed: beyond so many the table is made anew. */
const KNOWN_LIMIT = 50_000;

export class CertificateOwners {
  readonly #dataDir: DataDir;
  readonly #store: LeafStore;
  readonly #clock: Clock;
  /** Of leaves, by serial. A serial never changes its node. */
  readonly #nodes = new Map<string, NodeId>();
  #reading: Promise<void> | undefined;

  constructor(dataDir: DataDir, clock: Clock) {
    this.#dataDir = dataDir;
    this.#store = new LeafStore(dataDir);
    this.#clock = clock;
  }

  /**
   * Undefined: nobody that the data folder knows of.
   * @throws MeshError data-damaged, data-unreadable
   */
  async ownerOf(serialHex: string): Promise<CertificateOwner | undefined> {
    const handedOut = await findHandedOut(this.#dataDir, serialHex);
    if (handedOut !== undefined) return { node: handedOut.node, addresses: handedOut.addresses };
    if (!this.#nodes.has(serialHex)) await this.#readLeaves();
    const node = this.#nodes.get(serialHex);
    if (node === undefined) return undefined;
    // Read each time: one who got the same leaf since may be elsewhere.
    return { node, addresses: await this.#store.addressesOf(node, serialHex) };
  }

  /** Many may ask at once when a server starts: one reading serves them all. */
  #readLeaves(): Promise<void> {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    const { nodes } = await this.#store.certificates(this.#clock.now());
    if (this.#nodes.size > KNOWN_LIMIT) this.#nodes.clear();
    for (const { node, certificates } of nodes) {
      for (const { serialHex } of certificates) this.#nodes.set(serialHex, node);
    }
  }
}
