// All faults, and which of them are next.
import type { Fault } from './fault.js';
import { CLOCK_FAULTS } from './faults-of-clocks.js';
import { FOLDER_FAULTS } from './faults-of-folders.js';
import { MESH_FAULTS } from './faults-of-mesh-files.js';
import { PROCESS_FAULTS } from './faults-of-processes.js';
import { FLOOD_FAULTS } from './floods.js';
import type { Luck } from './luck.js';

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...FOLDER_FAULTS,
  ...CLOCK_FAULTS,
  ...MESH_FAULTS,
  ...FLOOD_FAULTS,
];

const SHARE_OF_PAIRS = 0.25;

/** One, or two at once. */
export function choose(luck: Luck, faults = FAULTS): readonly Fault[] {
  const first = luck.one(faults);
  const others = faults.filter(({ of }) => !of.some((part) => first.of.includes(part)));
  if (others.length === 0 || !luck.isLucky(SHARE_OF_PAIRS)) return [first];
  return [first, luck.one(others)];
}
