// A data folder that a server has used, for commands that change it.
import { expect } from 'vitest';
import { FREE_PORTS } from '../harness/process.js';
import { runServer } from './command.js';
import type { Place, Step } from './every-step.js';

export const serve = ({ mesh, data }: Place): readonly string[] => [
  ...['serve', '--mesh', mesh, '--data', data, '--log-level', 'silent'],
  ...FREE_PORTS,
];

export async function used(place: Place): Promise<void> {
  const { code, stderr } = await runServer({ argv: serve(place), root: place.dir });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

/** Every file is whole. */
export function expectWhole({ left }: Step): void {
  for (const content of left.values()) JSON.parse(content.toString('utf8'));
}
