import { expect, test } from 'vitest';
import { toBindHint } from '../../src/terminal/index.js';

const TAKEN = { reason: 'in-use', address: '[::]:15006', holder: null, isInbound: true } as const;
const LOOK = "see who has it on its host: ss -ltnp 'sport = :15006'";

test('a capture port that is taken: a namespace has one sidecar that captures', () => {
  const capturing = '(a network namespace has one sidecar that captures)';
  const again = 'it is tried again by itself';
  expect(toBindHint({ ...TAKEN, isCapture: true })).toBe(`${LOOK} ${capturing}; ${again}`);
  expect(toBindHint({ ...TAKEN, address: '10.0.0.7:15006' })).toBe(`${LOOK}; ${again}`);
});
