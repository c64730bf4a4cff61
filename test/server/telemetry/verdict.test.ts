// Whether what a sidecar took is in force, from what it acknowledged and what it reports.
import { expect, it } from 'vitest';
import { type Sample, toSample, toVersionHash } from '../../../src/server/telemetry/sample.js';
import { type Evidence, inForce } from '../../../src/server/telemetry/verdict.js';

const LIVE: Sample = {
  ...{ listeners: toVersionHash('v2'), warming: 0, isStarting: false },
  draining: { chains: 0, listeners: 0 },
};
const TAKEN: Evidence = {
  listeners: toVersionHash('v2'),
  sample: LIVE,
  isFresh: true,
  isRecent: true,
  hasAsked: false,
};

it.each<[string, Partial<Evidence>, ReturnType<typeof inForce>]>([
  ['all is as it took it', {}, 'in-force'],
  ['a listener warms', { sample: { ...LIVE, warming: 1 } }, 'warming'],
  ['it starts', { sample: { ...LIVE, isStarting: true } }, 'warming'],
  ['it has other listeners', { sample: { ...LIVE, listeners: toVersionHash('v1') } }, 'warming'],
  [
    'it has other listeners for long',
    { isRecent: false, sample: { ...LIVE, listeners: toVersionHash('v1') } },
    'unknown',
  ],
  ['a listener warms for long', { isRecent: false, sample: { ...LIVE, warming: 1 } }, 'warming'],
  ['nothing newer came for long', { isFresh: false, hasAsked: true, isRecent: false }, 'unknown'],
  ['it has no listeners', { sample: { ...LIVE, listeners: undefined } }, 'warming'],
  [
    'it drains, which is no fault',
    { sample: { ...LIVE, draining: { chains: 9, listeners: 1 } } },
    'in-force',
  ],
  ['it is silent', { sample: undefined }, 'unknown'],
  ['it is silent, and was awaited', { sample: undefined, hasAsked: true }, 'unknown'],
  ['the sample is older', { isFresh: false }, 'unknown'],
  [
    'the sample is older, and shows what was before',
    { isFresh: false, sample: { ...LIVE, warming: 1 } },
    'unknown',
  ],
  [
    'the sample is older, and a newer one is awaited',
    { isFresh: false, hasAsked: true },
    'warming',
  ],
  ['it rejected some listeners', { listeners: undefined }, 'unknown'],
  [
    'it rejected some, and others warm',
    { listeners: undefined, sample: { ...LIVE, warming: 2 } },
    'warming',
  ],
])('%s', (_what, changes, verdict) => {
  expect(inForce({ ...TAKEN, ...changes })).toBe(verdict);
});

it.each([
  [{}, { listeners: undefined, warming: 0, isStarting: false }],
  [
    { lds: 5, warming: 2, state: 0 },
    { listeners: 5, warming: 2, isStarting: false },
  ],
  // After /healthcheck/fail it serves on.
  [{ state: 1 }, { isStarting: false }],
  [{ state: 2 }, { isStarting: true }],
  [{ state: 3 }, { isStarting: true }],
  [{ 'draining-chains': 3, 'draining-listeners': 1 }, { draining: { chains: 3, listeners: 1 } }],
])('gauges %o', (gauges, sample) => {
  expect(toSample({ gauges: new Map(Object.entries(gauges)) })).toMatchObject(sample);
});
