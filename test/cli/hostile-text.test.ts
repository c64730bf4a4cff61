// What a sidecar, a peer or an issuer says is shown to an operator: it must not steer his terminal.
import { expect, test } from 'vitest';
import { createLogger } from '../../src/cli/logger.js';
import { toExposition } from '../../src/server/status/prometheus.js';
import { guardOutput } from '../../src/terminal/index.js';
import { startFakeAdmin } from '../fakes/admin-server.js';
import { fakeStatus } from '../fakes/fake-status.js';
import { Cli } from './cli.js';

const chars = (...codes: number[]): string => String.fromCharCode(...codes);
/** A title, a cleared screen, C1's CSI, a bidi override, a line separator, the start of a line. */
const HOSTILE = [
  `x${chars(0x1b)}]0;owned${chars(0x07)}`,
  `${chars(0x1b)}[2J${chars(0x9b)}2J${chars(0x202e)}${chars(0x2028)}`,
  `${chars(0x0d)}SERVER OK`,
].join('');
const SAFE = 'x\\u001b]0;owned\\u0007\\u001b[2J\\u009b2J\\u202e\\u2028\\u000dSERVER OK';
const STEERING = /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u;

const NACK = { node: HOSTILE, type: 'lds', error: HOSTILE };
const MESH = { problems: [], version: HOSTILE, loadedAt: '2026-01-01T00:00:00Z' };

async function show(line: string, answer: { status?: number; body: object }): Promise<string> {
  const { address } = await startFakeAdmin(() => answer);
  const { stdout, stderr } = await new Cli().run(...line.split(' '), '--server', address);
  return stdout + stderr;
}

const PARTY = { claim: HOSTILE, service: HOSTILE, tokenId: HOSTILE, holder: HOSTILE };
const REFUSED = { peer: HOSTILE, code: 'token-missing', reason: HOSTILE, count: 1, ...PARTY };
const STATUS = fakeStatus({
  mesh: MESH,
  refused: [{ ...REFUSED, lastAt: '2026-01-01T00:00:00.000Z' }],
});
const REFUSAL = { inForce: false, reason: 'nacked', nacks: [NACK], problems: [], waitingFor: [] };

test.each([
  ['status', { body: STATUS }],
  ['wait', { status: 409, body: REFUSAL }],
  ['wait', { status: 500, body: { error: HOSTILE, code: 'internal' } }],
])('%s shows hostile text harmlessly', async (line, answer) => {
  const shown = await show(line, answer);
  expect(shown).toContain(SAFE);
  expect(shown).not.toMatch(STEERING);
});

test('status --json has it harmlessly, and says the same', async () => {
  const shown = await show('status --json', { body: STATUS });
  expect(shown).not.toMatch(STEERING);
  expect(JSON.parse(shown)).toMatchObject({ mesh: { version: HOSTILE } });
});

test.each(['--server', 'status', `--${HOSTILE}`, 'check'])(
  'a hostile argument beside %j is repeated harmlessly',
  async (argument) => {
    const { stdout, stderr } = await new Cli().run(argument, HOSTILE);
    expect(stdout + stderr).not.toMatch(STEERING);
  },
);

test.each([true, false])('the log shows it harmlessly (screen: %s)', (isTTY) => {
  let text = '';
  const output = guardOutput({
    isTTY,
    write(written) {
      text += written;
    },
  });
  createLogger(output, 'info').warn({ peer: HOSTILE }, HOSTILE);
  expect(text).toContain('SERVER OK');
  expect(text.trimEnd()).not.toMatch(STEERING);
});

test('metrics keep a label on its line, with escapes that Prometheus knows', () => {
  const samples = [{ labels: { node: `${HOSTILE}\n"` }, value: 1 }];
  const text = toExposition([{ name: 'x', type: 'gauge', help: 'x', samples }]);
  expect(text.split('\n')).toHaveLength(4);
  expect(text).not.toMatch(STEERING);
  // Exposition format 0.0.4 knows \\, \" and \n alone.
  expect(text.replaceAll(/\\[\\n"]/g, '')).not.toContain('\\');
});
