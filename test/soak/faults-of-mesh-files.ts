import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { replaceFile } from '../../src/demo/replace-file.js';
import { delay } from '../../src/demo/wait.js';
import type { Fault } from './fault.js';
import { toNext } from './mesh-text.js';

/** Half a file that could be a whole one is taken when it has stood still for 2 s. */
const LONGEST_PAUSE_MS = 1_300;

export const MESH_FAULTS: readonly Fault[] = [
  {
    name: 'edits, one after the other',
    of: ['mesh file'],
    async run(world, luck) {
      for (let edits = luck.between(2, 6); edits > 0; edits--) {
        await world.edit(toNext(world.shape, luck));
        await delay(luck.between(0, 1_500));
      }
    },
  },
  {
    name: 'a mesh file that is written in place, with pauses',
    of: ['mesh file'],
    async run(world, luck) {
      world.shape = toNext(world.shape, luck);
      const bytes = Buffer.from(world.toText(world.shape));
      const file = openSync(world.meshPath, 'w');
      try {
        for (let from = 0; from < bytes.length; ) {
          const until = luck.between(from + 1, bytes.length);
          from += writeSync(file, bytes.subarray(from, until));
          fsyncSync(file);
          await delay(luck.between(0, LONGEST_PAUSE_MS));
        }
      } finally {
        closeSync(file);
      }
    },
  },
  {
    name: 'a mesh file that is none, and a good one again',
    of: ['mesh file'],
    async run(world, luck) {
      const good = world.toText(world.shape);
      const bad = [
        good.replace('mtls: strict', 'mtls: stirct'),
        good.slice(0, luck.between(1, good.length - 1)).replace(/\n.*$/, '\n  - ['),
        '\u0000'.repeat(luck.between(1, 5_000)),
        `${good}${good}`,
      ];
      await replaceFile(world.meshPath, luck.one(bad));
      await delay(luck.between(0, 8_000));
      await world.edit(toNext(world.shape, luck));
    },
  },
];
