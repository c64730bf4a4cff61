import { expect, it } from 'vitest';
import { createRefusalLog } from '../../../src/server/join/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';

const QUIET_MS = 600_000;

function create() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  return { clock, logger, log: createRefusalLog(logger, clock) };
}

it('the same refusal of the same peer is logged once in ten minutes', () => {
  const { clock, logger, log } = create();
  const refuse = (peer: string, reason: string): void => log.warn({ peer, reason }, 'refused');
  for (let times = 0; times < 100; times++) refuse('10.0.0.1', 'no token');
  expect(logger.lines).toEqual([
    { level: 'warn', message: 'refused', fields: { peer: '10.0.0.1', reason: 'no token' } },
  ]);
  clock.advance(QUIET_MS - 1);
  refuse('10.0.0.1', 'no token');
  expect(logger.lines).toHaveLength(1);
  clock.advance(1);
  refuse('10.0.0.1', 'no token');
  expect(logger.lines).toHaveLength(2);
});

it('another peer, reason or message is another refusal', () => {
  const { logger, log } = create();
  log.warn({ peer: '10.0.0.1', reason: 'no token' }, 'refused');
  log.warn({ peer: '10.0.0.2', reason: 'no token' }, 'refused');
  log.warn({ peer: '10.0.0.1', reason: 'token expired' }, 'refused');
  log.warn({ peer: '10.0.0.1', reason: 'no token' }, 'cut');
  expect(logger.lines).toHaveLength(4);
});

it('errors are always logged', () => {
  const { logger, log } = create();
  log.error({ peer: '10.0.0.1' }, 'internal error');
  log.error({ peer: '10.0.0.1' }, 'internal error');
  expect(logger.lines.map(({ level }) => level)).toEqual(['error', 'error']);
});

it('remembers a thousand, and forgets the oldest', () => {
  const { logger, log } = create();
  for (let peer = 0; peer <= 1_000; peer++) log.warn({ peer, reason: 'no token' }, 'refused');
  expect(logger.lines).toHaveLength(1_001);
  log.warn({ peer: 1_000, reason: 'no token' }, 'refused');
  expect(logger.lines).toHaveLength(1_001);
  log.warn({ peer: 0, reason: 'no token' }, 'refused');
  expect(logger.lines).toHaveLength(1_002);
});
