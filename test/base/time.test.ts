import { expect, it } from 'vitest';
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
  toRfc3339,
  toSeconds,
  toSecondsAndNanos,
  toSpan,
} from '../../src/base/index.js';

it.each([
  [0, '0s'],
  [-5 * SECOND_MS, '0s'],
  [1_999, '1s'],
  [2 * MINUTE_MS - 1, '119s'],
  [2 * MINUTE_MS, '2m'],
  [90 * MINUTE_MS, '90m'],
  [36 * HOUR_MS, '36h'],
  [2 * DAY_MS, '2d'],
  [400 * DAY_MS, '400d'],
])('a span of %d ms is %s', (ms, text) => {
  expect(toSpan(ms)).toBe(text);
});

it('seconds, with their fraction and with the rest in nanoseconds', () => {
  expect([toSeconds(1_500), toSeconds(DAY_MS)]).toEqual([1.5, 86_400]);
  expect(toSecondsAndNanos(1_500)).toEqual({ seconds: 1, nanos: 500_000_000 });
  expect(toSecondsAndNanos(0.25)).toEqual({ seconds: 0, nanos: 250_000 });
});

it('RFC 3339, in UTC and with milliseconds', () => {
  expect(toRfc3339(0)).toBe('1970-01-01T00:00:00.000Z');
});
