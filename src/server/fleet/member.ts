// One stream of a sidecar: how far its certificate is, what it was sent, and what both mean. The
// certificate and the configuration have a state each; whatever changes one goes through `set`.
import type { LeafSettings } from '../../leaves/index.js';
import { isCallersSecret } from '../../translate/index.js';
import { isUnderWay, rejectionOf, type Snapshot, TYPE_URLS } from '../../xds/index.js';
import type { ProxyState } from '../mesh/index.js';
import type { SidecarStream } from './sidecar-stream.js';

export type CertificateState =
  /** Nothing is certified: its service is not declared, or it is shut out. */
  | { readonly kind: 'none' }
  /** A certificate by these settings is being made sure of; an earlier one may be in force. */
  | { readonly kind: 'making'; readonly settings: LeafSettings }
  /** There is one by these settings. */
  | { readonly kind: 'ready'; readonly settings: LeafSettings }
  /** There is none by these settings; an earlier one may be in force. */
  | { readonly kind: 'failed'; readonly settings: LeafSettings; readonly reason: string };

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
  #states: MemberStates = { certificate: { kind: 'none' }, configuration: { kind: 'none' } };
  /** As last computed; undefined since something happened that may have changed it. */
  #judged: ProxyState | undefined;

  constructor(stream: SidecarStream) {
    this.stream = stream;
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
  }

  get state(): ProxyState {
    this.#judged ??= toState(this);
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
    const { configuration, certificate, sent } = this;
    return [
      ...(configuration.kind === 'stuck' ? [configuration.reason] : []),
      ...(certificate.kind === 'failed' ? [certificate.reason] : []),
      ...(sent?.unplaced === undefined ? [] : [sent.unplaced]),
    ];
  }

  /** Whether the sidecar has its listeners, and the secrets without which they don't serve. */
  get servesNow(): boolean {
    const listeners = this.sent?.snapshot.get(TYPE_URLS.listener);
    if (listeners === undefined) return false;
    return [...listeners.resources.values()].every(({ name, version }) =>
      this.stream.isInForce({ typeUrl: TYPE_URLS.listener, name, version }),
    );
  }
}

/**
 * In force is more than acknowledged: everything that the configuration refers to (routes,
 * endpoints, extension configurations, secrets) must have been asked for and taken, on the same
 * stream.
 */
function toState({ stream, sent, certificate, configuration }: Member): ProxyState {
  if (configuration.kind === 'stuck' || certificate.kind === 'failed') return 'nacked';
  const reports = stream.state();
  const rejections = reports.flatMap((report) => rejectionOf(report) ?? []);
  if (rejections.some((rejection) => !isBindFailure(rejection))) return 'nacked';
  const unbound = new Set(rejections.flatMap(({ resources }) => resources.map(({ name }) => name)));
  if (sent === undefined || certificate.kind !== 'ready') return 'pending';
  if (reports.some(isUnderWay)) return 'pending';
  const { snapshot, unplaced } = sent;
  const needsSecrets = (snapshot.get(TYPE_URLS.cluster)?.resources.size ?? 0) > 0;
  for (const [typeUrl, { resources }] of snapshot) {
    if (typeUrl === TYPE_URLS.secret && !needsSecrets) continue;
    for (const { name, version } of resources.values()) {
      if (typeUrl === TYPE_URLS.listener && unbound.has(name)) continue;
      // Only listeners ask for it, which may be the ones that aren't there.
      if (unbound.size > 0 && isCallersSecret(name)) continue;
      if (!stream.isInForce({ typeUrl, name, version })) return 'pending';
    }
  }
  if (rejections.length > 0 || unplaced !== undefined) return 'unbound';
  return stream.isSynced() ? 'synced' : 'pending';
}

/** Envoy says so in words only (ListenerManagerImpl, 1.36 to 1.40). */
function isBindFailure({ message }: { readonly message: string }): boolean {
  return message.includes('cannot bind');
}
