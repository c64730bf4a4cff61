import { describe, expect, it } from 'vitest';
import type { MeshError } from '../../../src/base/index.js';
import type { Caller } from '../../../src/grpc/index.js';
import { FAILURE_BURST, FailureLimit } from '../../../src/server/join/failure-limit.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const caller = (authorization: string | undefined, address = '10.0.0.1'): Caller => ({
  address,
  authorization,
  certificate: undefined,
});
const GOOD = caller('Bearer good');
const BAD = caller('Bearer bad');

function isLookedAt(limit: FailureLimit, one: Caller): boolean {
  try {
    limit.check(one);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'resource-limit' });
    expect(`${(error as MeshError).message}`).not.toContain('bad');
    return false;
  }
}

function exhausted(options: { readonly good?: readonly Caller[] } = {}) {
  const clock = new ManualClock();
  const limit = new FailureLimit(clock);
  for (const one of options.good ?? []) limit.passed(one);
  for (let i = 0; i < FAILURE_BURST; i++) {
    expect(isLookedAt(limit, BAD)).toBe(true);
    limit.failed(BAD);
  }
  return { clock, limit };
}

describe('an address whose failures are used up', () => {
  it('is refused unread', () => {
    const { limit } = exhausted();
    expect(isLookedAt(limit, BAD)).toBe(false);
    expect(isLookedAt(limit, caller('Bearer another'))).toBe(false);
    expect(isLookedAt(limit, caller(undefined))).toBe(false);
  });

  it('has credentials looked at that were good before', () => {
    const { limit } = exhausted({ good: [GOOD] });
    expect(isLookedAt(limit, GOOD)).toBe(true);
  });

  it('has no more than the same credential looked at', () => {
    const { limit } = exhausted({ good: [GOOD] });
    const same = { ...GOOD, certificate: Buffer.from('certificate') };
    expect(isLookedAt(limit, same)).toBe(false);
  });

  it('has a good certificate looked at', () => {
    const shown = { ...caller(undefined), certificate: Buffer.from('certificate') };
    const { limit } = exhausted({ good: [shown] });
    expect(isLookedAt(limit, shown)).toBe(true);
  });

  it('has what was good and is no more refused too', () => {
    const { limit } = exhausted({ good: [GOOD] });
    limit.failed(GOOD);
    expect(isLookedAt(limit, GOOD)).toBe(false);
  });

  it('is looked at again a second later, once', () => {
    const { clock, limit } = exhausted();
    clock.advance(1000);
    expect(isLookedAt(limit, BAD)).toBe(true);
    limit.failed(BAD);
    expect(isLookedAt(limit, BAD)).toBe(false);
  });

  it('is forgiven all of it in time', () => {
    const { clock, limit } = exhausted();
    clock.advance(FAILURE_BURST * 1000);
    for (let i = 0; i < FAILURE_BURST; i++) {
      expect(isLookedAt(limit, BAD)).toBe(true);
      limit.failed(BAD);
    }
    expect(isLookedAt(limit, BAD)).toBe(false);
  });

  it('leaves other addresses alone', () => {
    const { limit } = exhausted();
    expect(isLookedAt(limit, caller('Bearer bad', '10.0.0.2'))).toBe(true);
  });
});

it('IPv6 addresses count by /64', () => {
  const limit = new FailureLimit(new ManualClock());
  for (let i = 0; i < FAILURE_BURST; i++) {
    limit.failed(caller('Bearer bad', `2001:db8:0:1::${i.toString(16)}`));
  }
  expect(isLookedAt(limit, caller('Bearer bad', '2001:db8::1:9:8:7:6'))).toBe(false);
  expect(isLookedAt(limit, caller('Bearer bad', '2001:db8:0:2::1'))).toBe(true);
  expect(isLookedAt(limit, caller('Bearer bad', '::1'))).toBe(true);
});

it('what is remembered is bounded: of 10,000 addresses more, the first is forgotten', () => {
  const { limit } = exhausted();
  for (let i = 0; i < 10_000; i++) limit.failed(caller('x', `10.${i >> 16}.${i >> 8}.${i}.`));
  expect(isLookedAt(limit, BAD)).toBe(true);
});
