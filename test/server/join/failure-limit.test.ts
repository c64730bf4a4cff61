import { describe, expect, it } from 'vitest';
import type { MeshError } from '../../../src/base/index.js';
import type { Caller } from '../../../src/grpc/index.js';
import {
  FAILURE_BURST,
  FailureLimit,
  ISSUER_FAILURES,
} from '../../../src/server/join/failure-limit.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const caller = (authorization: string | undefined, address = '10.0.0.1'): Caller => ({
  address,
  authorization,
  certificate: undefined,
});
const jwt = (iss: string, signature: string, kid = 'key'): string =>
  `Bearer ${[{ kid }, { iss }].map(toPart).join('.')}.${signature}`;
const toPart = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const OURS = 'countersign';
const OUTSIDE = 'https://id.example';
const GOOD = caller(jwt(OUTSIDE, 'good'));
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

function exhausted(bad = BAD) {
  const clock = new ManualClock();
  const limit = new FailureLimit(clock);
  for (let i = 0; i < FAILURE_BURST; i++) {
    expect(isLookedAt(limit, bad)).toBe(true);
    limit.failed(bad);
  }
  return { clock, limit };
}

describe('a credential whose failures are used up', () => {
  it('is refused unread, from any address', () => {
    const { limit } = exhausted();
    expect(isLookedAt(limit, BAD)).toBe(false);
    expect(isLookedAt(limit, { ...BAD, address: '10.0.0.2' })).toBe(false);
  });

  it('shuts out nobody who shows another one', () => {
    const { limit } = exhausted();
    expect(isLookedAt(limit, caller('Bearer another'))).toBe(true);
    expect(isLookedAt(limit, caller(undefined))).toBe(true);
    expect(isLookedAt(limit, { ...BAD, certificate: Buffer.from('certificate') })).toBe(true);
  });

  it('may be a certificate', () => {
    const shown = { ...caller(undefined), certificate: Buffer.from('certificate') };
    expect(isLookedAt(exhausted(shown).limit, shown)).toBe(false);
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
});

it('that nothing is shown has no limit: it costs nothing', () => {
  const none = caller(undefined);
  expect(isLookedAt(exhausted(none).limit, none)).toBe(true);
});

/** So many different tokens that fail, of one key. */
function floodOf(iss: string, address?: string) {
  const clock = new ManualClock();
  const limit = new FailureLimit(clock);
  limit.passed(GOOD);
  for (let i = 0; i < ISSUER_FAILURES.burst; i++) {
    limit.failed(caller(jwt(iss, `bad-${i}`), address));
  }
  return { clock, limit };
}

describe('different tokens of one key and address that fail', () => {
  it('are looked at each, where they are ours', () => {
    const { limit } = floodOf(OURS);
    expect(isLookedAt(limit, caller(jwt(OURS, 'bad')))).toBe(true);
  });

  it('are refused unread, where they are an outside issuer’s', () => {
    const { clock, limit } = floodOf(OUTSIDE);
    expect(isLookedAt(limit, caller(jwt(OUTSIDE, 'bad')))).toBe(false);
    clock.advance(1000);
    expect(isLookedAt(limit, caller(jwt(OUTSIDE, 'bad')))).toBe(true);
  });

  it('shut out no token that was good before, until that fails', () => {
    const { limit } = floodOf(OUTSIDE);
    expect(isLookedAt(limit, GOOD)).toBe(true);
    limit.failed(GOOD);
    expect(isLookedAt(limit, GOOD)).toBe(false);
  });

  it('shut out no other key, issuer or address, and none of ours', () => {
    const { limit } = floodOf(OUTSIDE);
    expect(isLookedAt(limit, caller(jwt(OUTSIDE, 'x', 'other')))).toBe(true);
    expect(isLookedAt(limit, caller(jwt('https://other.example', 'x')))).toBe(true);
    expect(isLookedAt(limit, caller(jwt(OUTSIDE, 'x'), '10.0.0.2'))).toBe(true);
    expect(isLookedAt(limit, caller(jwt(OURS, 'x')))).toBe(true);
  });

  it('of IPv6 addresses count by /64', () => {
    const { limit } = floodOf(OUTSIDE, '2001:db8:0:1::7');
    const shown = jwt(OUTSIDE, 'bad');
    expect(isLookedAt(limit, caller(shown, '2001:db8::1:9:8:7:6'))).toBe(false);
    expect(isLookedAt(limit, caller(shown, '2001:db8:0:2::1'))).toBe(true);
    expect(isLookedAt(limit, caller(shown, '::1'))).toBe(true);
  });
});

it('what is remembered is bounded: of 10,000 credentials more, the first is forgotten', () => {
  const { limit } = exhausted();
  for (let i = 0; i < 10_000; i++) limit.failed(caller(`Bearer ${i}`));
  expect(isLookedAt(limit, BAD)).toBe(true);
});
