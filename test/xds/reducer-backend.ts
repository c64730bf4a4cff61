import {
  DEFAULT_SESSION_LIMITS,
  type Effect,
  isInForce,
  isSynced,
  type Response,
  type SessionEvent,
  toReports,
  type Variant,
} from '../../src/xds/index.js';
import { runSession } from './running-session.js';
import type { Backend, Heard } from './script.js';

export function toHeard(response: Response): Heard {
  const { typeUrl, nonce, resources, removed, heartbeats, unresolved = [] } = response;
  const values = resources.map(({ value }) => Buffer.from(value).toString());
  return {
    typeUrl,
    nonce,
    resources: [
      ...values,
      ...heartbeats.map(({ name }) => `~${name}`),
      ...unresolved.map((name) => `?${name}`),
    ].sort(),
    removed: [...removed].sort(),
  };
}

/** Scripts on the bare reducer: "nothing" is an empty list of effects. */
export function createReducerBackend(variant: Variant, typeUrl?: string): Backend {
  const session = runSession(variant, { limits: { maxNames: 5 }, typeUrl });
  const responses: Response[] = [];
  let alarms: { typeUrl: string; nonce: string; dueMs: number }[] = [];
  let now = 0;
  let failure: string | undefined;
  const perform = (effect: Effect): void => {
    if (effect.kind === 'send') responses.push(effect.response);
    if (effect.kind === 'alarm') alarms.push({ ...effect, dueMs: now + effect.afterMs });
    if (effect.kind === 'fail') failure = effect.error.code;
  };
  const feed = async (event: SessionEvent): Promise<void> => session.feed(event).forEach(perform);
  return {
    setSnapshot: (snapshot) => feed({ kind: 'snapshot', snapshot }),
    send: (request) => feed({ kind: 'request', request }),
    next: async () => {
      const response = responses.shift();
      return response && toHeard(response);
    },
    failure: async () => failure,
    defer({ typeUrl, name }) {
      session.feed({ kind: 'await', typeUrl, names: [name] }).forEach(perform);
      return () => session.feed({ kind: 'answer', typeUrl, names: [name] }).forEach(perform);
    },
    alarm: async () => {
      now += DEFAULT_SESSION_LIMITS.orderTimeoutMs;
      const due = alarms.filter(({ dueMs }) => dueMs <= now);
      alarms = alarms.filter(({ dueMs }) => dueMs > now);
      for (const { typeUrl, nonce } of due) await feed({ kind: 'alarm', typeUrl, nonce });
    },
    state: () => toReports(session.now),
    isSynced: () => isSynced(session.now),
    isInForce: (resource) => isInForce(session.now, resource),
    close: () => feed({ kind: 'end' }),
  };
}
