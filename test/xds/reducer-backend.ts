import {
  createSession,
  DEFAULT_SESSION_LIMITS,
  type Effect,
  isInForce,
  isSynced,
  type Response,
  type SessionEvent,
  step,
  toReports,
  type Variant,
} from '../../src/xds/index.js';
import type { Backend, Heard } from './script.js';

export function toHeard({ typeUrl, nonce, resources, removed }: Response): Heard {
  return {
    typeUrl,
    nonce,
    resources: resources.map(({ value }) => Buffer.from(value).toString()).sort(),
    removed: [...removed].sort(),
  };
}

/** Scripts on the bare reducer: "nothing" is an empty list of effects. */
export function createReducerBackend(variant: Variant, typeUrl?: string): Backend {
  const session = createSession(variant, { ...DEFAULT_SESSION_LIMITS, maxNames: 5 }, typeUrl);
  const responses: Response[] = [];
  let failure: string | undefined;
  const perform = (effect: Effect): void => {
    if (effect.kind === 'send') responses.push(effect.response);
    if (effect.kind === 'fail') failure = effect.error.code;
  };
  const feed = async (event: SessionEvent): Promise<void> => step(session, event).forEach(perform);
  return {
    setSnapshot: (snapshot) => feed({ kind: 'snapshot', snapshot }),
    send: (request) => feed({ kind: 'request', request }),
    next: async () => {
      const response = responses.shift();
      return response && toHeard(response);
    },
    failure: async () => failure,
    alarm: (typeUrl) =>
      feed({ kind: 'alarm', typeUrl, nonce: session.types.get(typeUrl)?.inFlight?.nonce ?? '' }),
    state: () => toReports(session),
    isSynced: () => isSynced(session),
    isInForce: (resource) => isInForce(session, resource),
    close: () => feed({ kind: 'end' }),
  };
}
