// A container without a sidecar on networks of a project, which tries targets for ever:
// stranger.mjs.
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { eventually } from '../../src/demo/wait.js';
import { docker, ROOT } from './docker.js';

export interface StrangerPlace {
  /** Of its container. */
  readonly name: string;
  readonly networks: readonly string[];
  /** The folder of wire.mjs. */
  readonly wire: string;
}

/** In the place of an earlier one. */
export async function startStranger(
  { name, networks: [first = '', ...others], wire }: StrangerPlace,
  targets: readonly string[],
): Promise<void> {
  await docker('rm', '--force', name).catch(() => '');
  const mounts = [
    ...['--volume', `${wire}:/app:ro`],
    ...['--volume', `${join(ROOT, 'test/compose/stranger.mjs')}:/stranger.mjs:ro`],
  ];
  const options = ['--name', name, '--init', '--restart', 'unless-stopped', ...mounts];
  const command = ['node:20-slim', 'node', '/stranger.mjs', ...targets];
  await docker('create', '--network', first, ...options, ...command);
  for (const network of others) await docker('network', 'connect', network, name);
  await docker('start', name);
}

/** What came of each round of its calls since then, by target. */
async function roundsSince(
  name: string,
  since: string,
): Promise<Readonly<Record<string, string>>[]> {
  const log = await docker('logs', '--since', since, name);
  const lines = log.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Record<string, string>);
}

/** Who let it in, in its last round. */
export async function letIn(name: string): Promise<readonly string[]> {
  const since = new Date(systemClock.now() - 10_000).toISOString();
  const last = (await roundsSince(name, since)).at(-1) ?? { none: 'open' };
  return toOpen(last);
}

/** It has tried again, and nobody let it in since then. */
export async function isClosed(name: string, since: string): Promise<void> {
  await eventually(async () => (await roundsSince(name, since)).length >= 2, {
    what: 'the stranger to try again',
    timeoutMs: 60_000,
    intervalMs: 300,
  });
  expect((await roundsSince(name, since)).flatMap(toOpen)).toEqual([]);
}

function toOpen(round: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(round)
    .filter(([, said]) => said === 'open')
    .map(([target]) => target);
}
