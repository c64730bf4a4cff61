// Authentication as the server runs it: what a caller proved, under the limit on failures, and
// every refusal counted. What decides is in proof.ts and sidecar.ts, which remember nothing.
import { type Clock, type ErrorCode, MeshError, timesOf } from '../../base/index.js';
import type { Caller, Peer } from '../../grpc/index.js';
import type { Mesh } from '../../policy/index.js';
import type { TokenKeys } from '../../tokens/index.js';
import type { SidecarSite } from '../addresses/index.js';
import { FailureLimit } from './failure-limit.js';
import { toFingerprint } from './fingerprint.js';
import { isProved, type Party, toClaim } from './party.js';
import { authenticateCaller, type OwnerOf, type Proof, type TokenIssuers } from './proof.js';
import type { Refusals } from './refusals.js';
import {
  type AuthenticateOptions,
  authenticateSidecar,
  type Claimant,
  type ClaimedSidecar,
  type Sidecar,
  tryClaimed,
} from './sidecar.js';
import { JoinTurns } from './turns.js';

export interface AuthenticatorOptions {
  readonly clock: Clock;
  readonly tokens: TokenKeys;
  readonly issuers: TokenIssuers;
  /** Whose a certificate is; undefined: nobody's that is known. */
  readonly ownerOf: OwnerOf;
  /** In force. */
  readonly mesh: () => Mesh;
  readonly refusals: Pick<Refusals, 'note'>;
  readonly site?: SidecarSite;
  /** A caller has proved who it is. */
  readonly onProved?: (caller: Caller) => void;
  /** Whether such a sidecar was there before; absent: nobody waits for a turn. */
  readonly isKnown?: (sidecar: ClaimedSidecar) => boolean;
  /** @throws MeshError where who has proved this is shut out all the same */
  readonly assertAdmitted: (proved: Sidecar | Proof) => void;
}

/** They say nothing of the credential. */
const NO_FAILURES: ReadonlySet<ErrorCode> = new Set([
  'resource-limit',
  'issuer-unreachable',
  'data-unreadable',
]);

interface Guarded<T> {
  readonly caller: Caller;
  /** Who it says it is. */
  readonly claim?: string | undefined;
  /** Default: a refusal is. */
  readonly isNoted?: boolean;
  readonly authenticate: (options: AuthenticateOptions) => Promise<T>;
}

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #limit: FailureLimit;
  readonly #joins: JoinTurns;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#limit = new FailureLimit(options.clock);
    this.#joins = new JoinTurns(options.clock);
  }

  /** Whose stream it is. @throws MeshError what `authenticateSidecar` throws; resource-limit */
  sidecar(peer: Peer): Promise<Sidecar> {
    return this.#guard({
      caller: peer,
      claim: toClaim(peer.node.id),
      authenticate: (options) => this.#inTurn(peer, () => authenticateSidecar(peer, options)),
    });
  }

  /**
   * Whose further stream it is, of a sidecar that joins by another one: that one waits for its
   * turn, and its refusal is noted. @throws MeshError the same
   */
  companion(claimant: Claimant): Promise<Sidecar> {
    return this.#guard({
      caller: claimant,
      isNoted: false,
      authenticate: (options) => authenticateSidecar(claimant, options),
    });
  }

  /** Whose call it is. @throws MeshError what `authenticateCaller` throws; resource-limit */
  caller(caller: Caller): Promise<Proof> {
    return this.#guard({ caller, authenticate: (options) => authenticateCaller(caller, options) });
  }

  #inTurn<T>(peer: Peer, work: () => Promise<T>): Promise<T> {
    const { isKnown } = this.#options;
    if (isKnown === undefined) return work();
    const claimed = tryClaimed(peer);
    const known = claimed !== undefined && isKnown(claimed);
    return this.#joins.run({ credential: toFingerprint(peer), isKnown: known }, work);
  }

  async #guard<T extends Sidecar | Proof>(guarded: Guarded<T>): Promise<T> {
    const { caller, claim, isNoted = true, authenticate } = guarded;
    const { clock, tokens, issuers, ownerOf, mesh, site } = this.#options;
    const { refusals, assertAdmitted } = this.#options;
    let party: Party = {};
    const onProved = (proved: Party): void => {
      party = proved;
    };
    try {
      this.#limit.check(caller);
      const nowMs = timesOf(clock).latestMs;
      const options = { tokens, issuers, ownerOf, mesh: mesh(), site, nowMs, onProved };
      const proved = await authenticate(options);
      assertAdmitted(proved);
      this.#limit.passed(caller);
      this.#options.onProved?.(caller);
      return proved;
    } catch (error) {
      this.#limitAfter(caller, party, error);
      if (isNoted) refusals.note({ peer: caller.address, party, claim }, error);
      throw error;
    }
  }

  /**
   * What is genuine is looked at as often as it comes, for others may show the same. But for a
   * certificate that is on no record: looking for it is dear, and nobody is let in by it.
   */
  #limitAfter(caller: Caller, party: Party, error: unknown): void {
    if (!(error instanceof MeshError) || NO_FAILURES.has(error.code)) return;
    if (isProved(party) && error.code !== 'certificate-refused') this.#limit.passed(caller);
    else this.#limit.failed(caller);
  }
}
