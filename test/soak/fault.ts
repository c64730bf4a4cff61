// What attacks and accidents do, one fault each: it happens, and is undone.
import type { Luck } from './luck.js';
import type { World } from './world.js';

export type Part = 'server' | 'sidecar' | 'folder' | 'clock' | 'mesh file' | 'network';

export interface Fault {
  readonly name: string;
  /** Of what; two at once have none in common. */
  readonly of: readonly Part[];
  /** It opens the windows during which allowed calls may fail. */
  run(world: World, luck: Luck): Promise<void>;
}

/** Leaves of 10 s are renewed at half of their life, at 4.5 s at the earliest. */
export const LEAF_LEFT_MS = 4_000;
export const UNRENEWED = 'leaves end that nobody renews';
