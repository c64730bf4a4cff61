// One file per node under `leaves/`, so that a restarted server serves the same leaves and no
// sidecar sees a new certificate for it. The node's id may hold any characters: the file is named
// by its hash and holds the id. What is read is checked again (key, names, signatures) before it is
// used.
import { z } from 'zod';
import { inParts } from '../base/index.js';
import type { Leaf } from '../ca/index.js';
import { createJsonStore, type DataDir, type DurableStore, damaged } from '../data/index.js';
import { isNodeId, KEY_TYPES, type NodeId, parseSpiffeId } from '../spiffe/index.js';
import { certificateProblems } from '../x509/check/index.js';
import { sha256Hex } from '../x509/keys/index.js';
import { readCertificate, splitPem } from '../x509/read/index.js';
import { type Holders, toReach, widen } from './holding.js';

const FOLDER = 'leaves';
const NAME = /^[0-9a-f]{32}\.json$/;
const NAME_LENGTH = 32;
const READ_AT_ONCE = 64;

const schema = z.strictObject({
  node: z.string().refine(isNodeId),
  spiffeId: z.string(),
  dnsNames: z.array(z.string()),
  keyType: z.enum(KEY_TYPES),
  serialHex: z.string(),
  notBeforeMs: z.number(),
  notAfterMs: z.number(),
  issuedAtMs: z.number(),
  keyPem: z.string(),
  chainPem: z.string(),
  /** By which client certificates those proved themselves who got it: `LeafManager.ensure`. */
  shown: z.array(z.string()).optional(),
  /** The only addresses that those may be at; absent: any. */
  addresses: z.array(z.string()).optional(),
  /** Leaves that this one replaced and that have not ended: a revocation concerns them too. */
  earlier: z
    .array(
      z.strictObject({
        serialHex: z.string(),
        notAfterMs: z.number(),
        shown: z.array(z.string()).optional(),
        addresses: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});

type Stored = z.infer<typeof schema>;

/** Ms since the epoch. */
export type Period = Pick<Leaf, 'notBeforeMs' | 'notAfterMs'>;

/** Certificates that a node may hold, the present one first. */
export interface NodeCertificates {
  readonly node: NodeId;
  /** Of the present one. */
  readonly chainPem: string;
  readonly certificates: readonly {
    readonly serialHex: string;
    readonly notAfterMs: number;
    /** Serials of the client certificates by which it was had. */
    readonly shown?: readonly string[] | undefined;
  }[];
}

/** The leaves of the data folder. */
export class LeafStore {
  readonly #dataDir: DataDir;

  constructor(dataDir: DataDir) {
    this.#dataDir = dataDir;
  }

  /** Undefined where the node has none. @throws MeshError data-damaged, data-unreadable */
  async load(node: NodeId): Promise<Leaf | undefined> {
    const name = toName(node);
    const stored = await this.#open(name).read();
    if (stored === undefined) return undefined;
    if (stored.node !== node) {
      throw damaged({ dataDir: this.#dataDir, name, what: 'expected the leaf of another node' });
    }
    return this.#toLeaf(stored, name);
  }

  /**
   * When the certificates that a node may hold are in force, in all; undefined where it has none.
   * @throws MeshError data-damaged, data-unreadable
   */
  async periodOf(node: NodeId): Promise<Period | undefined> {
    const stored = await this.#open(toName(node)).read();
    if (stored === undefined) return undefined;
    const { notBeforeMs, notAfterMs, earlier = [] } = stored;
    const ends = [notAfterMs, ...earlier.map((one) => one.notAfterMs)];
    return { notBeforeMs: earlier.length === 0 ? notBeforeMs : 0, notAfterMs: Math.max(...ends) };
  }

  /**
   * Durable when the promise resolves. What it replaces is remembered until it ends.
   * @throws MeshError data-unwritable, data-unreadable
   */
  async save(
    node: NodeId,
    leaf: Leaf,
    { nowMs, shown, reach = 'anywhere' }: Holders & { readonly nowMs: number },
  ): Promise<void> {
    const name = toName(node);
    const before = await this.#tryRead(name);
    const earlier = before === undefined ? [] : toLive(before, nowMs);
    const stored: Stored = {
      node,
      ...leaf,
      dnsNames: [...leaf.dnsNames],
      ...(shown.size === 0 ? {} : { shown: [...shown] }),
      ...(reach === 'anywhere' ? {} : { addresses: [...reach] }),
      ...(earlier.length === 0 ? {} : { earlier }),
    };
    await this.#open(name).write(stored);
  }

  /**
   * Adds to by what the node's leaf was had. Durable when the promise resolves.
   * @throws MeshError data-unwritable
   */
  async noteHolders(node: NodeId, { shown, reach }: Holders): Promise<void> {
    const name = toName(node);
    const stored = await this.#tryRead(name);
    if (stored === undefined) return;
    const { addresses, ...rest } = stored;
    const all = new Set([...(stored.shown ?? []), ...shown]);
    const wider = widen(toReach(addresses), reach) ?? 'anywhere';
    const isKnown =
      wider === 'anywhere' ? addresses === undefined : wider.size === addresses?.length;
    if (isKnown && all.size === (stored.shown?.length ?? 0)) return;
    await this.#open(name).write({
      ...rest,
      ...(all.size === 0 ? {} : { shown: [...all] }),
      ...(wider === 'anywhere' ? {} : { addresses: [...wider] }),
    });
  }

  /**
   * The only addresses at which those may be who have that certificate of the node; undefined: any.
   * @throws MeshError data-damaged, data-unreadable
   */
  async addressesOf(node: NodeId, serialHex: string): Promise<readonly string[] | undefined> {
    const stored = await this.#open(toName(node)).read();
    const all = stored === undefined ? [] : [stored, ...(stored.earlier ?? [])];
    return all.find((one) => one.serialHex === serialHex)?.addresses;
  }

  /**
   * What every node may hold. Damaged files are named: what they held is not known.
   * @throws MeshError data-unreadable
   */
  async certificates(
    nowMs: number,
  ): Promise<{ readonly nodes: readonly NodeCertificates[]; readonly damaged: readonly string[] }> {
    const nodes: NodeCertificates[] = [];
    const damagedNames: string[] = [];
    const files = (await this.#dataDir.list(FOLDER)).filter((file) => NAME.test(file));
    const work = async (file: string): Promise<void> => {
      const name = `${FOLDER}/${file}`;
      const stored = await this.#tryRead(name);
      if (stored !== undefined) {
        const { node, chainPem } = stored;
        nodes.push({ node, chainPem, certificates: toLive(stored, nowMs) });
      } else if (await this.#isThere(name)) damagedNames.push(name);
    };
    await inParts(files, { atOnce: READ_AT_ONCE, work });
    return { nodes, damaged: damagedNames };
  }

  async #isThere(name: string): Promise<boolean> {
    return (await this.#dataDir.facts(name)) !== undefined;
  }

  /** Keeps a damaged file under another name, for examination; its new name. */
  async setAside(node: NodeId): Promise<string> {
    return this.#dataDir.setAside(toName(node));
  }

  /** Removes the leaves that have ended, of nodes for which `keep` is false; how many. */
  async removeEnded(nowMs: number, keep: (node: NodeId) => boolean): Promise<number> {
    let removed = 0;
    for (const file of await this.#dataDir.list(FOLDER)) {
      if (!NAME.test(file)) continue;
      const name = `${FOLDER}/${file}`;
      // A damaged file is left for the node that asks for it.
      const stored = await this.#tryRead(name);
      if (stored === undefined || toLive(stored, nowMs).length > 0 || keep(stored.node)) continue;
      await this.#dataDir.remove(name);
      removed++;
    }
    return removed;
  }

  /** Undefined where there is none, or a damaged one. */
  async #tryRead(name: string): Promise<Stored | undefined> {
    return this.#open(name)
      .read()
      .catch(() => undefined);
  }

  #open(name: string): DurableStore<Stored> {
    return createJsonStore({ dataDir: this.#dataDir, name, schema, version: 1 });
  }

  #toLeaf(stored: Stored, name: string): Leaf {
    const problem = storedProblem(stored);
    if (problem !== undefined) throw damaged({ dataDir: this.#dataDir, name, what: problem });
    const { node: _n, earlier: _e, shown: _s, addresses: _a, ...leaf } = stored;
    return { ...leaf, spiffeId: parseSpiffeId(stored.spiffeId) };
  }
}

function toName(node: NodeId): string {
  return `${FOLDER}/${sha256Hex(node).slice(0, NAME_LENGTH)}.json`;
}

/** Certificates of the file that have not ended, the newest first. */
function toLive(
  { serialHex, notAfterMs, shown, addresses, earlier = [] }: Stored,
  nowMs: number,
): NonNullable<Stored['earlier']> {
  const present = {
    ...{ serialHex, notAfterMs },
    ...(shown === undefined ? {} : { shown }),
    ...(addresses === undefined ? {} : { addresses }),
  };
  return [present, ...earlier].filter((one) => one.notAfterMs > nowMs);
}

function storedProblem(stored: Stored): string | undefined {
  try {
    const [facts, issuer] = splitPem(stored.chainPem).map(readCertificate);
    if (facts === undefined || issuer === undefined) return 'expected a leaf and its issuer';
    const problems = certificateProblems({
      facts,
      issuer,
      privateKeyPem: stored.keyPem,
      expected: {
        // Its own CA's or an outside one's: which of the two was judged when it was issued.
        kind: 'outside-workload',
        spiffeId: stored.spiffeId,
        dnsNames: stored.dnsNames,
        earliestBeginMs: stored.notBeforeMs,
        latestEndMs: stored.notAfterMs,
      },
    });
    if (facts.serialHex !== stored.serialHex) return 'expected the serial of its certificate';
    if (facts.notBeforeMs !== stored.notBeforeMs || facts.notAfterMs !== stored.notAfterMs) {
      return 'expected the period of its certificate';
    }
    return problems.length === 0 ? undefined : problems.join('; ');
  } catch {
    return 'expected a certificate chain but got other text';
  }
}
