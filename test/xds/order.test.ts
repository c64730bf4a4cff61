import { expect, test } from 'vitest';
import {
  createSession,
  DEFAULT_SESSION_LIMITS,
  type Effect,
  step,
  TYPE_URLS,
} from '../../src/xds/index.js';
import { toSnapshot } from './script.js';

const { cluster, listener } = TYPE_URLS;
const rows = [
  ['of all types', undefined, DEFAULT_SESSION_LIMITS.orderTimeoutMs],
  ['of its own', new Map([[cluster, 100]]), 100],
  ['of another type', new Map([[listener, 100]]), DEFAULT_SESSION_LIMITS.orderTimeoutMs],
] as const;

test.each(rows)('what may hold the next type back has a deadline: %s', (_name, byType, afterMs) => {
  const limits = { ...DEFAULT_SESSION_LIMITS, ...(byType && { orderTimeoutMsByType: byType }) };
  const session = createSession('sotw', limits);
  step(session, { kind: 'snapshot', snapshot: toSnapshot(['cds:a@1', 'lds:l@1']) });
  const ask = (typeUrl: string): readonly Effect[] => {
    const interest = { variant: 'sotw', names: [], versionInfo: '' } as const;
    return step(session, { kind: 'request', request: { typeUrl, nonce: '', interest } });
  };
  expect(ask(cluster).map(({ kind }) => kind)).toEqual(['send']);
  expect(ask(listener)).toEqual([{ kind: 'alarm', typeUrl: cluster, nonce: '1', afterMs }]);
  const effects = step(session, { kind: 'alarm', typeUrl: cluster, nonce: '1' });
  expect(effects.map(({ kind }) => kind)).toEqual(['send']);
});
