import { serviceName } from '../../src/policy/index.js';
import type { Fleet } from '../../src/server/fleet/index.js';
import type { Sidecar } from '../../src/server/join/index.js';
import {
  createSession,
  isInForce,
  isSynced,
  type Request,
  type Response,
  type SessionEvent,
  type Snapshot,
  step,
  TYPE_URLS,
  toReports,
  type Variant,
} from '../../src/xds/index.js';
import { FakeStream, fakeSidecar } from './fake-stream.js';

const typeUrl = TYPE_URLS.secret;
const NO_VERSIONS: ReadonlyMap<string, string> = new Map();

export interface SecretStreamOptions {
  readonly service?: string;
  readonly address?: string;
  readonly variant?: Variant;
  readonly changes?: Partial<Sidecar>;
}

/**
 * One SDS stream of a static Envoy: the protocol is the real one, and what the Envoy says is the
 * test's to say.
 */
export class SecretStream extends FakeStream {
  /** What it was sent and hasn't answered, the newest last. */
  readonly unanswered: Response[] = [];
  readonly #fleet: Fleet;
  readonly #variant: Variant;
  #session;

  constructor(fleet: Fleet, options: SecretStreamOptions = {}) {
    const { service = 'gateway', address = '10.0.0.9', variant = 'delta', changes } = options;
    super({ ...fakeSidecar(serviceName(service), address), isStatic: true, ...changes });
    this.#fleet = fleet;
    this.#variant = variant;
    this.#session = createSession(variant, {}, typeUrl);
    Object.assign(this.stream, {
      ...{ variant, typeUrl },
      setSnapshot: (snapshot: Snapshot) => {
        this.sent.push(snapshot);
        this.#step({ kind: 'snapshot', snapshot });
      },
      state: () => toReports(this.#session),
      isInForce: (resource: Parameters<typeof isInForce>[1]) => isInForce(this.#session, resource),
      isSynced: () => isSynced(this.#session),
    });
  }

  /** @param has What it has from an earlier stream. */
  ask(names: readonly string[], has = NO_VERSIONS): void {
    this.#request({ typeUrl, nonce: '', interest: this.#toInterest(names, has) });
  }

  /** It has taken what it was sent last. */
  ack(): void {
    this.#answer({});
  }

  nack(message: string): void {
    this.#answer({ error: { code: 13, message } });
  }

  #answer(error: Pick<Request, 'error'>): void {
    const nonce = this.unanswered.pop()?.nonce ?? '';
    this.unanswered.length = 0;
    const names = [...(this.stream.state()[0]?.names ?? [])];
    const interest = this.#toInterest(this.#variant === 'sotw' ? names : [], NO_VERSIONS);
    this.#request({ typeUrl, nonce, interest, ...error });
  }

  #toInterest(names: readonly string[], initialVersions: ReadonlyMap<string, string>) {
    return this.#variant === 'sotw'
      ? ({ variant: 'sotw', names, versionInfo: '' } as const)
      : ({ variant: 'delta', subscribe: names, unsubscribe: [], initialVersions } as const);
  }

  #request(request: Request): void {
    this.#fleet.onRequest(this.stream, request);
    const effects = this.#step({ kind: 'request', request });
    const answer = effects.find(({ kind }) => kind === 'acked' || kind === 'nacked');
    const update = answer?.kind === 'acked' || answer?.kind === 'nacked' ? answer : undefined;
    this.#fleet.onUpdate(this.stream, update ?? { kind: 'request', typeUrl });
  }

  #step(event: SessionEvent) {
    const { session, effects } = step(this.#session, event);
    this.#session = session;
    for (const effect of effects) if (effect.kind === 'send') this.unanswered.push(effect.response);
    return effects;
  }
}
