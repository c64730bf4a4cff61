// What callers of docker-compose.yml's mesh see: web through its sidecar, and `demo`, a stranger,
// in plain text.
import { expect } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import type { Outcome } from '../../src/demo/compose/outcome.js';
import { eventually } from '../../src/demo/wait.js';
import { compose } from './docker.js';

const CALLS = ['http/ledger/8080', 'tcp/cache/6379', 'grpc/stock/9090'];

/** By web, in its network and through its sidecar. */
export async function byWeb(call: string): Promise<Outcome> {
  const url = `http://127.0.0.1:8080/${call}`;
  const script = `fetch('${url}').then(async (r) => console.log(await r.text()))`;
  return JSON.parse(
    await compose('exec', '-T', 'web-application', 'node', '-e', script),
  ) as Outcome;
}

/** In plain text by a container without a sidecar. */
export async function byStranger(call: string): Promise<Outcome> {
  const [protocol, host, port] = call.split('/');
  const target = JSON.stringify({ protocol, host, port: Number(port) });
  const module = '/opt/countersign/dist/demo/compose/calls.js';
  const answer = `import('${module}').then((m) => m.callOnce(${target}))`;
  const script = `${answer}.then((o) => console.log(JSON.stringify(o)))`;
  return JSON.parse(await compose('exec', '-T', 'demo', 'node', '-e', script)) as Outcome;
}

/** Until web reaches all three again. */
export async function works(): Promise<void> {
  const all = async (): Promise<boolean> => {
    const outcomes = await Promise.all(CALLS.map(byWeb));
    return outcomes.every(({ ok }) => ok);
  };
  await eventually(all, { what: 'web to reach every service', timeoutMs: 90_000, intervalMs: 500 });
}

/** Where the stranger, who asks once a second, was let in since then. */
async function openings(since: string): Promise<readonly string[]> {
  const log = await compose('logs', '--no-log-prefix', '--since', since, 'demo');
  const lines = log.split('\n').filter((line) => line.startsWith('stranger -> '));
  return lines.filter((line) => !line.includes('refused'));
}

export async function isClosed(since: string): Promise<void> {
  const outcomes = await Promise.all(CALLS.map(byStranger));
  expect(outcomes.map(({ ok }) => ok)).toEqual([false, false, false]);
  expect(await openings(since)).toEqual([]);
}

export function now(): string {
  return new Date(systemClock.now()).toISOString();
}
