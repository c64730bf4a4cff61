// What happens to docker-compose.yml's mesh over its life, with a second instance of the ledger,
// while web calls that as fast as it is answered: whatever stops, crashes or is made anew, no call
// fails that the other instance can answer, and plain text stays refused.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { eventually } from '../../src/demo/wait.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { compose, containerOf, docker, pidOf } from './docker.js';
import { startEngine, stopEngine } from './engine.js';
import { ComposeLoad, type LoadEnd } from './load.js';
import { isClosed, now, works } from './probes.js';

/** Where the engine is ours: its folder. */
const OWN = process.env['COMPOSE_ENGINE'];
const WORKERS = 12;
const LEDGER = ['ledger', 'ledger-application', 'ledger-sidecar'] as const;
let since = '';

beforeAll(async () => {
  process.env['COMPOSE_FILE'] = 'docker-compose.yml:test/compose/replica.yml';
  await compose('down', '--volumes', '--remove-orphans');
  await compose('build', '--quiet');
  await compose('up', '--detach', '--wait', '--no-build');
  since = now();
});

afterEach(async () => {
  await compose('up', '--detach', '--no-build');
  await works();
  await isClosed(since);
});

afterAll(async () => {
  await compose('down', '--volumes', '--remove-orphans');
  delete process.env['COMPOSE_FILE'];
});

async function status(): Promise<ServerStatus> {
  const printed = await compose('exec', '-T', 'countersign', 'countersign', 'status', '--json');
  return JSON.parse(printed) as ServerStatus;
}

/** Until both instances have answered since now. */
async function bothAnswer(load: ComposeLoad): Promise<void> {
  const { by: before } = await load.look();
  const grown = async (): Promise<boolean> => {
    const { by } = await load.look();
    return ['ledger', 'ledger-2'].every((name) => (by[name] ?? 0) > (before[name] ?? 0));
  };
  await eventually(grown, { what: 'both instances to answer', timeoutMs: 60_000 });
}

function tell(what: string, { calls, failed, slowestMs, by }: LoadEnd): void {
  const bad = Object.entries(by).filter(([name]) => !name.startsWith('ledger'));
  const which = bad.map(([name, count]) => `${count} ${name}`).join(', ');
  const failures = failed === 0 ? 'none failed' : `${failed} failed (${which})`;
  process.stdout.write(`${what}: ${calls} calls, ${failures}, slowest ${slowestMs} ms\n`);
}

async function addressOf(holder: string): Promise<string> {
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
  return (await docker('inspect', '--format', format, await containerOf(holder))).trim();
}

test('sidecars that are stopped and started, one after the other: no call fails', async () => {
  const load = new ComposeLoad();
  const tookMs: number[] = [];
  for (const sidecar of ['ledger-sidecar', 'ledger-2-sidecar', 'ledger-sidecar']) {
    await bothAnswer(load);
    const beganMs = systemClock.now();
    await compose('stop', sidecar);
    tookMs.push(systemClock.now() - beganMs);
    await compose('start', sidecar);
  }
  await bothAnswer(load);
  const end = await load.stop();
  tell(`sidecars stopped in ${tookMs.join(', ')} ms`, end);
  expect(end).toMatchObject({ failed: 0 });
  expect(end.calls).toBeGreaterThan(2_000);
});

test('an instance made anew at another address: no call fails', async () => {
  const before = await addressOf('ledger');
  const load = new ComposeLoad();
  await bothAnswer(load);
  await compose('rm', '--stop', '--force', ...LEDGER);
  // Somebody else has the address meanwhile.
  const other = ['--network', 'countersign_mesh', '--ip', before, '--entrypoint', 'sleep'];
  const id = (await docker('run', '--detach', '--rm', ...other, 'countersign', '60')).trim();
  try {
    await compose('up', '--detach', '--no-build', ...LEDGER);
    await bothAnswer(load);
    const end = await load.stop();
    tell(`made anew at ${await addressOf('ledger')}, before at ${before}`, end);
    expect(end).toMatchObject({ failed: 0 });
    expect(await addressOf('ledger')).not.toBe(before);
  } finally {
    await docker('kill', id);
  }
});

test.runIf(OWN !== undefined)('a sidecar killed: what is on its way there is lost', async () => {
  const load = new ComposeLoad();
  await bothAnswer(load);
  process.kill(await pidOf('ledger-sidecar'), 'SIGKILL');
  await bothAnswer(load);
  const end = await load.stop();
  tell('a sidecar killed', end);
  expect(end.failed).toBeLessThanOrEqual(WORKERS);
});

test('an application crashed: the other one answers', async () => {
  const load = new ComposeLoad();
  await bothAnswer(load);
  await compose('exec', '-T', 'ledger-application', 'sh', '-c', 'kill -9 -1').catch(() => '');
  await bothAnswer(load);
  const end = await load.stop();
  tell('an application crashed', end);
  expect(end.failed).toBeLessThanOrEqual(WORKERS);
});

test('the server made anew, with its volumes: no call fails', async () => {
  const load = new ComposeLoad();
  await bothAnswer(load);
  await compose('up', '--detach', '--no-build', '--no-deps', '--force-recreate', 'countersign');
  const back = async (): Promise<boolean> => {
    const { proxies } = await status().catch(() => ({ proxies: [] }));
    return proxies.length === 5;
  };
  await eventually(back, { what: 'all sidecars back', timeoutMs: 90_000, intervalMs: 1_000 });
  const end = await load.stop();
  tell('the server made anew', end);
  expect(end).toMatchObject({ failed: 0 });
});

test('all stopped, and started one by one in reverse: it works again', async () => {
  await compose('stop');
  const services = (await compose('config', '--services')).trim().split('\n').sort().reverse();
  for (const service of services) {
    if (service === 'mesh' || service.endsWith('-identity')) continue;
    await compose('start', service);
  }
  await works();
});

test('replicas of what shares a network: they open nothing', async () => {
  const scale = ['--scale', 'ledger-application=3', '--scale', 'cache=2'];
  await compose('up', '--detach', '--no-build', ...scale).catch(() => '');
  await works();
  await isClosed(since);
});

test.runIf(OWN !== undefined)('the engine restarted, as after a reboot', async () => {
  const folder = OWN ?? '';
  await stopEngine(folder);
  await startEngine(folder);
  const running = async () => (await compose('ps', '--services', '--status', 'running')).trim();
  const all = (await compose('config', '--services')).trim().split('\n');
  const up = (await running()).split('\n');
  const down = all.filter((one) => !up.includes(one) && !/^mesh$|-identity$/.test(one));
  process.stdout.write(`after a restart of the engine not running: ${down.join(', ') || 'none'}\n`);
  // With our containers down at the time, too.
  await compose('stop');
  await stopEngine(folder);
  await startEngine(folder);
});
