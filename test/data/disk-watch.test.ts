import { describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { DiskWatch } from '../../src/data/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { settle } from '../fakes/settle.js';
import { MemoryDataDir, meshErrorOf } from '../x509/tools.js';

const ERRNOS = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EMFILE', 'EACCES'] as const;
const SINCE = '2026-01-01T00:00:00.000Z';

function setup() {
  const folder = new MemoryDataDir();
  const clock = new ManualClock();
  const logger = recordingLogger();
  const disk = new DiskWatch(folder, { clock, logger });
  let changes = 0;
  disk.changes.add(() => {
    changes++;
  });
  const refuse = (code: string, of: (name: string) => boolean = () => true): void => {
    folder.beforeWrite = (name) => {
      if (!of(name)) return;
      const cause = Object.assign(new Error(code), { code });
      throw new MeshError('data-unwritable', `expected to write but got ${code}`, { cause });
    };
  };
  const mend = (): void => {
    folder.beforeWrite = () => undefined;
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settle();
  };
  const logged = (): string[] => logger.lines.map(({ message }) => message);
  return { folder, clock, disk, refuse, mend, pass, logged, logger, changes: () => changes };
}

describe('a disk that can not be written', () => {
  it.each(ERRNOS)('is reported at the first failed write: %s', async (code) => {
    const { disk, refuse, logger, changes } = setup();
    refuse(code);
    const error = await meshErrorOf(() => disk.write('leaves/a.json', 'x'));
    expect(error.code).toBe('data-unwritable');
    const trouble = { path: '/memory/leaves/a.json', code };
    expect(disk.troubles).toEqual([{ ...trouble, sinceMs: Date.parse(SINCE) }]);
    expect(logger.lines).toEqual([
      {
        level: 'error',
        message: 'the data folder cannot be written',
        fields: { ...trouble, since: SINCE },
      },
    ]);
    expect(changes()).toBe(1);
  });

  it('is reported once, since its first failure, however often it fails', async () => {
    const { disk, refuse, clock, logged } = setup();
    refuse('ENOSPC');
    for (const name of ['rollout.json', 'mesh.json', 'rollout.json']) {
      await meshErrorOf(() => disk.write(name, 'x'));
      clock.jump(60_000);
    }
    expect(disk.troubles).toEqual([
      { path: '/memory/rollout.json', code: 'ENOSPC', sinceMs: Date.parse(SINCE) },
    ]);
    expect(logged()).toHaveLength(1);
  });
});

describe('a disk that could not be written', () => {
  it('is well as soon as a write works', async () => {
    const { disk, refuse, mend, logged, clock } = setup();
    refuse('EIO');
    await meshErrorOf(() => disk.create('crls.json', 'x'));
    mend();
    await disk.write('mesh.json', 'xyz');
    expect([disk.troubles, clock.pending]).toEqual([[], 0]);
    expect(logged()).toEqual([
      'the data folder cannot be written',
      'the data folder can be written again',
    ]);
  });

  it('is well soon after there is room, though nobody writes', async () => {
    const { disk, refuse, mend, pass, clock } = setup();
    refuse('ENOSPC');
    await meshErrorOf(() => disk.write('orders/a.receipt.json', 'x'));
    // Tried with growing pauses.
    await pass(120_000);
    expect(disk.troubles).toHaveLength(1);
    mend();
    await pass(30_000);
    expect([disk.troubles, clock.pending]).toEqual([[], 0]);
  });

  it('is not well because something small had room', async () => {
    const { disk, refuse, mend, folder } = setup();
    refuse('ENOSPC', (name) => name !== 'clock.json');
    await meshErrorOf(() => disk.write('authority.json', 'x'.repeat(9_000)));
    await disk.write('clock.json', 'x');
    expect(disk.troubles).toHaveLength(1);
    mend();
    await disk.write('authority.json', 'x'.repeat(9_000));
    expect([disk.troubles, folder.files.size]).toEqual([[], 2]);
  });

  it('is each folder of it that can not', async () => {
    const { disk, refuse } = setup();
    refuse('EACCES', (name) => name.startsWith('leaves/'));
    await meshErrorOf(() => disk.remove('leaves/a.json'));
    await disk.write('mesh.json', 'x');
    expect(disk.troubles).toMatchObject([{ path: '/memory/leaves/a.json', code: 'EACCES' }]);
  });
});

it('what is no matter of the disk is none', async () => {
  const { disk, folder } = setup();
  folder.beforeWrite = () => {
    throw new Error('a defect');
  };
  await expect(disk.write('mesh.json', 'x')).rejects.toThrow('a defect');
  expect(disk.troubles).toEqual([]);
});
