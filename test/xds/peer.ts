// A client that follows the protocol and checks, at each message, what a server may never do:
// - nonces rise; one response a type is unanswered; nothing comes after the end;
// - a response isn't empty of reason: its content is new to this client, or was asked for (again);
// - content that was rejected alone doesn't come again, nor a rejected secret;
// - new content refers to nothing that this client lacks;
// - a heartbeat is of what this client holds, and comes only after time went by;
// - SotW: no name twice, nothing that wasn't asked for.
import assert from 'node:assert/strict';
import {
  type Interest,
  type Request,
  type Resource,
  type Response,
  TYPE_URLS,
  traitsOf,
  type Variant,
} from '../../src/xds/index.js';

interface Interests {
  wildcard: boolean;
  readonly names: Set<string>;
  /** Version by name of what this client has taken. */
  readonly held: Map<string, string>;
  /** `name@version` that it has rejected. */
  readonly rejected: Set<string>;
  /** All that it ever rejected: may be missing for good. */
  readonly everRejected: Set<string>;
  /** Names in rejected responses: who knows what was taken of them. */
  readonly unsure: Set<string>;
  /** Something was asked for since the last response was sent: repetition is allowed. */
  asked: boolean;
  /** Time went by: what has a TTL may be said again. */
  late: boolean;
  unanswered: Response | undefined;
  nonce: string;
}

export class FakePeer {
  readonly #variant: Variant;
  readonly #types = new Map<string, Interests>();
  #lastNonce = 0;
  #ended = false;

  constructor(variant: Variant) {
    this.#variant = variant;
  }

  end(): void {
    this.#ended = true;
  }

  held(typeUrl: string): ReadonlyMap<string, string> {
    return this.#of(typeUrl).held;
  }

  names(typeUrl: string): ReadonlySet<string> {
    return this.#of(typeUrl).names;
  }

  isWildcard(typeUrl: string): boolean {
    return this.#of(typeUrl).wildcard;
  }

  everRejected(typeUrl: string): ReadonlySet<string> {
    return this.#of(typeUrl).everRejected;
  }

  unanswered(): readonly Response[] {
    return [...this.#types.values()].flatMap(({ unanswered }) => unanswered ?? []);
  }

  /** Takes a response and keeps it until `answer`. */
  receive(response: Response): void {
    const { typeUrl, nonce } = response;
    const type = this.#of(typeUrl);
    assert(!this.#ended, 'a response after the end');
    assert(Number(nonce) > this.#lastNonce, `nonce ${nonce} after ${this.#lastNonce}`);
    assert(type.unanswered === undefined, `two unanswered responses of ${typeUrl}`);
    this.#lastNonce = Number(nonce);
    const names = response.resources.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, 'a name twice in one response');
    for (const name of names) assert(type.wildcard || type.names.has(name), `unasked: ${name}`);
    for (const { name, version } of response.resources) {
      const accepted = type.held.get(name) === version;
      assert(accepted || !type.rejected.has(`${name}@${version}`), `again: ${name}@${version}`);
    }
    for (const resource of response.resources) this.#checkReferences(type, resource);
    const isNew = response.resources.some(({ name, version }) => type.held.get(name) !== version);
    const wasHeld = response.removed.some((name) => type.held.has(name));
    const isLess =
      this.#variant === 'sotw' && [...type.held.keys()].some((name) => !names.includes(name));
    const isUnsure = type.unsure.size > 0;
    const isBeat = type.late && this.#hasBeat(response);
    for (const { name, version } of response.heartbeats) {
      assert.equal(type.held.get(name), version, `a heartbeat of what is not held: ${name}`);
    }
    assert(
      isNew || wasHeld || isLess || isUnsure || isBeat || type.asked,
      `nothing new in ${typeUrl} ${nonce}`,
    );
    type.asked = false;
    type.late = false;
    type.unanswered = response;
    type.nonce = nonce;
    // A changed resource may wait for its dependents to be sent again.
    const { renews } = traitsOf(typeUrl);
    const renewed = renews === undefined ? undefined : this.#of(renews);
    if (renewed !== undefined && isNew) renewed.asked = true;
  }

  /** New content refers to nothing that is missing here, of the types that are taken as a whole. */
  #checkReferences(type: Interests, { name, version, references = [] }: Resource): void {
    if (type.held.get(name) === version) return;
    for (const to of references) {
      const target = this.#types.get(to.typeUrl);
      if (target === undefined || !traitsOf(to.typeUrl).absenceDeletes) continue;
      const isUnderWay = target.unanswered?.resources.some((one) => one.name === to.name);
      assert(target.held.has(to.name) || isUnderWay, `${name} refers to ${to.name}`);
    }
  }

  #hasBeat({ heartbeats, resources }: Response): boolean {
    if (this.#variant === 'delta') return heartbeats.length > 0;
    return resources.some(({ ttlMs }) => ttlMs !== undefined);
  }

  /** A new stream: what is unanswered is lost, nonces start anew; returns its first requests. */
  reconnect(): readonly Request[] {
    this.#lastNonce = 0;
    return [...this.#types].flatMap(([typeUrl, type]) => {
      type.unanswered = undefined;
      type.nonce = '';
      // Without a name it would be the legacy wildcard.
      if (!type.wildcard && type.names.size === 0) return [];
      // The server doesn't know what this client rejected, nor when it was told what it holds.
      type.rejected.clear();
      type.late = true;
      type.asked = this.#variant === 'sotw' || traitsOf(typeUrl).answerAlways;
      if (this.#variant === 'sotw') {
        return { typeUrl, nonce: '', interest: this.#interest(type, [], []) };
      }
      const subscribe = [...(type.wildcard ? ['*'] : []), ...type.names];
      type.asked ||= [...type.names].some((name) => !type.held.has(name)) || type.held.size === 0;
      const initialVersions = new Map(type.held);
      return {
        typeUrl,
        nonce: '',
        interest: { variant: 'delta', subscribe, unsubscribe: [], initialVersions },
      };
    });
  }

  /** Names are gone that SotW can't take away: they are sent again when they come back. */
  vanish(typeUrl: string, isThere: (name: string) => boolean): void {
    if (this.#variant === 'delta' || traitsOf(typeUrl).absenceDeletes) return;
    const type = this.#of(typeUrl);
    if (![...type.held.keys()].every(isThere)) type.asked = true;
  }

  /** An alarm rang. */
  tick(): void {
    for (const type of this.#types.values()) type.late = true;
  }

  /** ACKs or NACKs what is unanswered, with the subscription as it is now. */
  answer(typeUrl: string, error?: string): Request {
    const type = this.#of(typeUrl);
    const { unanswered } = type;
    assert(unanswered !== undefined, 'nothing to answer');
    type.unanswered = undefined;
    const covered = (name: string): boolean => type.wildcard || type.names.has(name);
    const names = [...unanswered.resources.map(({ name }) => name), ...unanswered.removed];
    if (error === undefined) {
      for (const name of names) type.unsure.delete(name);
      if (this.#variant === 'sotw' && traitsOf(typeUrl).absenceDeletes) type.held.clear();
      for (const name of unanswered.removed) type.held.delete(name);
      for (const { name, version } of unanswered.resources) {
        if (covered(name)) type.held.set(name, version);
      }
    } else {
      const left = this.#variant === 'sotw' ? [...type.held.keys()] : [];
      for (const name of [...names, ...left]) type.unsure.add(name);
      const isSecret = typeUrl === TYPE_URLS.secret;
      const fresh = unanswered.resources.filter(
        ({ name, version }) => type.held.get(name) !== version,
      );
      for (const { name, version } of unanswered.resources) {
        if (type.held.get(name) === version) continue;
        // One of several may be tried again, to find which of them is at fault.
        if (fresh.length === 1 || isSecret) type.rejected.add(`${name}@${version}`);
        type.everRejected.add(`${name}@${version}`);
      }
    }
    const request = { typeUrl, nonce: unanswered.nonce, interest: this.#interest(type, [], []) };
    return error === undefined ? request : { ...request, error: { code: 3, message: error } };
  }

  /** Content that the server no longer has may come back one day. */
  forgive(typeUrl: string, isCurrent: (nameAndVersion: string) => boolean): void {
    const { rejected } = this.#of(typeUrl);
    for (const one of rejected) if (!isCurrent(one)) rejected.delete(one);
  }

  /** Changes the subscription; `*` is the wildcard. */
  subscribe(typeUrl: string, change: { add: readonly string[]; drop: readonly string[] }): Request {
    const type = this.#of(typeUrl);
    for (const name of change.drop) {
      if (name === '*') type.wildcard = false;
      else type.names.delete(name);
    }
    for (const name of change.add) {
      if (name === '*') type.wildcard = true;
      else type.names.add(name);
    }
    if (!type.wildcard) {
      for (const name of type.held.keys()) if (!type.names.has(name)) type.held.delete(name);
      this.forgive(typeUrl, (one) => type.names.has(one.replace(/@.*/, '')));
    }
    type.asked = true;
    // A client that has seen a response says so, though it hasn't decided on it yet.
    const nonce = this.#variant === 'sotw' && type.unanswered === undefined ? type.nonce : '';
    return { typeUrl, nonce, interest: this.#interest(type, change.add, change.drop) };
  }

  #interest(type: Interests, add: readonly string[], drop: readonly string[]): Interest {
    if (this.#variant === 'delta') {
      return { variant: 'delta', subscribe: add, unsubscribe: drop, initialVersions: new Map() };
    }
    const names = [...(type.wildcard ? ['*'] : []), ...type.names];
    return { variant: 'sotw', names, versionInfo: '' };
  }

  #of(typeUrl: string): Interests {
    const known = this.#types.get(typeUrl);
    if (known !== undefined) return known;
    const type: Interests = {
      wildcard: false,
      names: new Set(),
      held: new Map(),
      rejected: new Set(),
      everRejected: new Set(),
      unsure: new Set(),
      asked: false,
      late: false,
      unanswered: undefined,
      nonce: '',
    };
    this.#types.set(typeUrl, type);
    return type;
  }
}
