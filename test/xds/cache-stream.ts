// A stream as a cache sees it, on the bare reducer, with a client that takes all that it is sent.
import {
  type CacheHooks,
  type Request,
  type ResourceRef,
  type SessionEvent,
  type SessionLimits,
  type Snapshot,
  toReports,
  type Variant,
} from '../../src/xds/index.js';
import { type RunningSession, runSession } from './running-session.js';

export class FakeStream {
  readonly node: { readonly id: string };
  /** What the client was sent: `name@version` and `-name`, a list a response. */
  readonly heard: string[][] = [];
  readonly versions: string[] = [];
  readonly #variant: Variant;
  readonly #session: RunningSession;
  readonly #names = new Map<string, readonly string[]>();

  constructor(id: string, variant: Variant, limits: Partial<SessionLimits> = {}) {
    this.node = { id };
    this.#variant = variant;
    this.#session = runSession(variant, { limits });
  }

  setSnapshot(snapshot: Snapshot): void {
    this.#feed({ kind: 'snapshot', snapshot });
  }

  defer({ typeUrl, name }: ResourceRef): () => void {
    this.#feed({ kind: 'await', typeUrl, names: [name] });
    return () => this.#feed({ kind: 'answer', typeUrl, names: [name] });
  }

  checkSnapshot(snapshot: Snapshot): void {
    this.#feed({ kind: 'check', snapshot });
  }

  state(): ReturnType<typeof toReports> {
    return toReports(this.#session.now);
  }

  /** Asks for just those names. */
  ask(hooks: CacheHooks<FakeStream>, typeUrl: string, names: readonly string[]): void {
    const before = this.#names.get(typeUrl) ?? [];
    this.#names.set(typeUrl, names);
    const added = names.filter((name) => !before.includes(name));
    const dropped = before.filter((name) => !names.includes(name));
    const request = this.#toRequest(typeUrl, { added, dropped });
    void Promise.resolve(hooks.onRequest(this, request)).catch(() => undefined);
    this.#feed({ kind: 'request', request });
    void Promise.resolve(hooks.onUpdate(this, { typeUrl })).catch(() => undefined);
  }

  /** Delta: asks for a name that it asks for already. */
  askAgain(hooks: CacheHooks<FakeStream>, typeUrl: string, name: string): void {
    const request = this.#toRequest(typeUrl, { added: [name], dropped: [] });
    void Promise.resolve(hooks.onRequest(this, request)).catch(() => undefined);
    this.#feed({ kind: 'request', request });
    void Promise.resolve(hooks.onUpdate(this, { typeUrl })).catch(() => undefined);
  }

  #toRequest(
    typeUrl: string,
    change: { added: readonly string[]; dropped: readonly string[] },
    nonce = '',
  ): Request {
    const variant = this.#variant;
    const names = this.#names.get(typeUrl) ?? [];
    if (variant === 'sotw')
      return { typeUrl, nonce, interest: { variant, names, versionInfo: '' } };
    const { added: subscribe, dropped: unsubscribe } = change;
    const initialVersions = new Map<string, string>();
    return { typeUrl, nonce, interest: { variant, subscribe, unsubscribe, initialVersions } };
  }

  #feed(event: SessionEvent): void {
    for (const effect of this.#session.feed(event)) {
      if (effect.kind === 'refused') throw effect.error;
      if (effect.kind !== 'send') continue;
      const { typeUrl, nonce, version, resources, removed } = effect.response;
      const names = resources.map((resource) => `${resource.name}@${resource.version}`);
      this.heard.push([...names.sort(), ...removed.map((name) => `-${name}`)]);
      this.versions.push(version);
      const request = this.#toRequest(typeUrl, { added: [], dropped: [] }, nonce);
      this.#feed({ kind: 'request', request });
    }
  }
}
