import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { delay } from '../../src/demo/wait.js';
import { type Fault, LEAF_LEFT_MS, UNRENEWED } from './fault.js';

/** What a running server does without, until it is put back. */
const PARTS = ['revocations', 'leaves', 'authority.json', 'token-keys.json', 'crls.json'] as const;

function full(what: 'bytes' | 'files', name: string): Fault {
  return {
    name,
    of: ['folder'],
    async run({ disk, windows }, luck) {
      windows.open(UNRENEWED, { afterMs: LEAF_LEFT_MS });
      try {
        disk.fill(what);
        await delay(luck.between(500, 16_000));
      } finally {
        disk.makeRoom();
      }
    },
  };
}

export const FOLDER_FAULTS: readonly Fault[] = [
  full('bytes', 'the disk is full'),
  full('files', 'the disk has no room for another file'),
  {
    name: 'the data folder is moved away, and back',
    // A server that starts without its folder makes another one.
    of: ['folder', 'server'],
    async run({ data, disk, windows }, luck) {
      const path = disk.seen(data);
      windows.open(UNRENEWED, { afterMs: LEAF_LEFT_MS });
      renameSync(path, `${path}.away`);
      try {
        await delay(luck.between(500, 14_000));
      } finally {
        rmSync(path, { recursive: true, force: true });
        renameSync(`${path}.away`, path);
      }
    },
  },
  {
    name: 'another disk is mounted over the data folder',
    of: ['folder', 'server'],
    async run({ data, disk, windows }, luck) {
      windows.open(UNRENEWED, { afterMs: LEAF_LEFT_MS });
      disk.cover(data);
      try {
        await delay(luck.between(500, 14_000));
      } finally {
        disk.uncover(data);
      }
    },
  },
  {
    name: 'a part of the data folder is removed, and put back',
    of: ['folder', 'server'],
    async run({ data, disk, windows }, luck) {
      const part = luck.one(PARTS);
      const [path, kept] = [join(disk.seen(data), part), `${disk.seen(data)}.kept`];
      windows.open(UNRENEWED, { afterMs: LEAF_LEFT_MS });
      cpSync(path, kept, { recursive: true, preserveTimestamps: true });
      rmSync(path, { recursive: true });
      try {
        await delay(luck.between(500, 10_000));
      } finally {
        // The server may have made it again.
        cpSync(kept, path, { recursive: true, force: false, preserveTimestamps: true });
        rmSync(kept, { recursive: true });
      }
    },
  },
];
