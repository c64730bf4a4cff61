import { expect, test } from 'vitest';
import { DEFAULT_SESSION_LIMITS, type Effect, TYPE_URLS } from '../../src/xds/index.js';
import { runSession } from './running-session.js';
import { toSnapshot } from './script.js';

const { cluster, listener } = TYPE_URLS;
const rows = [
  ['of all types', undefined, DEFAULT_SESSION_LIMITS.orderTimeoutMs],
  ['of its own', new Map([[cluster, 100]]), 100],
  ['of another type', new Map([[listener, 100]]), DEFAULT_SESSION_LIMITS.orderTimeoutMs],
] as const;

test.each(rows)('what may hold the next type back has a deadline: %s', (_name, byType, afterMs) => {
  const limits = { ...DEFAULT_SESSION_LIMITS, ...(byType && { orderTimeoutMsByType: byType }) };
  const session = runSession('sotw', { limits });
  session.feed({ kind: 'snapshot', snapshot: toSnapshot(['cds:a@1', 'lds:l@1']) });
  const ask = (typeUrl: string): readonly Effect[] => {
    const interest = { variant: 'sotw', names: [], versionInfo: '' } as const;
    return session.feed({ kind: 'request', request: { typeUrl, nonce: '', interest } });
  };
  expect(ask(cluster).map(({ kind }) => kind)).toEqual(['send']);
  expect(ask(listener)).toEqual([{ kind: 'alarm', typeUrl: cluster, nonce: '1', afterMs }]);
  const effects = session.feed({ kind: 'alarm', typeUrl: cluster, nonce: '1' });
  expect(effects.map(({ kind }) => kind)).toEqual(['send']);
});
