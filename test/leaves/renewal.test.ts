import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Times } from '../../src/base/index.js';
import type { Leaf } from '../../src/ca/index.js';
import { type LeafSettings, toRenewAtMs } from '../../src/leaves/index.js';
import { planRenewal, type RenewalPlan, type RenewalState } from '../../src/leaves/renewal.js';
import { toTimes } from '../fakes/times.js';
import { WEB } from '../x509/tools.js';

const NOW_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

const SETTINGS: LeafSettings = {
  spiffeId: WEB,
  dnsNames: ['web', 'web.default'],
  ttlMs: 24 * HOUR_MS,
  key: 'ecdsa-p256',
  renewAt: 0.5,
  jitter: 0.05,
};

const LEAF: Leaf = {
  spiffeId: WEB,
  dnsNames: ['web', 'web.default'],
  keyType: 'ecdsa-p256',
  serialHex: '40112233445566778899aabbccddeeff',
  notBeforeMs: NOW_MS - 300_000,
  notAfterMs: NOW_MS + 24 * HOUR_MS,
  issuedAtMs: NOW_MS,
  keyPem: '',
  chainPem: '',
};

const STATE: RenewalState = {
  ...{ leaf: LEAF, settings: SETTINGS, times: toTimes(NOW_MS) },
  ...{ trusted: true, current: true },
};
const RENEW_AT_MS = toRenewAtMs(LEAF, SETTINGS);
const KEEP: RenewalPlan = { action: 'keep', renewAtMs: RENEW_AT_MS };
const issue = (reason: string): unknown => ({ action: 'issue', reason });
const ADMIN = 'spiffe://shop.example/ns/default/sa/admin' as typeof WEB;

/** In hours from now. */
const wide = (earliest: number, latest: number): Times => ({
  nowMs: NOW_MS,
  earliestMs: NOW_MS + earliest * HOUR_MS,
  latestMs: NOW_MS + latest * HOUR_MS,
});
/** A leaf that was made to do now and half a year ahead. */
const back = (): Partial<RenewalState> => {
  const aheadMs = 190 * 24 * HOUR_MS;
  const { issuedAtMs, notAfterMs } = LEAF;
  const leaf = { ...LEAF, issuedAtMs: issuedAtMs + aheadMs, notAfterMs: notAfterMs + aheadMs };
  return { leaf };
};

const ROWS: readonly (readonly [string, Partial<RenewalState>, unknown])[] = [
  ['a fresh leaf', {}, KEEP],
  ['no leaf', { leaf: undefined }, issue('none-yet')],
  ['one millisecond before it is due', { times: toTimes(RENEW_AT_MS - 1) }, KEEP],
  ['the time it is due', { times: toTimes(RENEW_AT_MS) }, issue('due')],
  ['its last millisecond', { times: toTimes(LEAF.notAfterMs - 1) }, issue('due')],
  ['its end', { times: toTimes(LEAF.notAfterMs) }, issue('expired')],
  ['a clock set back before its issue', { times: toTimes(NOW_MS - 300_000) }, KEEP],
  ['a clock set back before its begin', { times: toTimes(NOW_MS - 300_001) }, issue('not-begun')],
  ['a clock in doubt, before which it has begun', { times: wide(-1, 0) }, issue('not-begun')],
  ['a clock in doubt, by which it is due', { times: wide(0, 23) }, issue('due')],
  ['a clock in doubt, by which it has ended', { times: wide(0, 25) }, issue('expired')],
  ['a clock that was set back after it was issued', back(), issue('issued-ahead')],
  ['a root that is trusted no more', { trusted: false }, issue('issuer-gone')],
  ['a root that is being replaced', { current: false }, issue('root-changed')],
  ['another identity', { settings: { ...SETTINGS, spiffeId: ADMIN } }, issue('identity-changed')],
  [
    'a further DNS name',
    { settings: { ...SETTINGS, dnsNames: ['web', 'web.default', 'web.mesh'] } },
    issue('names-changed'),
  ],
  [
    'DNS names in another order',
    { settings: { ...SETTINGS, dnsNames: ['web.default', 'web'] } },
    KEEP,
  ],
  ['another key type', { settings: { ...SETTINGS, key: 'rsa-2048' } }, issue('key-type-changed')],
  [
    'a shorter lifetime',
    { settings: { ...SETTINGS, ttlMs: 23 * HOUR_MS } },
    issue('lifetime-shortened'),
  ],
  ['a longer lifetime', { settings: { ...SETTINGS, ttlMs: 48 * HOUR_MS } }, KEEP],
];

describe('planRenewal', () => {
  it.each(ROWS)('with %s', (_name, change, plan) => {
    expect(planRenewal({ ...STATE, ...change })).toEqual(plan);
  });
});

describe('the time of renewal', () => {
  const serial = fc.stringMatching(/^[0-9a-f]{32}$/);

  it('is within the jitter of the asked share and before the end, and never rolled again', () => {
    const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });
    const spread = fc.double({ min: 0, max: 0.25, noNaN: true });
    fc.assert(
      fc.property(serial, share, spread, (serialHex, renewAt, jitter) => {
        const leaf = { ...LEAF, serialHex };
        const atMs = toRenewAtMs(leaf, { renewAt, jitter });
        const got = (atMs - NOW_MS) / (24 * HOUR_MS);
        expect(Math.abs(got - renewAt)).toBeLessThanOrEqual(jitter + 1e-9);
        expect(atMs).toBeLessThan(leaf.notAfterMs);
        expect(atMs).toBeGreaterThanOrEqual(leaf.issuedAtMs);
        expect(toRenewAtMs({ ...leaf }, { renewAt, jitter })).toBe(atMs);
      }),
      { seed: 3 },
    );
  });

  it('that was over before anybody knew is some time soon, and long before the end', () => {
    const age = fc.double({ min: 0, max: 1, noNaN: true });
    const share = fc.double({ min: 0.1, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(serial, age, share, (serialHex, at, renewAt) => {
        const leaf = { ...LEAF, serialHex };
        const sinceMs = NOW_MS + at * 24 * HOUR_MS;
        const settings = { ...SETTINGS, renewAt };
        const dueMs = toRenewAtMs(leaf, settings);
        const state = { ...STATE, leaf, settings, sinceMs, times: toTimes(sinceMs) };
        const plan = planRenewal(state);
        if (plan.action === 'issue') {
          // Nearer to its end than is good for a pause, or it is due just now.
          const late = Math.min(4.8 * HOUR_MS, (leaf.notAfterMs - dueMs) * 0.4);
          expect(sinceMs >= dueMs + late - 1 || sinceMs === dueMs).toBe(true);
          return;
        }
        expect(plan.renewAtMs).toBeGreaterThanOrEqual(Math.min(sinceMs, dueMs));
        expect(plan.renewAtMs).toBeLessThanOrEqual(dueMs + 0.4 * (leaf.notAfterMs - dueMs));
      }),
      { seed: 5 },
    );
  });

  it('is spread evenly over nodes that started together', () => {
    const serials = fc.sample(serial, { seed: 4, numRuns: 1000 });
    const tenths = Array.from({ length: 10 }, () => 0);
    for (const serialHex of serials) {
      const share = (toRenewAtMs({ ...LEAF, serialHex }, SETTINGS) - NOW_MS) / (24 * HOUR_MS);
      const tenth = Math.floor(((share - 0.45) / 0.1) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(tenths).toHaveLength(10);
    expect(Math.min(...tenths)).toBeGreaterThan(60);
  });
});
