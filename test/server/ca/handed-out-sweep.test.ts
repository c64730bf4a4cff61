import { expect, test } from 'vitest';
import { startSweep } from '../../../src/server/ca/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { MemoryDataDir, WEB } from '../../x509/tools.js';

const HOUR_MS = 3_600_000;
const NAME = 'handed-out/4a01.json';

function start() {
  const clock = new ManualClock();
  const dataDir = new MemoryDataDir();
  const logger = recordingLogger();
  const notAfterMs = clock.now() + HOUR_MS;
  const times = { notBeforeMs: clock.now(), notAfterMs, issuedAtMs: clock.now() };
  const record = { version: 1, serialHex: '4a01', service: 'web', spiffeId: WEB, ...times };
  dataDir.files.set(NAME, JSON.stringify(record));
  return { clock, dataDir, logger, stop: startSweep({ dataDir, clock, logger }) };
}

test('a record goes at the first look that is a day after its end', async () => {
  const { clock, dataDir, stop } = start();
  for (let hour = 0; hour < 25; hour++) clock.advance(HOUR_MS);
  await stop();
  expect([...dataDir.files.keys()]).toEqual([NAME]);
  const again = start();
  for (let hour = 0; hour < 26; hour++) again.clock.advance(HOUR_MS);
  await again.stop();
  expect({ files: again.dataDir.files.size, timers: again.clock.pending }).toEqual({
    files: 0,
    timers: 0,
  });
});

test('a record that makes no sense is told and left, hour after hour', async () => {
  const { clock, dataDir, logger, stop } = start();
  dataDir.files.set(NAME, 'broken');
  clock.advance(HOUR_MS);
  clock.advance(HOUR_MS);
  await stop();
  expect(dataDir.files.get(NAME)).toBe('broken');
  expect(logger.lines.length).toBeGreaterThan(0);
  expect(logger.lines[0]).toMatchObject({
    level: 'error',
    message: 'damaged records: whose certificates they were is not known',
    fields: { files: [NAME] },
  });
});
