import { expect, it } from 'vitest';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import { createRenewalLog, LeafManager, type LeafSettings } from '../../src/leaves/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { MemoryDataDir, WEB } from '../x509/tools.js';

const NODE = 'web~10.0.0.3';
const SETTINGS: LeafSettings = {
  spiffeId: WEB,
  dnsNames: ['web'],
  ttlMs: 86_400_000,
  key: 'ecdsa-p256',
  renewAt: 0.5,
  jitter: 0.05,
};

async function setUp() {
  const clock = new ManualClock();
  const random = seededRandom('renewal-log');
  const dataDir = new MemoryDataDir();
  const logger = recordingLogger();
  const log = createRenewalLog({ clock, logger });
  const trustDomain = 'shop.example';
  const { authority } = await loadOrCreateAuthority({ dataDir, clock, random, trustDomain });
  const manager = new LeafManager({
    ...{ authority, dataDir, clock, random },
    onProblem: () => undefined,
    onIssued: (renewal) => log.note(renewal),
  });
  return { clock, logger, log, manager };
}

it('each leaf is logged with the reason why it was issued', async () => {
  const { manager, logger } = await setUp();
  const first = await manager.ensure(NODE, SETTINGS);
  await manager.ensure(NODE, SETTINGS);
  const second = await manager.ensure(NODE, { ...SETTINGS, dnsNames: ['other'] });
  await manager.renewNow(NODE);
  const message = 'certificate issued';
  const notAfter = '2026-01-02T00:00:00.000Z';
  const line = (reason: string, serial: string | undefined) => ({
    level: 'info',
    message,
    fields: { node: NODE, reason, serial, notAfter },
  });
  expect(logger.lines).toEqual([
    line('none-yet', first.serialHex),
    line('names-changed', second.serialHex),
    line('asked', manager.get(NODE)?.serialHex),
  ]);
});

it('thousands at once are counted by their reason, not logged one by one', async () => {
  const { manager, log, logger, clock } = await setUp();
  const leaf = await manager.ensure(NODE, SETTINGS);
  for (let i = 0; i < 1_000; i++) log.note({ node: `web~${i}`, reason: 'root-changed', leaf });
  const single = logger.lines.length;
  expect(single).toBeLessThan(100);
  clock.advance(10_000);
  expect(logger.lines.slice(single)).toEqual([
    {
      level: 'info',
      message: 'more certificates were issued',
      fields: { reasons: { 'root-changed': 1_001 - single } },
    },
  ]);
  log.close();
  expect([logger.lines.length, clock.pending]).toEqual([single + 1, 1]);
});
