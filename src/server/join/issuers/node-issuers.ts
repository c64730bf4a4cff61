// The outside issuers that the mesh in force trusts: their tokens verified, their keys kept over
// edits of the mesh that don't concern them. An edit cuts no stream: it binds new ones.
import { type Clock, type Logger, MeshError } from '../../../base/index.js';
import type { NodeIssuer } from '../../../policy/index.js';
import type { IssuerProof, TokenIssuers } from '../proof.js';
import type { Fetch } from './fetch-json.js';
import { createKeySource, type KeySource } from './key-source.js';
import { verifyIssuerToken } from './verify.js';

export interface NodeIssuersOptions {
  /** Of the mesh in force. */
  readonly issuers: () => readonly NodeIssuer[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: Node's own. */
  readonly fetch?: Fetch;
}

interface Known {
  readonly issuer: NodeIssuer;
  readonly source: KeySource;
}

export class NodeIssuers implements TokenIssuers {
  readonly #options: NodeIssuersOptions;
  #seen: readonly NodeIssuer[] | undefined;
  #known: ReadonlyMap<string, Known> = new Map();
  /** By where the keys are. */
  #sources: ReadonlyMap<string, KeySource> = new Map();

  constructor(options: NodeIssuersOptions) {
    this.#options = options;
  }

  has(issuer: string): boolean {
    return this.#current().has(issuer);
  }

  async verify(name: string, token: string, nowMs: number): Promise<IssuerProof> {
    const known = this.#current().get(name);
    if (known === undefined) throw new MeshError('token-invalid', 'no such issuer is trusted');
    return verifyIssuerToken(token, { ...known, nowMs });
  }

  /** Looks at key files again; what is wrong is logged, and the last good keys stay. */
  async check(): Promise<void> {
    for (const { issuer, source } of this.#current().values()) {
      await source.check().catch((error: unknown) => this.#report(issuer.issuer, error));
    }
  }

  #current(): ReadonlyMap<string, Known> {
    const issuers = this.#options.issuers();
    if (issuers === this.#seen) return this.#known;
    const known = new Map<string, Known>();
    const sources = new Map<string, KeySource>();
    for (const issuer of issuers) {
      const place = JSON.stringify(issuer.keys);
      const source = sources.get(place) ?? this.#sources.get(place) ?? this.#create(issuer);
      sources.set(place, source);
      known.set(issuer.issuer, { issuer, source });
    }
    this.#seen = issuers;
    this.#known = known;
    this.#sources = sources;
    return known;
  }

  #create({ issuer, keys }: NodeIssuer): KeySource {
    const { clock, fetch = globalThis.fetch as Fetch } = this.#options;
    const onProblem = (error: unknown): void => this.#report(issuer, error);
    return createKeySource(keys, { clock, fetch, onProblem });
  }

  #report(issuer: string, err: unknown): void {
    const fixed = "an issuer's keys can't be had: the last good ones stay";
    this.#options.logger.error({ issuer, err }, fixed);
  }
}
