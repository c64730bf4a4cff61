// One stream of a sidecar: how far its certificate is, what it was sent, and what both mean. The
// certificate and the configuration have a state each; whatever changes one goes through `set`.
// Whether there is a certificate that will do is not among them: the leaves say so whenever they
// are asked, since they are renewed without us.
import { MeshError, toShortText } from '../../base/index.js';
import type { Leaf } from '../../ca/index.js';
import type { LeafSettings } from '../../leaves/index.js';
import {
  IDENTITY_SECRET,
  isInboundListener,
  isServingListener,
  toAskedSecrets,
} from '../../translate/index.js';
import { isUnderWay, rejectionOf, type Snapshot, TYPE_URLS } from '../../xds/index.js';
import type { ProxyState } from '../mesh/index.js';
import { judgeSecrets, toUnknownSecrets } from './asked-secrets.js';
import { type BindFailure, type Judged, judgeRejection, type Unbound } from './bind-failure.js';
import type { Hold } from './hold.js';
import type { SidecarStream } from './sidecar-stream.js';

export type CertificateState =
  /** Nothing is certified: its service is not declared, or it is shut out. */
  | { readonly kind: 'none' }
  /** A certificate by these settings is being made sure of; an earlier one may be in force. */
  | { readonly kind: 'making'; readonly settings: LeafSettings }
  /** It was asked for by these settings; the leaves have it, or say why not. */
  | { readonly kind: 'asked'; readonly settings: LeafSettings };

interface SentLeaf {
  readonly leaf: Leaf;
  /** Of the secret. */
  readonly version: string;
}

interface Sent {
  readonly snapshot: Snapshot;
  /** Services that it can't call, in words; undefined: none. */
  readonly unplaced: string | undefined;
}

export type ConfigurationState =
  /** It has been sent nothing: it waits for its certificate. */
  | { readonly kind: 'none' }
  /** The newest of what it is to have was sent. */
  | ({ readonly kind: 'sent' } & Sent)
  /** The newest could not be made: it keeps what it was sent last, if anything. */
  | { readonly kind: 'stuck'; readonly reason: string; readonly last: Sent | undefined };

export interface MemberStates {
  readonly certificate: CertificateState;
  readonly configuration: ConfigurationState;
}

export class Member {
  readonly stream: SidecarStream;
  /** Listeners that can't bind their address; `BindRetries` keeps it. */
  unbound: readonly Unbound[] = [];
  /** Of `unknownSecrets`, what was logged. */
  loggedUnknown: readonly string[] = [];
  /** Whether it waits for another to try the newest mesh; `Canaries` decides. */
  holdOf: () => Hold | undefined = () => undefined;
  /** Its first request was looked at. */
  hasAsked = false;
  #states: MemberStates = { certificate: { kind: 'none' }, configuration: { kind: 'none' } };
  /** Leaves that it may hold: the last that it took, and the first that was sent since. */
  #mayHold: readonly SentLeaf[] = [];
  #newest: SentLeaf | undefined;
  /** As last computed; undefined since something happened that may have changed it. */
  #judged: ProxyState | undefined;

  readonly #leafTrouble: () => unknown;

  /** @param leafTrouble Why its node has no leaf that will do, now; undefined: it has one. */
  constructor(stream: SidecarStream, leafTrouble: () => unknown) {
    this.stream = stream;
    this.#leafTrouble = leafTrouble;
  }

  get certificate(): CertificateState {
    return this.#states.certificate;
  }

  get configuration(): ConfigurationState {
    return this.#states.configuration;
  }

  set(states: Partial<MemberStates>): void {
    this.#states = { ...this.#states, ...states };
    this.#judged = undefined;
  }

  /** The sidecar took or rejected something. */
  noteAnswer(): void {
    this.#judged = undefined;
    const [, next] = this.#mayHold;
    const newest = this.#newest;
    if (newest !== undefined && this.#isInForce(newest)) this.#mayHold = [newest];
    else if (next !== undefined && newest !== undefined && this.#isInForce(next)) {
      this.#mayHold = [next, newest];
    }
  }

  /** It is sent what holds that leaf, unless it has that. */
  noteSentLeaf(leaf: Leaf, snapshot: Snapshot): void {
    const version = snapshot.get(TYPE_URLS.secret)?.resources.get(IDENTITY_SECRET)?.version;
    if (version === undefined || this.#newest?.version === version) return;
    this.#newest = { leaf, version };
    // A later one is sent when this one is answered.
    if (this.#mayHold.length < 2) this.#mayHold = [...this.#mayHold, this.#newest];
  }

  /** Leaves that it may hold, whatever it was sent since; empty: it was sent none. */
  get mayHold(): readonly Leaf[] {
    return this.#mayHold.map(({ leaf }) => leaf);
  }

  /** Whether it has the newest anchors and leaf, though it may lack or reject something else. */
  get hasSecrets(): boolean {
    const { configuration, certificate } = this;
    if (configuration.kind !== 'sent' || certificate.kind !== 'asked') return false;
    const { snapshot } = configuration;
    const names = [...(snapshot.get(TYPE_URLS.listener)?.resources.keys() ?? [])];
    const isAsked = toAskedSecrets(snapshot, names.some(isServingListener));
    const secrets = [...(snapshot.get(TYPE_URLS.secret)?.resources.values() ?? [])];
    const typeUrl = TYPE_URLS.secret;
    return secrets.every(
      ({ name, version }) => !isAsked(name) || this.stream.isInForce({ typeUrl, name, version }),
    );
  }

  #isInForce({ version }: SentLeaf): boolean {
    return this.stream.isInForce({ typeUrl: TYPE_URLS.secret, name: IDENTITY_SECRET, version });
  }

  /** Whether it has the newest of what it is to have by the mesh. */
  get state(): ProxyState {
    const { ownState } = this;
    const hold = this.holdOf();
    if (hold === undefined || ownState === 'nacked') return ownState;
    return hold.isRejected ? 'held' : 'pending';
  }

  /** Whether it has what it was sent. */
  get ownState(): ProxyState {
    if (this.configuration.kind === 'stuck' || this.#lacksLeaf !== undefined) return 'nacked';
    this.#judged ??= this.stream.auth.isStatic ? toSecretsState(this) : toState(this);
    return this.#judged;
  }

  /** What it was sent last. */
  get sent(): Sent | undefined {
    const { configuration } = this;
    if (configuration.kind === 'none') return undefined;
    return configuration.kind === 'sent' ? configuration : configuration.last;
  }

  /** Why the sidecar doesn't have all that it is to have, beside what Envoy says. */
  get troubles(): readonly string[] {
    const { configuration, sent } = this;
    const lacksLeaf = this.#lacksLeaf;
    return [
      ...(configuration.kind === 'stuck' ? [configuration.reason] : []),
      ...(lacksLeaf === undefined ? [] : [lacksLeaf]),
      ...(sent?.unplaced === undefined ? [] : [sent.unplaced]),
      ...toUnknownTexts(this.unknownSecrets, sent?.snapshot),
    ];
  }

  /** What a static Envoy asks for though there is no such secret for it. */
  get unknownSecrets(): readonly string[] {
    const { stream, sent } = this;
    if (stream.auth.isStatic === undefined || sent === undefined) return [];
    return toUnknownSecrets(stream, sent.snapshot);
  }

  get #lacksLeaf(): string | undefined {
    if (this.certificate.kind !== 'asked') return undefined;
    const trouble = this.#leafTrouble();
    if (trouble === undefined) return undefined;
    const reason = trouble instanceof MeshError ? trouble.message : 'internal error';
    return `no certificate: ${reason}`;
  }

  /** Listeners whose address the sidecar can't bind, as it last said. */
  get bindFailures(): readonly BindFailure[] {
    return toRejections(this.stream)
      .filter(({ typeUrl }) => typeUrl === TYPE_URLS.listener)
      .flatMap(({ rejection }) => judgeRejection(rejection).bindFailures);
  }

  /**
   * Of a sidecar that has its listeners, those through which it is called and whose address it
   * can't bind: the others serve. Undefined: it hasn't got them yet.
   */
  get unboundInbound(): readonly string[] | undefined {
    const listeners = this.sent?.snapshot.get(TYPE_URLS.listener);
    if (listeners === undefined) return undefined;
    const typeUrl = TYPE_URLS.listener;
    const missing = [...listeners.resources.values()].filter(
      ({ name, version }) => !this.stream.isInForce({ typeUrl, name, version }),
    );
    if (missing.length === 0) return [];
    const unbound = new Set(this.bindFailures.map(({ listener }) => listener));
    if (missing.some(({ name }) => !unbound.has(name))) return undefined;
    return missing.map(({ name }) => name).filter(isInboundListener);
  }
}

function toRejections(stream: SidecarStream) {
  return stream.state().flatMap((report) => {
    const rejection = rejectionOf(report);
    return rejection === undefined ? [] : [{ typeUrl: report.typeUrl, rejection }];
  });
}

/**
 * In force is more than acknowledged: everything that the configuration refers to (routes,
 * endpoints, extension configurations, secrets) must have been asked for and taken, on the same
 * stream.
 */
function toState({ stream, sent, certificate }: Member): ProxyState {
  const reports = stream.state();
  const judged = toRejections(stream).map(({ typeUrl, rejection }) =>
    typeUrl === TYPE_URLS.listener ? judgeRejection(rejection) : REJECTED,
  );
  if (judged.some(({ isOther }) => isOther)) return 'nacked';
  const unbound = new Set(judged.flatMap(({ bindFailures }) => bindFailures).map(toListener));
  if (sent === undefined || certificate.kind !== 'asked') return 'pending';
  if (reports.some(isUnderWay)) return 'pending';
  const { snapshot, unplaced } = sent;
  const names = [...(snapshot.get(TYPE_URLS.listener)?.resources.keys() ?? [])];
  const isCalled = names.some(isServingListener);
  // The listeners that aren't there may be those that ask.
  const isAsked = toAskedSecrets(snapshot, isCalled && unbound.size === 0);
  for (const [typeUrl, { resources }] of snapshot) {
    // Only listeners through which it is called refer to them, and a drained one has none.
    if (!isCalled && INBOUND_TYPES.has(typeUrl)) continue;
    for (const { name, version } of resources.values()) {
      if (typeUrl === TYPE_URLS.listener && unbound.has(name)) continue;
      if (typeUrl === TYPE_URLS.secret && !isAsked(name)) continue;
      if (!stream.isInForce({ typeUrl, name, version })) return 'pending';
    }
  }
  if (judged.length > 0 || unplaced !== undefined) return 'unbound';
  return stream.isSynced() ? 'synced' : 'pending';
}

/** Of one stream of a static Envoy, which takes neither listeners nor clusters. */
function toSecretsState({ stream, sent, certificate }: Member): ProxyState {
  if (sent === undefined || certificate.kind !== 'asked') return 'pending';
  return judgeSecrets(stream, sent.snapshot);
}

/** So many are named, each by so many characters. */
const NAMED = 5;
const MAX_NAME = 100;

function toUnknownTexts(names: readonly string[], snapshot: Snapshot | undefined): string[] {
  if (names.length === 0) return [];
  const named = names.slice(0, NAMED).map((name) => JSON.stringify(toShortText(name, MAX_NAME)));
  const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : '';
  const all = [...(snapshot?.get(TYPE_URLS.secret)?.resources.keys() ?? [])].join(', ');
  return [`there is no secret ${named.join(', ')}${more} for it, but ${all}`];
}

const INBOUND_TYPES: ReadonlySet<string> = new Set([TYPE_URLS.route, TYPE_URLS.extension]);

/** What is rejected of another type is never a listener's address. */
const REJECTED: Judged = { bindFailures: [], isOther: true };

function toListener({ listener }: BindFailure): string {
  return listener;
}
