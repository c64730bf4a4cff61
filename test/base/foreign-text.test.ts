import fc from 'fast-check';
import { expect, it } from 'vitest';
import { escapeControls, MeshError, toShortText } from '../../src/base/index.js';
import { toStatus } from '../../src/grpc/status.js';

const ESC = String.fromCharCode(0x1b);
const BEL = String.fromCharCode(0x07);
const CSI = String.fromCharCode(0x9b);
const RIGHT_TO_LEFT = String.fromCharCode(0x202e);
/** What a terminal acts on, or what reorders a line. */
const BAD = [
  ...Array.from({ length: 0x20 }, (_, code) => code).filter((code) => code !== 9 && code !== 10),
  0x7f,
  ...Array.from({ length: 0x20 }, (_, index) => 0x80 + index),
  ...[0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e],
  ...[0x2066, 0x2067, 0x2068, 0x2069],
].map((code) => String.fromCharCode(code));

const hostile = fc
  .array(fc.oneof(fc.constantFrom(...BAD, '\n', '\t'), fc.string()))
  .map((parts) => parts.join(''));

it('leaves no character that steers a terminal', () => {
  for (const one of BAD) expect(escapeControls(`a${one}b`)).toMatch(/^a\\u[0-9a-f]{4}b$/);
  fc.assert(
    fc.property(hostile, (text) => {
      const shown = escapeControls(text);
      expect(BAD.some((one) => shown.includes(one))).toBe(false);
      expect(toShortText(text, text.length)).not.toMatch(/[\n\t]/);
    }),
  );
});

it('leaves JSON what it says', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      expect(JSON.parse(escapeControls(JSON.stringify({ text })))).toEqual({ text });
    }),
  );
});

it('shows plain text, umlauts and emoji as they are', () => {
  const text = 'größer, ≤ 4 KiB: 👍\n\tnext';
  expect(escapeControls(text)).toBe(text);
});

it('cuts what is long, and says how long it was', () => {
  expect(toShortText('ab'.repeat(4), 8)).toBe('abababab');
  expect(toShortText('ab'.repeat(2_000_000), 8)).toBe('abababab… (4000000 characters)');
});

it("an error's message is one bounded line, whatever it quotes", () => {
  const forged = new MeshError('request-invalid', `got ${ESC}]0;x${BEL}\r\nSERVER OK${CSI}2J`);
  expect(forged.message).toBe('got \\u001b]0;x\\u0007\\u000d\\nSERVER OK\\u009b2J');
  const long = new MeshError('request-invalid', RIGHT_TO_LEFT.repeat(3_900_000));
  expect(long.message.length).toBeLessThan(30_000);
});

it('an error whose message is cut in the middle of an emoji still has a status', () => {
  for (const start of ['', 'a']) {
    const error = new MeshError('request-invalid', start + '👍'.repeat(4_000));
    const { code, metadata } = toStatus(error);
    expect(code).toBe(3);
    expect(String(metadata.get('grpc-message'))).toMatch(/%F0%9F%91%8D.*\(\d+ characters\)$/);
  }
  expect(toStatus(new MeshError('request-invalid', 'half \ud83d of one')).details).toBe(
    'half \\ud83d of one',
  );
});
