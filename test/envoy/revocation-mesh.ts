import { expect } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { loadAuthority } from '../../src/ca/index.js';
import { type DataDir, openDataDir } from '../../src/data/index.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { LeafStore } from '../../src/leaves/index.js';
import {
  addRevocation,
  type RevocationSubject,
  removeRevocation,
} from '../../src/revocation/index.js';
import { type NodeId, splitNodeId } from '../../src/spiffe/index.js';
import { eventually, type Harness } from '../harness/index.js';
import type { RawTls } from '../harness/raw-tls.js';
import {
  type SidecarOptions,
  startMesh,
  type TestMesh,
  type TestService,
} from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

// A mesh in which things are revoked, and which can be brought back to how it began: six sidecars
// are connected, nothing is revoked, everything is in force.

export const MESH_PORT = 15443;
export const HTTP_PORT = 8080;
/** The same over TLS 1.2. */
export const OLD_PORT = 8082;
export const TCP_PORT = 6000;
export const STORE_PORT = 6001;
export const DRAIN_S = 3;

/** In the order in which they are started: a caller finds whom it calls. */
const NODES = [
  'ledger~one',
  'ledger~two',
  'store~one',
  'web~one',
  'batch~one',
  'batch~two',
] as const satisfies readonly NodeId[];
type Node = (typeof NODES)[number];
/** The nodes that are connected when all are but these, as `nodes` gives them. */
export const allBut = (...gone: readonly Node[]): readonly Node[] =>
  NODES.filter((node) => !gone.includes(node)).sort();

const toMesh = (service: (name: string) => TestService): string => {
  const target = (name: string, port: number): string => `target: "${service(name).target(port)}"`;
  return `
trustDomain: test.example
mtls: strict
services:
  web: {}
  batch: {}
  ledger:
    ports:
      ${HTTP_PORT}: { protocol: http, ${target('ledger', HTTP_PORT)} }
      ${OLD_PORT}:
        protocol: http
        tls: { minVersion: TLSv1_2, maxVersion: TLSv1_2 }
        ${target('ledger', OLD_PORT)}
      ${TCP_PORT}: { protocol: tcp, ${target('ledger', TCP_PORT)} }
  store:
    allow: [ { from: [web] } ]
    ports:
      ${STORE_PORT}: { protocol: tcp, ${target('store', STORE_PORT)} }
`;
};

const SERVICES = {
  web: [],
  batch: [],
  ledger: [
    { port: HTTP_PORT, kind: 'http' },
    { port: OLD_PORT, kind: 'http' },
    { port: TCP_PORT, kind: 'tcp' },
  ],
  store: [{ port: STORE_PORT, kind: 'tcp' }],
} as const;

export interface RevocationMeshOptions {
  readonly binary: string;
  readonly sotw: boolean;
}

/** Whoever holds a node's key, and which certificate it is. */
export interface Thief extends RawTls {
  readonly serialHex: string;
}

export class RevocationMesh {
  readonly mesh: TestMesh;
  /** By which `batch~two` joins. */
  readonly token: string;
  readonly #harness: Harness;
  readonly #settings: ReadonlyMap<Node, SidecarOptions>;
  readonly #sidecars = new Map<Node, EnvoyProcess>();

  private constructor(
    parts: { readonly harness: Harness; readonly mesh: TestMesh; readonly token: string },
    settings: ReadonlyMap<Node, SidecarOptions>,
  ) {
    this.#harness = parts.harness;
    this.mesh = parts.mesh;
    this.token = parts.token;
    this.#settings = settings;
  }

  static async start(harness: Harness, options: RevocationMeshOptions): Promise<RevocationMesh> {
    const { binary, sotw } = options;
    const mesh = await startMesh(harness, { binary, services: SERVICES, mesh: toMesh });
    const token = await mesh.token('batch');
    const pool = await harness.addresses();
    const toSettings = (node: Node): SidecarOptions => {
      const { instance } = splitNodeId(node);
      const isSecond = instance === 'two';
      return {
        ...{ instance, sotw, drainTimeS: DRAIN_S },
        ...(isSecond ? { address: pool.address(), outbound: pool.block() } : {}),
        ...(node === 'batch~two' ? { token: { kind: 'inline', token } } : {}),
      };
    };
    const settings = new Map(NODES.map((node) => [node, toSettings(node)]));
    return new RevocationMesh({ harness, mesh, token }, settings);
  }

  /** The state that every test begins in, whatever the one before it has left. */
  async restore(): Promise<void> {
    for (const { kind, subject } of (await this.mesh.status()).revocations) {
      await removeRevocation(await this.dataDir(), { kind, subject });
    }
    for (const node of NODES) {
      if (this.#sidecars.get(node)?.process.running === true) continue;
      const { service } = splitNodeId(node);
      this.#sidecars.set(node, await this.mesh.sidecar(service, this.#settings.get(node)));
    }
    await this.untilConnected(...NODES);
    expect(await this.mesh.wait()).toMatchObject({ inForce: true });
    expect(await this.nodes()).toEqual(allBut());
  }

  dataDir(): Promise<DataDir> {
    return openDataDir({ path: this.mesh.dataPath, lock: false });
  }

  async revoke(subject: RevocationSubject): Promise<void> {
    const revokedAtMs = systemClock.now();
    await addRevocation(await this.dataDir(), { ...subject, revokedAtMs });
    expect(await this.mesh.wait()).toMatchObject({ inForce: true });
  }

  async undo(subject: RevocationSubject): Promise<void> {
    await removeRevocation(await this.dataDir(), subject);
    expect(await this.mesh.wait()).toMatchObject({ inForce: true });
  }

  async nodes(): Promise<string[]> {
    return (await this.mesh.status()).proxies.map(({ node }) => node).sort();
  }

  /** A sidecar that was refused comes back by itself, after a pause that grows with each try. */
  async untilConnected(...wanted: readonly Node[]): Promise<void> {
    const isThere = async (): Promise<boolean> => {
      const nodes = await this.nodes();
      return wanted.every((node) => nodes.includes(node));
    };
    await eventually(isThere, { what: `${wanted} connected`, timeoutMs: 60_000 });
  }

  async serials(): Promise<ReadonlyMap<string, string | undefined>> {
    const { proxies } = await this.mesh.status();
    return new Map(proxies.map(({ node, certificate }) => [node, certificate?.serial]));
  }

  /** `_` of the name stands for any character: versions differ in what they replace by it. */
  async stat(node: Node, name: string): Promise<number> {
    const pattern = `^${name.replaceAll('.', '\\.').replaceAll('_', '.').replaceAll('*', '.*')}$`;
    const found = (await this.#sidecars.get(node)?.admin.stats(pattern)) ?? new Map();
    return [...found.values()][0] ?? 0;
  }

  /** Ends the sidecar without a word; its address, which is free then. */
  async kill(node: Node): Promise<string> {
    const { proxies } = await this.mesh.status();
    await this.#sidecars.get(node)?.process.kill();
    return proxies.find((one) => one.node === node)?.address ?? '';
  }

  /** Whoever has stolen a node's key, at the mesh port of `ledger~one`. */
  async thief(node: NodeId, port = HTTP_PORT): Promise<Thief> {
    const parts = { dataDir: await this.dataDir(), clock: systemClock, random: systemRandom };
    const leaf = await new LeafStore(parts.dataDir).load(node);
    if (leaf === undefined) throw new Error(`no leaf of ${node}`);
    const { trustAnchorsPem: ca } = await loadAuthority(parts);
    const { address } = this.mesh.service('ledger');
    const servername = `${port}.ledger.default.mesh`;
    const { keyPem: key, chainPem: cert, serialHex } = leaf;
    return { address, port: MESH_PORT, servername, key, cert, ca, serialHex };
  }

  /** Web's requests to the ledger, under way when it resolves. */
  async startLoads(): Promise<readonly Load[]> {
    const address = await this.mesh.outboundAddress('web', 'ledger');
    const loads = [
      this.#harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'keep-alive') }),
      this.#harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'per-request') }),
      this.#harness.load({ shot: tcpShot({ address, port: TCP_PORT }, 'per-request') }),
    ];
    await Promise.all(loads.map((load) => load.more(20)));
    return loads;
  }
}
