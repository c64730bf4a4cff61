import { expect, it } from 'vitest';
import { readConnectionLimits } from '../../../../src/server/join/bounds/index.js';

it.each([
  [20_000, { all: 17_372, ofAddress: 5_000, unproved: 2_000 }],
  [1_048_576, { all: 20_000, ofAddress: 5_000, unproved: 2_000 }],
  [1_024, { all: 768, ofAddress: 768, unproved: 384 }],
  [64, { all: 1, ofAddress: 1, unproved: 1 }],
])('of %i files some are kept for the admin port and the disk', (files, limits) => {
  expect(readConnectionLimits(5_000, files)).toEqual(limits);
});

it('the limit of this process is known', () => {
  expect(readConnectionLimits(5_000).all).toBeGreaterThan(64);
});
