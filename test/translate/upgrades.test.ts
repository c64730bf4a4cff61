import { expect, test } from 'vitest';
import { OTHER_UPGRADES, UPGRADES } from '../../src/translate/upgrades.js';

// Envoy's regular expressions match whole texts; `(?is)` is RE2's way to say the flags.
const [other] = OTHER_UPGRADES;
const regex = other?.safeRegex?.regex ?? '';
const others = new RegExp(`^${regex.slice('(?is)'.length)}$`, 'is');

test.each([...UPGRADES, 'WebSocket', 'TLS/1.0', 'SPDY/3.1'])('%s passes', (text) => {
  expect(regex).toMatch(/^\(\?is\)/);
  expect(others.test(text)).toBe(false);
});

test.each([
  'h',
  't',
  'tc',
  'tcpx',
  'xtcp',
  'tls/1',
  'tls/1.1',
  'tls/1.00',
  'tls/1x0',
  'web socket',
  'h2c',
  'spdy/3',
])('%s is left out', (text) => {
  expect(others.test(text)).toBe(true);
});
